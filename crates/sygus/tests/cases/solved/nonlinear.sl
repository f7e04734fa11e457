; Products and remainders.
; expect: ; f: proved for all inputs; 5 nodes
(set-logic NIA)
(synth-fun f ((x Int) (y Int)) Int ((I Int)) ((I Int (x y 1 (* I I) (+ I I)))))
(declare-var x Int)
(declare-var y Int)
(constraint (= (f x y) (+ (* x y) x)))
(check-synth)
