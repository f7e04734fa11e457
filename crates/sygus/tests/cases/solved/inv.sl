; An invariant: one function applied at two points at once.
; expect: ; inv: proved for all inputs; 7 nodes
(set-logic LIA)
(synth-fun inv ((x Int) (y Int)) Bool)
(define-fun pre ((x Int) (y Int)) Bool (and (= x 1) (= y 1)))
(define-fun trans ((x Int) (y Int) (x1 Int) (y1 Int)) Bool (and (= x1 (+ x y)) (= y1 (+ x y))))
(define-fun post ((x Int) (y Int)) Bool (>= y 1))
(inv-constraint inv pre trans post)
(check-synth)
