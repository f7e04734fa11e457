; expect: the first nonterminal has not the function
(set-logic LIA)
(synth-fun f ((x Int)) Int ((B Bool)) ((B Bool (true))))
(check-synth)
