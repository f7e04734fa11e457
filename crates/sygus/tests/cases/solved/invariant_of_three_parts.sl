; No single term of a few nodes will do: the last maximum is below the bound, and neither greater than the counter nor negative.
; expect: (define-fun inv ((x Int) (n Int) (m Int)) Bool (and
(set-logic LIA)
(synth-fun inv ((x Int) (n Int) (m Int)) Bool)
(define-fun pre ((x Int) (n Int) (m Int)) Bool (and (= x 0) (= m 0)))
(define-fun trans ((x Int) (n Int) (m Int) (x! Int) (n! Int) (m! Int)) Bool
  (and (< x n) (= x! (+ x 1)) (= n! n) (or (= m! m) (= m! x))))
(define-fun post ((x Int) (n Int) (m Int)) Bool (=> (and (>= x n) (> n 0)) (and (> n m) (<= 0 m))))
(inv-constraint inv pre trans post)
(check-synth)
