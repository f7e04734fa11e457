; expect: ; f: proved for all inputs; 10 nodes, cost 11,
; expect: (+ (* 3 x) (* 9 y) (* (- 7) z))
(set-logic LIA)
(synth-fun f ((x Int) (y Int) (z Int)) Int)
(declare-var x Int)
(declare-var y Int)
(declare-var z Int)
(constraint (= (+ (f x y z) (* 7 z)) (* 3 (+ x (* 3 y)))))
(check-synth)
