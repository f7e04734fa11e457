; expect: quantifiers are not supported
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(constraint (forall ((x Int)) (= (f x) x)))
(check-synth)
