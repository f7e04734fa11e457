; Monotone functions only: the closed bank says that there is no solution.
; expect: infeasible
(set-logic LIA)
(synth-fun f ((x Bool) (y Bool)) Bool ((B Bool)) ((B Bool (x y (and B B) (or B B)))))
(declare-var x Bool)
(declare-var y Bool)
(constraint (= (f x y) (xor x y)))
(check-synth)
