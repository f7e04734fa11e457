; expect: unknwn is unknown
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(declare-var x Int)
(constraint (= (f x) (unknwn x)))
(check-synth)
