; expect: weights can be made small, not great
(set-logic LIA)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :weight 1)))))
(optimize-synth ((_ weight f)) :max)
