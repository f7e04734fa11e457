; expect: weights are bounded from above only
(set-logic LIA)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :weight 1)))))
(declare-var x Int)
(constraint (and (= (f x) x) (= (_ weight f) 3)))
(check-synth)
