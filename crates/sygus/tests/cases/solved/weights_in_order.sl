; The first of several objectives matters most: one addition at least, then as few doublings as go with one.
; expect: ; f: proved for all inputs; 7 nodes, adds 1, shifts 2,
; expect: (1 2)
(set-logic LIA)
(declare-weight adds)
(declare-weight shifts)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int (x (! (+ I I) :adds 1) (! (* 2 I) :shifts 1)))))
(declare-var x Int)
(constraint (= (f x) (* 6 x)))
(optimize-synth ((_ adds f) (_ shifts f)) :lexico)
