package broker

import (
	"errors"
	"fmt"
	"io"
)

// Sentinels. Each asks for a decision of the caller.
var (
	ErrFormat    = errors.New("broker: not in the form of the wire")            // refuse
	ErrTemporary = errors.New("broker: not now")                                // come back later
	ErrNotFound  = errors.New("broker: no such pli for this party")             // also for what is forbidden
	ErrConflict  = errors.New("broker: that key served for another submission") // idempotency key
	ErrAlready   = errors.New("broker: that act is recorded already")
	ErrNotYet    = errors.New("broker: the pli is not at this party's disposal")
)

// Refusal is a lasting no. Code is closed and may be shown to anybody; the
// cause is for the journal of the broker that refuses.
type Refusal struct {
	Code  string // a Reason constant, or one of the Refused constants
	Field string // the member concerned, never its value
	Hint  string // what to do next
	cause error
}

// Codes of refusals that no evidence carries: they come before any signature
// could be checked, or concern the caller only.
const (
	RefusedFormat      = "format"
	RefusedPeer        = "pair_inconnu"
	RefusedDestination = "destination_inconnue"
	RefusedSignature   = "signature"
	RefusedUnknownPli  = "pli_inconnu"
	RefusedSigner      = "signataire"
	RefusedDoubled     = "doublon"
	RefusedFuture      = "date_future"
	RefusedDetail      = "detail"
	RefusedParty       = "partie_inconnue"
	RefusedRecipients  = "destinataires"
	RefusedUrgency     = "urgence"
	RefusedPieces      = "pieces"
	RefusedActor       = "acteur"
	RefusedThread      = "fil"
	RefusedEvent       = "evenement"
	RefusedKey         = "cle"
	RefusedOther       = "refus_inconnu" // a peer's code that is not of this list
)

func (r *Refusal) Error() string {
	if r.Field != "" {
		return fmt.Sprintf("refused (%s): %s", r.Code, r.Field)
	}
	return fmt.Sprintf("refused (%s)", r.Code)
}

// Unwrap gives the exact cause, for the journal and the operator only.
func (r *Refusal) Unwrap() error { return r.cause }

func refuse(code, field string, cause error) *Refusal {
	return &Refusal{Code: code, Field: field, cause: cause}
}

// PieceError says that a piece of a submission could not be read. It does not
// print its cause, which may quote the name of a file, and that of a child.
type PieceError struct {
	N     int // from 1
	cause error
}

func (e *PieceError) Error() string { return fmt.Sprintf("piece %d cannot be read", e.N) }

// Unwrap gives the caller its own error back.
func (e *PieceError) Unwrap() error { return e.cause }

// pieceReader makes a *PieceError of whatever its reader fails with.
type pieceReader struct {
	r io.Reader
	n int
}

func (p pieceReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		err = &PieceError{p.n, err}
	}
	return n, err
}

// temporary marks an error as one to come back after.
func temporary(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrTemporary, what, err)
}

// reasonOf is the closed word that the crypto side gives to its refusals.
func reasonOf(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return ""
}

// exactReason is the closed word of the innermost cause: for the journal of
// this broker only, since exact answers about decryption make an oracle (RFC
// 9580 section 13.4). It is "" for what is no verdict.
func exactReason(err error) string {
	word := ""
	for ; err != nil; err = errors.Unwrap(err) {
		if r, ok := err.(interface{ Reason() string }); ok {
			word = r.Reason()
		}
	}
	return word
}
