; The grammar has atoms first in a conjunction, and constants of its own.
; expect: (define-fun inv ((x Int) (n Int) (m Int)) Bool (and
(set-logic LIA)
(synth-fun inv ((x Int) (n Int) (m Int)) Bool
  ((Start Bool) (Atom Bool) (Sum Int))
  ((Start Bool (Atom (and Atom Start)))
   (Atom Bool ((<= Sum Sum) (= Sum Sum)))
   (Sum Int (x n m (Constant Int) (+ Sum Sum)))))
(define-fun pre ((x Int) (n Int) (m Int)) Bool (and (= x 0) (= n 9) (= m 0)))
(define-fun trans ((x Int) (n Int) (m Int) (x! Int) (n! Int) (m! Int)) Bool
  (and (< x n) (= x! (+ x 1)) (= n! n) (or (= m! m) (= m! x))))
(define-fun post ((x Int) (n Int) (m Int)) Bool (=> (>= x n) (and (<= m 9) (<= 0 m) (= n 9))))
(inv-constraint inv pre trans post)
(check-synth)
