; A byte-wide status register: bit-vectors without SMT-LIB's names, as a driver's author would think of them.

(constants (_ BitVec 8) #x01 #x0f #x80 :cost 1)

(variables :cost 1)

(define-fun keep ((r (_ BitVec 8)) (mask (_ BitVec 8))) (_ BitVec 8) (bvand r mask)
  :cost 1 :commutative :associative :idempotent)
(define-fun join ((r (_ BitVec 8)) (s (_ BitVec 8))) (_ BitVec 8) (bvor r s)
  :cost 1 :commutative :associative :idempotent)
(define-fun flip ((r (_ BitVec 8))) (_ BitVec 8) (bvnot r) :cost 1 :involution)
(define-fun less_one ((r (_ BitVec 8))) (_ BitVec 8) (bvsub r #x01) :cost 1)
; Clears in r what is set in mask.
(define-fun clear ((r (_ BitVec 8)) (mask (_ BitVec 8))) (_ BitVec 8) (bvand r (bvnot mask))
  :cost 1)
; The two halves change places.
(define-fun swap ((r (_ BitVec 8))) (_ BitVec 8) (bvor (bvshl r #x04) (bvlshr r #x04))
  :cost 2 :involution)
(define-fun any ((r (_ BitVec 8))) Bool (not (= r #x00)) :cost 1)
(define-fun pick ((c Bool) (r (_ BitVec 8)) (s (_ BitVec 8))) (_ BitVec 8) (ite c r s) :cost 2)

(rewrite (clear (clear r s) s) (clear r s))
(birewrite (clear r s) (keep r (flip s)))
(rewrite (join (clear r s) (keep r s)) r)
(birewrite (swap (join r s)) (join (swap r) (swap s)))
(birewrite (swap (keep r s)) (keep (swap r) (swap s)))
(rewrite (pick (any (keep r s)) (clear r s) r) (clear r s))

(check (= (swap #x1f) #xf1) (= (clear #xff #x0f) #xf0) (any #x80))
(fail (any #x00))

; What may be done to a register in one write: masks are constants, and one of two things is done to r.
(grammar update
  (Start (_ BitVec 8) (r (keep Start Start) (clear Start Start) (less_one Start) (swap Start)))
  :must-use (r) :at-most ((swap 1)))
