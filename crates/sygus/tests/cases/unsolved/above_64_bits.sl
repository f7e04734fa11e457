; The least value that is right is no number of 64 bits: that no value is right cannot be said.
; expect: fail
(set-logic NIA)
(synth-fun f ((x Int)) Int ((S Int)) ((S Int (x 4294967296 (* S S)))))
(declare-var x Int)
(constraint (> (f x) 9223372036854775807))
(check-synth)
