; What a division by zero gives is not known, but the same twice.
; expect: fail
(set-logic NIA)
(synth-fun f ((x Int)) Int ((S Int) (I Int)) ((S Int (1 (- I I))) (I Int ((mod x 0)))))
(declare-var x Int)
(constraint (= (f x) 0))
(check-synth)
