; The equations and their constants come from examples, not from the file.
; expect: (define-fun inv ((x Int) (y Int) (z Int)) Bool (and
(set-logic LIA)
(synth-fun inv ((x Int) (y Int) (z Int)) Bool)
(define-fun pre ((x Int) (y Int) (z Int)) Bool (and (= x 0) (= y 11) (= z 40)))
(define-fun trans ((x Int) (y Int) (z Int) (x! Int) (y! Int) (z! Int)) Bool
  (and (= x! (+ x 1)) (= y! (+ y 2)) (= z! (- z 3))))
(define-fun post ((x Int) (y Int) (z Int)) Bool (=> (= x 100) (and (= y 211) (= z (- 260)))))
(inv-constraint inv pre trans post)
(check-synth)
