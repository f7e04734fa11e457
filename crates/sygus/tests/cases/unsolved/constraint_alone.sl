; A constraint that mentions no function has to hold too.
; expect: infeasible
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(declare-var x Int)
(constraint (= (f x) x))
(constraint (> x 5))
(check-synth)
