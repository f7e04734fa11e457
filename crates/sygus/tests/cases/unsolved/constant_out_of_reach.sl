; The grammar is closed over the constants that are tried, and none of them will do; others may.
; expect: fail
(set-logic LIA)
(synth-fun f ((x Int)) Int ((I Int)) ((I Int ((Constant Int)))))
(declare-var x Int)
(constraint (= (+ (f x) (f (+ x 1))) 123456))
(check-synth)
