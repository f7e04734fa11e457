; A function applied to its own value.
; expect: (+ x 1))
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(declare-var x Int)
(constraint (= (f (f x)) (+ x 2)))
(check-synth)
