; expect: a parenthesis that is never closed
(set-logic LIA)
(synth-fun f ((x Int)) Int
