; The only choice is a function of the file whose condition is made of a branch.
; expect: (define-fun low ((x Int) (y Int)) Int (or-else (- y x) 0))
(set-logic LIA)
(define-fun or-else ((a Int) (b Int)) Int (ite (< a 0) b a))
(synth-fun low ((x Int) (y Int)) Int ((I Int)) ((I Int (x y 0 (- I I) (or-else I I)))))
(declare-var x Int)
(declare-var y Int)
(constraint (= (low x y) (ite (< y x) 0 (- y x))))
(check-synth)
