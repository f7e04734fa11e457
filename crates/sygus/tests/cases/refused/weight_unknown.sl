; expect: not a weight
(set-logic LIA)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :gates 1)))))
(check-synth)
