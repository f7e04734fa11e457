; A polynomial, from its difference equation.
; expect: (* 3 x x)
(set-logic NIA)
(synth-fun f ((x Int)) Int)
(declare-var x Int)
(constraint (= (f 0) 7))
(constraint (= (- (f (+ x 1)) (f x)) (+ (* 6 x) 5)))
(check-synth)
