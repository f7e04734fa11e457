; The cube is no number of 64 bits: whether the term is right is not known, so that there is no solution cannot be said.
; expect: fail
(set-logic NIA)
(synth-fun f ((x Int)) Int ((S Int) (T Int)) ((S Int ((mod T 7) x)) (T Int ((* x (* x x))))))
(constraint (= (f 3000000) 6))
(constraint (= (f 2) 1))
(check-synth)
