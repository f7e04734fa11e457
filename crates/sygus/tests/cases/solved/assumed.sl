; What is assumed need not be handled.
; expect: (define-fun f ((x Int)) Int (+ x x))
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(declare-var x Int)
(assume (>= x 0))
(constraint (= (f x) (ite (< x 0) 0 (+ x x))))
(check-synth)
