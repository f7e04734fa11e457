; expect: (_ extract 8 0) does not take these arguments
(set-logic BV)
(synth-fun f ((x (_ BitVec 8))) (_ BitVec 8))
(declare-var x (_ BitVec 8))
(constraint (= ((_ extract 8 0) x) (f x)))
(check-synth)
