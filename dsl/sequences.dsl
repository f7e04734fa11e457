; Programs over causal token sequences: what trained causal transformers are described by.
;
; Inputs are `tokens` and `indices` (from 0; special tokens are tokens like any other). At every position a program sees
; the tokens up to this one. Operators over a truth value speak of the positions up to this one at which it holds:
;
;   (count (= tokens "a"))                                       how many there are so far
;   (latch (= tokens "1") (odd_run (= tokens "1")))              what held at the last 1
;   (at tokens (- indices (last_index (= tokens "<sep>"))))      the token as far from the start as this is from <sep>
;
; The output is the next token, or the JSON list of the tokens that may come next, which `also` builds.

(include "integers")
(without * neg abs min max // xor)
(causal)

; State along the sequence is a matter of the operators below: programs hold no scan of their own, in which they could not
; stand.
(form select :cost 2)
(form lambda :cost 2)
(form table :cost 3)

(constants Int 3 4 :cost 1)
(constants Real 0.0 1.0 :cost 1)

; texts
(define-fun number ((a Symbol)) Int (number a) :cost 1)
(define-fun numeral ((a Int)) Symbol (numeral a) :cost 1)
; The token after this one where tokens are numbers.
(define-fun successor ((a Symbol)) Symbol (numeral (+ (number a) 1)) :cost 1)
; The list, with a token at its end where the condition holds.
(define-fun also ((l Symbol) (a Symbol) (c Bool)) Symbol (ite c (append l a) l) :cost 1)

; how often, and whether
(define-fun count ((p Bool)) Int (width (select p true =)) :cost 1)
(define-fun exists ((p Bool)) Bool (< 0 (count p)) :cost 1)
; Only earlier positions, whose distance from this one is a multiple of k.
(define-fun count_every ((p Bool) (k Int)) Int
  (let ((i (width (select 0 0 =))) (r (mod i k)))
    (width (sel_and (select p true =) (sel_and (select i i <) (select r r =)))))
  :when (> k 0) :cost 1 :charge ((k 4)))
; The share of the positions at which it holds; the beginning-of-sequence token is a position.
(define-fun share ((p Bool)) Real (mean (select 0 0 =) p) :cost 1)

; what went before
(define-fun previous ((a 'A)) 'A (scan ((s none a)) s) :cost 1)
(define-fun latch ((p Bool) (q Bool)) Bool (scan ((s false (ite p q s))) s') :cost 1)
(define-fun recent ((p Bool) (a Symbol)) Symbol (scan ((s none (ite p a s))) s') :cost 1)
(define-fun last_index ((p Bool)) Int (greatest (select p true =) (- (width (select 0 0 =)) 1))
  :cost 1)
; Dearer than a count: a chain of parities is a long word for a remainder.
(define-fun odd_count ((p Bool)) Bool (scan ((s false (xor s p))) s') :cost 2)
(define-fun run ((p Bool)) Int (scan ((s 0 (ite p (+ s 1) 0))) s') :cost 1)
(define-fun odd_run ((p Bool)) Bool (scan ((s false (and p (not s)))) s') :cost 1)

; by position and by value
(define-fun at ((a Symbol) (k Int)) Symbol (copy (select (- (width (select 0 0 =)) 1) k =) a)
  :cost 1)
; What came after the earlier occurrences of this token, if it is always the same (induction).
(define-fun after ((a Symbol)) Symbol (copy (select (previous a) a =) a) :cost 1)
; What came after the earlier positions at which both stood as they stand here.
(define-fun after_both ((a Symbol) (b Symbol)) Symbol
  (copy (sel_and (select (previous a) a =) (select (previous b) b =)) a)
  :cost 1)
; What came before the earlier occurrences of this token.
(define-fun before ((a Symbol)) Symbol
  (let ((i (width (select 0 0 =)))) (copy (sel_and (select a a =) (select i i <)) (previous a)))
  :cost 1)
(define-fun smallest ((a 'N)) 'N (least (select 0 0 =) a) :cost 1)
(define-fun largest ((a 'N)) 'N (greatest (select 0 0 =) a) :cost 1)
(define-fun next_greater ((a 'N)) 'N (least (select a a >) a) :cost 1)
(define-fun next_smaller ((a 'N)) 'N (greatest (select a a <) a) :cost 1)
; The most frequent token among the positions at which it holds.
(define-fun most_frequent ((p Bool) (a Symbol)) Symbol (mode (select p true =) a) :cost 1)

; rules
(rewrite count-nonnegative (<= 0 (count p)) true)
(rewrite count-none (count false) 0)
(rewrite exists-none (exists false) false)
(birewrite exists-count (exists p) (< 0 (count p)))
(birewrite not-exists (not (exists p)) (= (count p) 0))
(rewrite latch-always (latch true q) q :when (defined q))
(rewrite latch-never (latch false q) false)
(rewrite run-never (run false) 0)
(rewrite number-numeral (number (numeral a)) a :when ((<= 0 a) (< a 1000000)))
(rewrite largest-idempotent (largest (largest a)) (largest a))
(rewrite smallest-idempotent (smallest (smallest a)) (smallest a))
(check (= (number "12") 12) (= (numeral 3) "3") (= (also "#json:[]" "a" true) "#json:[\"a\"]"))
(fail (defined (number "a")) (defined (number "01")))
