; expect: does not take these arguments
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(declare-var x Bool)
(constraint (= (f x) 1))
(check-synth)
