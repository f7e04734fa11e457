; Bit-vectors: a reference implementation, and a smaller one in the grammar.
; expect: ; f: proved for all inputs; 4 nodes, cost 4, minimal
(set-logic BV)
(define-sort Word () (_ BitVec 16))
(define-fun reference ((x Word)) Word (bvsub x (bvand x (bvsub x #x0001))))
(synth-fun f ((x Word)) Word ((S Word)) ((S Word (x #x0001 (bvneg S) (bvnot S) (bvand S S) (bvsub S S)))))
(declare-var x (_ BitVec 16))
(constraint (= (f x) (reference x)))
(check-synth)
