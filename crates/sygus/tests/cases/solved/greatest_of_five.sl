; Trees over comparisons alone take 76 nodes; by cases it is less.
; expect: ; f: proved for all inputs; 42 nodes, cost 45
(set-logic LIA)
(synth-fun f ((a Int) (b Int) (c Int) (d Int) (e Int)) Int)
(declare-var a Int)
(declare-var b Int)
(declare-var c Int)
(declare-var d Int)
(declare-var e Int)
(constraint (and (>= (f a b c d e) a) (>= (f a b c d e) b) (>= (f a b c d e) c) (>= (f a b c d e) d) (>= (f a b c d e) e)))
(constraint (or (= (f a b c d e) a) (= (f a b c d e) b) (= (f a b c d e) c) (= (f a b c d e) d) (= (f a b c d e) e)))
(check-synth)
