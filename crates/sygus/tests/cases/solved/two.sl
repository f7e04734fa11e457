; Two functions that every constraint ties together.
; expect: ; f: proved for all inputs; 6 nodes
(set-logic LIA)
(synth-fun f ((x Int) (y Int)) Int)
(synth-fun g ((x Int) (y Int)) Int)
(declare-var x Int)
(declare-var y Int)
(constraint (= (+ (f x y) (g x y)) (+ x y)))
(constraint (>= (f x y) (g x y)))
(constraint (>= (f x y) x))
(constraint (>= (f x y) y))
(constraint (or (= (f x y) x) (= (f x y) y)))
(check-synth)
