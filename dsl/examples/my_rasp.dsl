; A RASP dialect of one's own, built on the kernel alone: nothing of rasp.dsl is included.
;
; Inputs are `tokens` and `indices`. Instead of selectors the dialect has whole steps of attention, so that a search meets
; values only: what stands at a position, how often it occurs, how many positions there are.

(form let :cost 1)

(constants Int 0 1 :cost 1)

(variables :cost 1)

(define-fun plus ((a Int) (b Int)) Int (+ a b) :cost 1 :commutative :associative :unit 0)
(define-fun minus ((a Int) (b Int)) Int (- a b) :cost 1)
(define-fun equal ((a 'A) (b 'A)) Bool (= a b) :cost 1 :commutative)
(define-fun less ((a Int) (b Int)) Bool (< a b) :cost 1)
(define-fun if ((c Bool) (a 'A) (b 'A)) 'A (ite c a b) :cost 2)

; The value of v at position i, none where there is no such position.
(define-fun at ((v 'A) (place Int) (i Int)) 'A (copy (select place i =) v) :cost 3)
; How many positions hold the value that v has here.
(define-fun count ((v 'A)) Int (width (select v v =)) :cost 3)
; How many positions there are.
(define-fun length () Int (width (select 0 0 =)) :cost 2)

(rewrite (plus (minus a b) b) a :when (defined b))
(rewrite (if (equal a b) a b) b :when (defined a))
(rewrite (if c a a) a :when (defined c))

(check (= (plus 1 1) 2) (less 0 1))
(fail (less 1 0))

; Where to look, from here (indices) and from how many positions there are (n).
(grammar target
  (Place Int (indices n (Constant Int) (plus Place Place) (minus Place Place)))
  :must-use (indices) :at-most ((minus 2) (n 1)))

; Programs that look around twice at most, and never for a decision.
(grammar glance
  (Start Symbol (tokens (at tokens indices Place) (if Guard Start Start)))
  (Place Int (indices (Constant Int) (length) (plus Place Place) (minus Place Place)))
  (Guard Bool ((equal Start Start) (less Place Place)))
  :at-most ((at 2)) :no-nesting ((if at)))
