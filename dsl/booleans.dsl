; Truth values, equality and choice.
;
; A rule holds for every value of its variables, undefined included: `and` and `or` have a value as soon as one side
; decides, every other operator needs all its arguments, `ite` only the branch that it takes.

(form let :cost 1)

(variables :cost 1)

(constants Bool false true :cost 1)

(define-fun not ((a Bool)) Bool (not a) :cost 1 :involution)
(define-fun and ((a Bool) (b Bool)) Bool (and a b)
  :cost 1 :commutative :associative :idempotent :unit true)
(define-fun or ((a Bool) (b Bool)) Bool (or a b)
  :cost 1 :commutative :associative :idempotent :unit false)
(define-fun xor ((a Bool) (b Bool)) Bool (xor a b) :cost 2 :commutative :associative :unit false)
(define-fun = ((a 'A) (b 'A)) Bool (= a b) :cost 1 :commutative)
(define-fun != ((a 'A) (b 'A)) Bool (distinct a b) :cost 1 :commutative)
(define-fun ite ((c Bool) (a 'A) (b 'A)) 'A (ite c a b) :cost 2)

; not, and, or
(rewrite not-true (not true) false)
(rewrite not-false (not false) true)
(rewrite and-false (and a false) false)
(rewrite or-true (or a true) true)
(rewrite and-absorb (and a (or a b)) a)
(rewrite or-absorb (or a (and a b)) a)
(rewrite and-not (and a (not a)) false :when (defined a))
(rewrite or-not (or a (not a)) true :when (defined a))
(birewrite de-morgan-and (not (and a b)) (or (not a) (not b)))
(birewrite de-morgan-or (not (or a b)) (and (not a) (not b)))
(rewrite and-over-or (and (or a b) (or a c)) (or a (and b c)))
(rewrite or-over-and (or (and a b) (and a c)) (and a (or b c)))

; xor and equality
(rewrite xor-true (xor a true) (not a))
(rewrite xor-self (xor a a) false :when (defined a))
(birewrite xor-not (xor (not a) b) (not (xor a b)))
(birewrite xor-unequal (xor a b) (!= a b))
(rewrite eq-self (= a a) true :when (defined a))
(rewrite ne-self (!= a a) false :when (defined a))
(rewrite eq-true (= a true) a)
(rewrite eq-false (= a false) (not a))
(birewrite not-eq (not (= a b)) (!= a b))
(birewrite eq-not (= (not a) b) (!= a b))

; choice
(rewrite ite-true (ite true a b) a)
(rewrite ite-false (ite false a b) b)
(rewrite ite-same (ite c a a) a :when (defined c))
(birewrite ite-not (ite (not c) a b) (ite c b a))
(rewrite ite-truth (ite c true false) c)
(rewrite ite-untruth (ite c false true) (not c))
(rewrite ite-nested-then (ite c (ite c a b) d) (ite c a d))
(rewrite ite-nested-else (ite c a (ite c b d)) (ite c a d))
(rewrite ite-and (ite c (ite d a b) b) (ite (and c d) a b) :when ((defined c) (defined d)))
(rewrite ite-or (ite c a (ite d a b)) (ite (or c d) a b) :when ((defined c) (defined d)))
(rewrite ite-eq (ite (= a b) a b) b :when (defined a))
(rewrite ite-ne (ite (!= a b) a b) a :when (defined b))
(birewrite ite-xor (ite c (not a) a) (xor c a))
