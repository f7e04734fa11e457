; Choices weigh nothing, so terms of weight 0 may be as large as one likes: that all were refuted cannot be said.
; expect: ; stopped by: the weights bounded by 0 come to 1 in the solution found
; expect: fail
(set-logic LIA)
(synth-fun f ((x Int)) Int
  ((I Int) (B Bool)) ((I Int (x 0 1 (! (+ I I) :weight 1) (ite B I I))) (B Bool ((<= I I)))))
(declare-var x Int)
(constraint (= (f x) (+ x x)))
(constraint (< (_ weight f) 1))
(check-synth)
