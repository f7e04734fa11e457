; (Constant Int): the factor and the offset are found, not listed.
; expect: minimal: no solution with the constants tried costs less than
; expect: (+ (* 7 x) 3))
(set-logic LIA)
(synth-fun f ((x Int)) Int ((I Int) (C Int)) ((I Int (x (+ I C) (* C I))) (C Int ((Constant Int)))))
(constraint (= (f 1) 10))
(constraint (= (f 2) 17))
(constraint (= (f 3) 24))
(check-synth)
