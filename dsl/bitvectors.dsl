; Bit-vectors: SMT-LIB's functions, at every width from 1 to 64.
;
; All of them are total: a quotient by 0 is all ones, a remainder by 0 the dividend, a shift by the width or more leaves
; zeros or copies of the sign. So nothing is undefined in a language with bit-vectors, and no operator that may be can be
; added to it. Rules over 'BV are verified at the widths 1, 4, 8, 32 and 64.

(include "booleans")

; bit by bit
(define-fun bvnot ((a 'BV)) 'BV (bvnot a) :cost 1 :involution)
(define-fun bvand ((a 'BV) (b 'BV)) 'BV (bvand a b) :cost 1 :commutative :associative :idempotent)
(define-fun bvor ((a 'BV) (b 'BV)) 'BV (bvor a b) :cost 1 :commutative :associative :idempotent)
(define-fun bvxor ((a 'BV) (b 'BV)) 'BV (bvxor a b) :cost 1 :commutative :associative)
(define-fun bvnand ((a 'BV) (b 'BV)) 'BV (bvnand a b) :cost 2 :commutative)
(define-fun bvnor ((a 'BV) (b 'BV)) 'BV (bvnor a b) :cost 2 :commutative)
(define-fun bvxnor ((a 'BV) (b 'BV)) 'BV (bvxnor a b) :cost 2 :commutative :associative)

; arithmetic
(define-fun bvneg ((a 'BV)) 'BV (bvneg a) :cost 1 :involution)
(define-fun bvadd ((a 'BV) (b 'BV)) 'BV (bvadd a b) :cost 1 :commutative :associative)
(define-fun bvsub ((a 'BV) (b 'BV)) 'BV (bvsub a b) :cost 1)
(define-fun bvmul ((a 'BV) (b 'BV)) 'BV (bvmul a b) :cost 2 :commutative :associative)
(define-fun bvudiv ((a 'BV) (b 'BV)) 'BV (bvudiv a b) :cost 2)
(define-fun bvurem ((a 'BV) (b 'BV)) 'BV (bvurem a b) :cost 2)
(define-fun bvsdiv ((a 'BV) (b 'BV)) 'BV (bvsdiv a b) :cost 3)
(define-fun bvsrem ((a 'BV) (b 'BV)) 'BV (bvsrem a b) :cost 3)
(define-fun bvsmod ((a 'BV) (b 'BV)) 'BV (bvsmod a b) :cost 3)

; shifts
(define-fun bvshl ((a 'BV) (b 'BV)) 'BV (bvshl a b) :cost 1)
(define-fun bvlshr ((a 'BV) (b 'BV)) 'BV (bvlshr a b) :cost 1)
(define-fun bvashr ((a 'BV) (b 'BV)) 'BV (bvashr a b) :cost 1)

; comparison
(define-fun bvult ((a 'BV) (b 'BV)) Bool (bvult a b) :cost 1)
(define-fun bvule ((a 'BV) (b 'BV)) Bool (bvule a b) :cost 1)
(define-fun bvugt ((a 'BV) (b 'BV)) Bool (bvugt a b) :cost 1)
(define-fun bvuge ((a 'BV) (b 'BV)) Bool (bvuge a b) :cost 1)
(define-fun bvslt ((a 'BV) (b 'BV)) Bool (bvslt a b) :cost 1)
(define-fun bvsle ((a 'BV) (b 'BV)) Bool (bvsle a b) :cost 1)
(define-fun bvsgt ((a 'BV) (b 'BV)) Bool (bvsgt a b) :cost 1)
(define-fun bvsge ((a 'BV) (b 'BV)) Bool (bvsge a b) :cost 1)

; and, or, not
(birewrite bvnand-not (bvnand a b) (bvnot (bvand a b)))
(birewrite bvnor-not (bvnor a b) (bvnot (bvor a b)))
(birewrite bvxnor-not (bvxnor a b) (bvnot (bvxor a b)))
(birewrite bv-de-morgan-and (bvnot (bvand a b)) (bvor (bvnot a) (bvnot b)))
(birewrite bv-de-morgan-or (bvnot (bvor a b)) (bvand (bvnot a) (bvnot b)))
(rewrite bvand-absorb (bvand a (bvor a b)) a)
(rewrite bvor-absorb (bvor a (bvand a b)) a)
(birewrite bvand-over-or (bvand a (bvor b c)) (bvor (bvand a b) (bvand a c)))
(birewrite bvor-over-and (bvor a (bvand b c)) (bvand (bvor a b) (bvor a c)))
(rewrite bvand-not-or (bvand a (bvor (bvnot a) b)) (bvand a b))
(rewrite bvor-not-and (bvor a (bvand (bvnot a) b)) (bvor a b))
(rewrite bv-adjacent (bvor (bvand a b) (bvand a (bvnot b))) a)

; xor
(rewrite bvxor-cancel (bvxor a (bvxor a b)) b)
(birewrite bvxor-not (bvxor (bvnot a) b) (bvnot (bvxor a b)))
(birewrite bvand-over-xor (bvand a (bvxor b c)) (bvxor (bvand a b) (bvand a c)))
(birewrite bvxor-or-and (bvand (bvor a b) (bvnot (bvand a b))) (bvxor a b))
(birewrite bvor-as-xor (bvxor (bvxor a b) (bvand a b)) (bvor a b))
(rewrite bvxor-select (bvxor a (bvand (bvxor a b) c)) (bvor (bvand a (bvnot c)) (bvand b c)))

; sums
(birewrite bvsub-neg (bvsub a b) (bvadd a (bvneg b)))
(birewrite bvneg-sub (bvneg (bvsub a b)) (bvsub b a))
(birewrite bvneg-add (bvneg (bvadd a b)) (bvsub (bvneg a) b))
(birewrite bvadd-sub (bvadd a (bvsub b c)) (bvsub (bvadd a b) c))
(birewrite bvsub-add (bvsub a (bvadd b c)) (bvsub (bvsub a b) c))
(rewrite bvadd-cancel (bvsub (bvadd a b) b) a)
(rewrite bvsub-cancel (bvadd (bvsub a b) b) a)
(birewrite bvnot-add (bvnot (bvadd a b)) (bvsub (bvnot a) b))
(birewrite bvnot-sub (bvnot (bvsub a b)) (bvadd (bvnot a) b))
(birewrite bvadd-and-or (bvadd (bvand a b) (bvor a b)) (bvadd a b))
(birewrite bvsub-or-and (bvsub (bvor a b) (bvand a b)) (bvxor a b))
(birewrite bvsub-or (bvsub (bvor a b) b) (bvand a (bvnot b)))
(birewrite bvsub-and (bvsub a (bvand a b)) (bvand a (bvnot b)))
(birewrite bvadd-not-and (bvadd (bvand a (bvnot b)) b) (bvor a b))
(rewrite bvadd-xor-and (bvadd (bvxor a b) (bvand a b)) (bvor a b))

; products
(birewrite bvmul-neg (bvmul a (bvneg b)) (bvneg (bvmul a b)))
(birewrite bvdistribute (bvmul a (bvadd b c)) (bvadd (bvmul a b) (bvmul a c)))

; comparison
(birewrite bvugt-ult (bvugt a b) (bvult b a))
(birewrite bvuge-ule (bvuge a b) (bvule b a))
(birewrite bvsgt-slt (bvsgt a b) (bvslt b a))
(birewrite bvsge-sle (bvsge a b) (bvsle b a))
(birewrite not-bvult (not (bvult a b)) (bvule b a))
(birewrite not-bvslt (not (bvslt a b)) (bvsle b a))
(rewrite bvult-self (bvult a a) false)
(rewrite bvule-self (bvule a a) true)
(rewrite bvslt-self (bvslt a a) false)
(rewrite bvsle-self (bvsle a a) true)
(rewrite bvule-and (bvule (bvand a b) a) true)
(rewrite bvule-or (bvule a (bvor a b)) true)
(birewrite bvult-not (bvult (bvnot a) (bvnot b)) (bvult b a))
(birewrite bvslt-not (bvslt (bvnot a) (bvnot b)) (bvslt b a))
(rewrite bvule-both (and (bvule a b) (bvule b a)) (= a b))
(rewrite bvsle-both (and (bvsle a b) (bvsle b a)) (= a b))
(rewrite bvult-or-eq (or (bvult a b) (= a b)) (bvule a b))
(rewrite bvslt-or-eq (or (bvslt a b) (= a b)) (bvsle a b))

; equality
(rewrite bveq-not (= (bvnot a) (bvnot b)) (= a b))
(rewrite bveq-neg (= (bvneg a) (bvneg b)) (= a b))
(rewrite bveq-add (= (bvadd a c) (bvadd b c)) (= a b))
(rewrite bveq-sub (= (bvsub a c) (bvsub b c)) (= a b))
(rewrite bveq-xor (= (bvxor a c) (bvxor b c)) (= a b))

; choice
(birewrite ite-bvnot (ite c (bvnot a) (bvnot b)) (bvnot (ite c a b)))
(birewrite ite-bvneg (ite c (bvneg a) (bvneg b)) (bvneg (ite c a b)))
(birewrite ite-bvand (ite c (bvand a d) (bvand b d)) (bvand (ite c a b) d))
(birewrite ite-bvor (ite c (bvor a d) (bvor b d)) (bvor (ite c a b) d))
(birewrite ite-bvxor (ite c (bvxor a d) (bvxor b d)) (bvxor (ite c a b) d))
(birewrite ite-bvadd (ite c (bvadd a d) (bvadd b d)) (bvadd (ite c a b) d))
