; RASP (Weiss, Goldberg, Yahav 2021): programs of transformers.
;
; Inputs are `tokens` and `indices`. A selector is a set of positions for every position: (select KEY QUERY PREDICATE)
; selects the positions whose key stands in the relation PREDICATE(key, query) to this position's query; in causal
; networks only positions up to this one. The beginning-of-sequence token is no position.
;
;   (selector_width (select tokens tokens =))                    how often this token occurs
;   (aggregate (select indices (- indices 1) =) tokens)          the token before, none at the first position
;   (mean (select indices indices <=) (= tokens "x"))            the share of x so far

(include "integers")
(include "elementary")

(form select :cost 2)
(form lambda :cost 2)
(form table :cost 3)

(constants Real 0.0 1.0 :cost 1)

(define-fun > ((a 'N) (b 'N)) Bool (> a b) :cost 1)
(define-fun >= ((a 'N) (b 'N)) Bool (>= a b) :cost 1)
(define-fun to_real ((a Int)) Real (to_real a) :cost 1)
(define-fun / ((a Real) (b Real)) Real (/ a b) :when (distinct b 0.0) :cost 2)

; The number of positions selected.
(define-fun selector_width ((s Selector)) Int (width s) :cost 2)
; The value at the positions selected, if it is the same at all of them (reals: their mean); none for an empty
; selection.
(define-fun aggregate ((s Selector) (v 'A)) 'A (copy s v) :cost 2)
; The mean over the positions selected, truth values counting as 0 and 1; 0 for an empty selection.
(define-fun mean ((s Selector) (v 'M)) Real (mean s v) :cost 2)
(define-fun sel_and ((s Selector) (t Selector)) Selector (sel_and s t)
  :cost 2 :commutative :associative :idempotent)
(define-fun sel_or ((s Selector) (t Selector)) Selector (sel_or s t)
  :cost 2 :commutative :associative :idempotent)
(define-fun sel_not ((s Selector)) Selector (sel_not s) :cost 2 :involution)
; a if it has a value, else b.
(define-fun default ((a 'A) (b 'A)) 'A (ite (defined a) a b) :cost 2)

; comparison
(birewrite gt-lt (> a b) (< b a))
(birewrite ge-le (>= a b) (<= b a))

; selectors
(rewrite sel-and-absorb (sel_and s (sel_or s t)) s)
(rewrite sel-or-absorb (sel_or s (sel_and s t)) s)
(birewrite sel-not-and (sel_not (sel_and s t)) (sel_or (sel_not s) (sel_not t)))
(birewrite sel-not-or (sel_not (sel_or s t)) (sel_and (sel_not s) (sel_not t)))
(birewrite sel-swap-lt (select k q <) (select k q (lambda (a b) (> b a))))
(birewrite sel-eq (select k q =) (select k q (lambda (a b) (= a b))))
(birewrite sel-and-eq-lt (select k q <=) (sel_or (select k q <) (select k q =)))
(rewrite sel-none (select k q (lambda (a b) false)) (select 0 1 =))
(rewrite sel-all (select k q (lambda (a b) true)) (select 0 0 =))

; widths
(rewrite width-none (selector_width (select 0 1 =)) 0)
(rewrite width-not
  (selector_width (sel_not s))
  (- (selector_width (select 0 0 =)) (selector_width s)))
(birewrite width-or
  (selector_width (sel_or s t))
  (- (+ (selector_width s) (selector_width t)) (selector_width (sel_and s t))))
(birewrite width-lt-le
  (selector_width (select k q <=))
  (+ (selector_width (select k q <)) (selector_width (select k q =))))
(rewrite width-nonnegative (<= 0 (selector_width s)) true)

; values that are the same everywhere
(rewrite mean-none (mean (select 0 1 =) v) 0.0)

; defaults
(rewrite default-defined (default a b) a :when (defined a))
(rewrite default-same (default a a) a)
