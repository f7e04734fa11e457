; No grammar: a decision tree over comparisons of the parameters.
; expect: ; greatest: proved for all inputs; 15 nodes
(set-logic LIA)
(synth-fun greatest ((a Int) (b Int) (c Int)) Int)
(declare-var a Int)
(declare-var b Int)
(declare-var c Int)
(constraint (and (>= (greatest a b c) a) (>= (greatest a b c) b) (>= (greatest a b c) c)))
(constraint (or (= (greatest a b c) a) (= (greatest a b c) b) (= (greatest a b c) c)))
(check-synth)
