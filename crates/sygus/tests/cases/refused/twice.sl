; expect: the name f is taken
(set-logic LIA)
(synth-fun f ((x Int)) Int)
(synth-fun f ((x Int)) Int)
(check-synth)
