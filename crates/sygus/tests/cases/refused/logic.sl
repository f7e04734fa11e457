; expect: the logic SLIA is not supported
(set-logic SLIA)
(synth-fun f ((x Int)) Int)
(check-synth)
