; Any solution would do that no other betters in one sum without being worse in the other. The one that is best in the first
; sum is such.
; expect: ; f: proved for all inputs;
; expect: (1 2)
(set-logic LIA)
(declare-weight adds)
(declare-weight shifts)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :adds 1) (! (* 2 I) :shifts 1)))))
(declare-var x Int)
(constraint (= (f x) (* 6 x)))
(optimize-synth ((_ adds f) (_ shifts f)) :pareto)
