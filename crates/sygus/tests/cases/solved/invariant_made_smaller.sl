; A conjunction of 21 nodes comes first. Points that it took split classes of which terms were forgotten, this one among them:
; only a bank that sees them from the start has it.
; expect: 15 nodes
(set-logic LIA)
(synth-fun inv ((x Int) (y Int) (lock Int)) Bool
((Start Bool) (Atom Bool) (Sum Int) (Term Int) (Sign Int) (Var Int) (Const Int))
 ((Start Bool (Atom (and Start Start) (or Start Start)))
  (Atom Bool ((<= Sum Const) (= Sum Const)))
  (Sum Int (Term (+ Term Term)))
  (Term Int ((* Sign Var)))
  (Sign Int (0 1 (- 1)))
  (Var Int (x y lock))
  (Const Int ((- 1) 0 1))))
(declare-var x Int)(declare-var x! Int)(declare-var y Int)(declare-var y! Int)(declare-var lock Int)(declare-var lock! Int)
(constraint (=> (or (and (= x y) (= lock 1)) (and (= (+ x 1) y) (= lock 0))) (inv x y lock)))
(constraint (=> (and (inv x y lock) (or (and (not (= x y)) (and (= lock! 1) (= x! y))) (and (not (= x y)) (and (= lock! 0) (and (= x! y) (= y! (+ y 1))))))) (inv x! y! lock!)))
(constraint (=> (inv x y lock) (not (and (= x y) (not (= lock 1))))))
(check-synth)
