; Traffic lights: a finite sort of one's own, with operators given as tables.

(declare-datatype Light ((red) (green) (yellow)))

(constants Light red green yellow :cost 1)

(variables :cost 1)

(form scan :cost 2)

(define-table next (Light) Light ((red) green) ((green) yellow) ((yellow) red) :cost 1 :total)
(define-table may_drive (Light) Bool ((red) false) ((green) true) ((yellow) false) :cost 1 :total)
; What the other road shows while this one changes: nothing is known while this one is yellow.
(define-table opposite (Light) Light ((red) green) ((green) red) :cost 1)
(define-fun choose ((c Bool) (a Light) (b Light)) Light (ite c a b) :cost 2)
(define-fun same ((a Light) (b Light)) Bool (= a b) :cost 1 :commutative)
(define-fun positive ((a Int)) Bool (> a 0) :cost 1)

; Three steps are a round, and the other road's other road is this one where it is known.
(rewrite (next (next (next l))) l)
(rewrite (opposite (opposite l)) l :when (defined (opposite l)))

(check (same (next red) green) (may_drive (next red)))
(fail (may_drive yellow) (defined (opposite yellow)))

; One decision for each light, taken on the input.
(grammar controller
  (Start Light ((Variable Light) (Constant Light) (next Start) (choose Guard Start Start)))
  (Guard Bool ((may_drive Start) (same Start (Constant Light))))
  :at-most ((choose 1)) :no-nesting ((may_drive choose)))
