; Two for an addition, one for a doubling, at least 4 in all; a sum of negatives is to be greatest.
; expect: adds 1, shifts 2,
; expect: (6)
(set-logic LIA)
(declare-weight adds)
(declare-weight shifts)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :adds 1) (! (* 2 I) :shifts 1)))))
(declare-var x Int)
(constraint (= (f x) (* 6 x)))
(optimize-synth ((! (- 10 (* 2 (_ adds f)) (_ shifts f)) :max)))
