; The square of the second bound is no number of 64 bits: nothing is learned there, and no bound goes beyond what is not known.
; expect: (>= x 2)
; expect: not known to be minimal
(set-logic NIA)
(synth-fun f ((x Int)) Bool ((S Bool)) ((S Bool ((>= x 2) false))))
(declare-var x Int)
(constraint (=> (>= x 10000000000) (f x)))
(constraint (=> (f x) (f (* x x))))
(check-synth)
