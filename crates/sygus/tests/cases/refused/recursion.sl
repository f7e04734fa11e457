; expect: g is unknown
(set-logic LIA)
(define-fun g ((x Int)) Int (g x))
(synth-fun f ((x Int)) Int)
(check-synth)
