; No doubling, then as few additions as go with none.
; expect: (0 5)
(set-logic LIA)
(declare-weight adds)
(declare-weight shifts)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :adds 1) (! (* 2 I) :shifts 1)))))
(declare-var x Int)
(constraint (= (f x) (* 6 x)))
(optimize-synth ((_ shifts f) (! (_ adds f) :min)))
