; More terms equal the parameter at the first points than a class keeps; one that was dropped differs where the division counts.
; expect: ; f: proved for all inputs; 23 nodes, cost 23, minimal
(set-logic NIA)
(synth-fun f ((x Int)) Int ((S Int) (T Int)) (
  (S Int ((+ T (+ 1 (+ 1 (+ 1 (+ 1 (+ 1 1))))))))
  (T Int (x (+ x 0) (+ 0 x) (- x 0) (* x 1) (* 1 x) (div x 1) (- (- x 0) 0) (+ x (div (* x x) (* 1000 (* 1000 1000))))))))
(declare-var x Int)
(constraint (= (f x) (+ 6 (+ (div (* x x) (* 1000 (* 1000 1000))) x))))
(check-synth)
