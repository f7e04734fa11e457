; Numbers: linear arithmetic, comparison, least and greatest, quotient and remainder.
;
; Numbers are integers of 64 bits; what leaves them is undefined, which the rules pass over: they hold for the integers.
; Operators over 'N take reals as well.

(include "booleans")

(constants Int 0 1 2 :cost 1 :from-samples)

(define-fun + ((a 'N) (b 'N)) 'N (+ a b) :cost 1 :commutative :associative :unit 0)
(define-fun - ((a 'N) (b 'N)) 'N (- a b) :cost 1)
(define-fun * ((a 'N) (b 'N)) 'N (* a b) :cost 2 :commutative :associative :unit 1 :zero 0)
(define-fun neg ((a 'N)) 'N (- a) :cost 1 :involution)
(define-fun abs ((a 'N)) 'N (abs a) :cost 2)
(define-fun min ((a 'N) (b 'N)) 'N (min a b) :cost 1 :commutative :associative :idempotent)
(define-fun max ((a 'N) (b 'N)) 'N (max a b) :cost 1 :commutative :associative :idempotent)
(define-fun < ((a 'N) (b 'N)) Bool (< a b) :cost 1)
(define-fun <= ((a 'N) (b 'N)) Bool (<= a b) :cost 1)

; Quotient and remainder, for positive divisors only, where the conventions of all languages agree for a >= 0 and
; Python's for every a. A divisor that is no constant makes many coincidences and is charged.
(define-fun // ((a Int) (b Int)) Int (div a b) :when (> b 0) :cost 2 :charge ((b 4)))
(define-fun % ((a Int) (b Int)) Int (mod a b) :when (> b 0) :cost 2 :charge ((b 4)))

; addition and subtraction
(rewrite sub-zero (- a 0) a)
(rewrite sub-self (- a a) 0 :when (defined a))
(rewrite zero-sub (- 0 a) (neg a))
(rewrite add-neg (+ a (neg b)) (- a b))
(rewrite sub-neg (- a (neg b)) (+ a b))
(birewrite neg-sub (neg (- a b)) (- b a))
(birewrite neg-add (neg (+ a b)) (- (neg a) b))
(birewrite add-sub (+ a (- b c)) (- (+ a b) c))
(birewrite sub-add (- a (+ b c)) (- (- a b) c))
(birewrite sub-sub (- a (- b c)) (+ (- a b) c))
(rewrite add-cancel (- (+ a b) b) a :when (defined b))
(rewrite sub-cancel (+ (- a b) b) a :when (defined b))

; products
(birewrite double (+ a a) (* a 2))
(rewrite times-minus-one (* a -1) (neg a))
(birewrite mul-neg (* a (neg b)) (neg (* a b)))
(birewrite distribute (* a (+ b c)) (+ (* a b) (* a c)))
(birewrite distribute-sub (* a (- b c)) (- (* a b) (* a c)))
(rewrite factor-one (+ a (* a b)) (* a (+ b 1)))

; comparison
(rewrite lt-self (< a a) false :when (defined a))
(rewrite le-self (<= a a) true :when (defined a))
(birewrite not-lt (not (< a b)) (<= b a))
(birewrite lt-integers (< a b) (<= (+ a 1) b))
(birewrite lt-shift (< (+ a c) b) (< a (- b c)))
(birewrite le-shift (<= (+ a c) b) (<= a (- b c)))
(birewrite eq-shift (= (+ a c) b) (= a (- b c)))
(rewrite lt-cancel (< (+ a c) (+ b c)) (< a b) :when (defined c))
(rewrite le-cancel (<= (+ a c) (+ b c)) (<= a b) :when (defined c))
(rewrite eq-cancel (= (+ a c) (+ b c)) (= a b) :when (defined c))
(rewrite le-both (and (<= a b) (<= b a)) (= a b))
(rewrite lt-or-eq (or (< a b) (= a b)) (<= a b))
(rewrite le-and-ne (and (<= a b) (!= a b)) (< a b))

; least and greatest
(birewrite ite-min (ite (< a b) a b) (min a b))
(birewrite ite-max (ite (< a b) b a) (max a b))
(rewrite ite-le-min (ite (<= a b) a b) (min a b))
(rewrite ite-le-max (ite (<= a b) b a) (max a b))
(rewrite min-absorb (min a (max a b)) a :when (defined b))
(rewrite max-absorb (max a (min a b)) a :when (defined b))
(birewrite min-add (+ (min a b) c) (min (+ a c) (+ b c)))
(birewrite max-add (+ (max a b) c) (max (+ a c) (+ b c)))
(rewrite min-plus-max (+ (min a b) (max a b)) (+ a b))
(birewrite neg-min (neg (min a b)) (max (neg a) (neg b)))
(birewrite max-minus-min (- (max a b) (min a b)) (abs (- a b)))
(rewrite abs-neg (abs (neg a)) (abs a))
(rewrite abs-abs (abs (abs a)) (abs a))
(rewrite abs-max (max a (neg a)) (abs a))
(rewrite abs-sub (abs (- a b)) (abs (- b a)))
(rewrite min-le (<= (min a b) a) true :when ((defined a) (defined b)))
(rewrite max-ge (<= a (max a b)) true :when ((defined a) (defined b)))

; choice
(rewrite ite-add (ite c (+ a d) (+ b d)) (+ (ite c a b) d))
(rewrite ite-sub (ite c (- a d) (- b d)) (- (ite c a b) d))
(birewrite ite-add-if (ite c (+ a b) a) (+ a (ite c b 0)) :when (defined b))
(rewrite ite-lt (< (ite c 1 0) 1) (not c))
(rewrite ite-positive (< 0 (ite c 1 0)) c)
(rewrite ite-is-one (= (ite c 1 0) 1) c)
(rewrite ite-is-zero (= (ite c 1 0) 0) (not c))
(rewrite ite-product
  (* (ite c 1 0) (ite d 1 0))
  (ite (and c d) 1 0)
  :when ((defined c) (defined d)))

; quotient and remainder
(rewrite mod-one (% a 1) 0 :when (defined a))
(rewrite div-one (// a 1) a)
(rewrite mod-mod (% (% a b) b) (% a b))
(rewrite mod-add-left (% (+ (% a b) c) b) (% (+ a c) b))
(rewrite mod-sub-left (% (- (% a b) c) b) (% (- a c) b))
(rewrite mod-sub-right (% (- c (% a b)) b) (% (- c a) b))
(rewrite mod-mul (% (* (% a b) c) b) (% (* a c) b))
(rewrite mod-add-self (% (+ a b) b) (% a b))
(rewrite mod-sub-self (% (- a b) b) (% a b))
(rewrite div-of-mod (// (% a b) b) 0 :when ((defined a) (< 0 b)))
(rewrite div-mod (+ (* b (// a b)) (% a b)) a :when (< 0 b))
(rewrite mod-of-small (% a b) a :when ((<= 0 a) (< a b)))
(rewrite div-of-small (// a b) 0 :when ((<= 0 a) (< a b)))
(rewrite div-div (// (// a b) c) (// a (* b c)) :when ((< 0 b) (< 0 c)))
(rewrite mod-nonnegative (<= 0 (% a b)) true :when ((defined a) (< 0 b)))
(rewrite mod-below (< (% a b) b) true :when ((defined a) (< 0 b)))
(rewrite parity-sum (% (+ (% a 2) (% b 2)) 2) (% (+ a b) 2))
