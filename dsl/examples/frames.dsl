; A frame of 64 bits with a byte at its end: bit-vectors of two widths and what leads from one to the other.

(constants (_ BitVec 8) #x00 #x01 #x80 :cost 1)

(variables :cost 1)

(define-fun low ((f (_ BitVec 64))) (_ BitVec 8) ((_ extract 7 0) f) :cost 1)
(define-fun kind ((f (_ BitVec 64))) (_ BitVec 8) ((_ extract 63 56) f) :cost 1)
; The frame moves up by a byte, and a new one comes in.
(define-fun push ((f (_ BitVec 64)) (b (_ BitVec 8))) (_ BitVec 64) (concat ((_ extract 55 0) f) b)
  :cost 2)
(define-fun unsigned ((b (_ BitVec 8))) (_ BitVec 64) ((_ zero_extend 56) b) :cost 1)
(define-fun signed ((b (_ BitVec 8))) (_ BitVec 64) ((_ sign_extend 56) b) :cost 1)
(define-fun fill ((b (_ BitVec 8))) (_ BitVec 64) ((_ repeat 8) b) :cost 1)
(define-fun turn ((b (_ BitVec 8))) (_ BitVec 8) ((_ rotate_left 3) b) :cost 1)
(define-fun turn_back ((b (_ BitVec 8))) (_ BitVec 8) ((_ rotate_right 3) b) :cost 1)
(define-fun roll ((f (_ BitVec 64))) (_ BitVec 64) ((_ rotate_left 8) f) :cost 1)
; 1 where both are equal, else 0.
(define-fun same ((f (_ BitVec 64)) (g (_ BitVec 64))) (_ BitVec 8) ((_ zero_extend 7) (bvcomp f g))
  :cost 1 :commutative)
(define-fun xor ((f (_ BitVec 64)) (g (_ BitVec 64))) (_ BitVec 64) (bvxor f g)
  :cost 1 :commutative :associative)
(define-fun pick ((c (_ BitVec 8)) (f (_ BitVec 64)) (g (_ BitVec 64))) (_ BitVec 64)
  (ite (= c #x00) g f)
  :cost 2)

(rewrite (low (push f b)) b)
(rewrite (low (unsigned b)) b)
(rewrite (low (signed b)) b)
(rewrite (kind (fill b)) b)
(rewrite (turn (turn_back b)) b)
(birewrite (roll f) (push f (kind f)))
(birewrite (roll (xor f g)) (xor (roll f) (roll g)))

(check (= (low (signed #x80)) #x80) (= (push (fill #x01) #x80) (xor (fill #x01) (unsigned #x81))))
(fail (= (turn #x80) #x80))

; What a frame may become: no more than one byte comes in.
(grammar next
  (Start (_ BitVec 64) (f (push Start Byte) (roll Start) (xor Start Start) (signed Byte)))
  (Byte (_ BitVec 8) (b (kind Start) (turn Byte)))
  :at-most ((push 1)))
