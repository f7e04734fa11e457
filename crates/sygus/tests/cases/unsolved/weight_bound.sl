; Three additions are needed, two are allowed.
; expect: infeasible
(set-logic LIA)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :weight 1)))))
(declare-var x Int)
(constraint (= (f x) (* 6 x)))
(constraint (<= (_ weight f) 2))
(check-synth)
