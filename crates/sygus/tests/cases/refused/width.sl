; expect: not a sort that is supported
(set-logic BV)
(synth-fun f ((x (_ BitVec 65))) Bool)
(check-synth)
