; No grammar: a condition and values that a bank by cost does not reach stand in the constraint, within definitions. They are
; leaves of trees from the start, in their simple form, and sums are written with any number of addends.
; expect: ; f: proved for all inputs; 19 nodes, cost 22,
; expect: (ite (>= (+ x y z w) 1) (+ x y z) (+ (- x y) (* 3 w)))
(set-logic LIA)
(synth-fun f ((x Int) (y Int) (z Int) (w Int)) Int)
(define-fun choose ((c Bool) (a Bool) (b Bool)) Bool (or (and c a) (and (not c) b)))
(define-fun plus3 ((a Int) (b Int) (c Int)) Int (+ (+ a b) c))
(define-fun minus ((a Int)) Int (- 0 a))
(declare-var x Int)
(declare-var y Int)
(declare-var z Int)
(declare-var w Int)
(constraint (choose (>= (+ (plus3 x y z) w) 1)
  (= (f x y z w) (plus3 x y z))
  (= (f x y z w) (plus3 x (minus y) (plus3 w w w)))))
(check-synth)
