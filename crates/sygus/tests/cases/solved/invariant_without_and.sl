; A conjunction that has a disjunction, in a grammar that has `or` and `not`: the form is De Morgan's.
; expect: (define-fun inv ((x Int) (y Int)) Bool (not (or
(set-logic LIA)
(synth-fun inv ((x Int) (y Int)) Bool
  ((B Bool) (E Int)) ((B Bool ((or B B) (not B) (<= E E) (= E E))) (E Int (x y 0 1 50 100 (+ E E) (- E E)))))
(define-fun pre ((x Int) (y Int)) Bool (and (= x 0) (= y 50)))
(define-fun trans ((x Int) (y Int) (x! Int) (y! Int)) Bool
  (and (< x 100) (= x! (+ x 1)) (= y! (ite (>= x 50) (+ y 1) y))))
(define-fun post ((x Int) (y Int)) Bool (=> (>= x 100) (= y 100)))
(inv-constraint inv pre trans post)
(check-synth)
