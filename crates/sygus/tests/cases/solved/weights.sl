; Weights come before size: the solution with + is smaller.
; expect: (3)
(set-logic LIA)
(set-feature :weights true)
(declare-weight gates :default 0)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x 0 1 (! (+ I I) :gates 3) (! (- I I) :gates 1)))))
(declare-var x Int)
(constraint (= (f x) (+ x (+ x x))))
(optimize-synth ((_ gates f)) :min)
