; No value is right at 3.
; expect: infeasible
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(declare-var x Int)
(constraint (> (f x) x))
(constraint (=> (= x 3) (< (f x) 4)))
(check-synth)
