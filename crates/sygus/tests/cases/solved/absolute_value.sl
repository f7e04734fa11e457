; (bvneg (bvmul (bvsdiv x #x00000000) x)) is right too, and smaller, but a product that other solvers do not see through.
; expect: 9 nodes, cost 9, not known to be minimal
(set-logic BV)
(synth-fun f ((x (_ BitVec 32))) (_ BitVec 32) ((S (_ BitVec 32)))
  ((S (_ BitVec 32) (x #x00000000 #x0000001f (bvneg S) (bvashr S S) (bvxor S S) (bvsub S S) (bvmul S S) (bvsdiv S S)))))
(declare-var x (_ BitVec 32))
(constraint (= (f x) (bvsub (bvxor (bvashr x #x0000001f) x) (bvashr x #x0000001f))))
(check-synth)
