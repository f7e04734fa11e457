; Programs of recurrent networks: one scan over the sequence with named state.
;
; Inputs are x, or x0, x1, ... where an element has several numbers. Within a scan `s` is the state before an element
; and, in outputs, `s'` the state after it:
;
;   (scan ((s 0 (% (+ s x) 15))) (ite (< s' x) 1 0))

(include "integers")

(form scan :cost 2)
(form table :cost 3)

; The greatest integer whose square is at most a. Seldom what is meant, so it costs much.
(define-fun isqrt ((a Int)) Int (isqrt a) :when (>= a 0) :cost 6)

(rewrite isqrt-square (isqrt (* a a)) (abs a))
