package seal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The closed list of reasons. They go to the journal and to metrics: they name
// a rule, never a value.
const (
	reasonUnsigned          = "unsigned"            // no signature
	reasonSignerUnknown     = "signer_unknown"      // signed, by none of the expected certificates
	reasonSeveralSignatures = "several_signatures"  // more than one signature
	reasonBadSignature      = "bad_signature"       // signature wrong, expiring, or by a key that may not sign
	reasonWeakAlgorithm     = "weak_algorithm"      // SHA-1, MD5, short RSA, no integrity protection…
	reasonNotEncrypted      = "not_encrypted"       // a message in clear, signed or not
	reasonPasswordPacket    = "password_packet"     // a password could open it
	reasonTooManyRecipients = "too_many_recipients" // more than MaxRecipients key packets
	reasonAnonymous         = "anonymous_recipient" // a key packet that hides for whom it is
	reasonNotAddressed      = "not_addressed"       // no key packet for us
	reasonNotIntended       = "not_intended"        // the signer meant it for somebody else
	reasonCompressed        = "compressed"          // compression nested or of a refused kind
	reasonTooLarge          = "too_large"           // beyond Limits, or a part beyond its cap
	reasonTruncated         = "truncated"           // the end is missing
	reasonTrailingBytes     = "trailing_bytes"      // something follows the end
	reasonFormat            = "format"              // not the form that this package reads
	reasonUndecipherable    = "undecipherable"      // the only word for anything after decryption began
	reasonSessionKey        = "session_key"         // a session key that is not one
	reasonCanceled          = "canceled"            // the context ended
)

// Reasons lists every word that Error.Reason and Exact can return.
func Reasons() []string {
	return []string{
		reasonUnsigned, reasonSignerUnknown, reasonSeveralSignatures, reasonBadSignature,
		reasonWeakAlgorithm, reasonNotEncrypted, reasonPasswordPacket, reasonTooManyRecipients,
		reasonAnonymous, reasonNotAddressed, reasonNotIntended, reasonCompressed, reasonTooLarge,
		reasonTruncated, reasonTrailingBytes, reasonFormat, reasonUndecipherable,
		reasonSessionKey, reasonCanceled,
	}
}

// Error says that something was refused. Its text and its Reason may be shown
// to the other side; what it wraps is for the journal only, because exact
// answers about decryption make an oracle (RFC 9580 section 13.4).
type Error struct {
	reason string
	cause  error
}

func (e *Error) Error() string { return "seal: refused: " + e.reason }

// Reason is one word of the closed list of Reasons.
func (e *Error) Reason() string { return e.reason }

// Unwrap returns the exact cause, if any: another *Error below
// "undecipherable", context.Canceled below "canceled".
func (e *Error) Unwrap() error { return e.cause }

// Exact returns the most precise reason inside err, for the journal, or ""
// when err holds no *Error.
func Exact(err error) string {
	reason := ""
	for e := (*Error)(nil); errors.As(err, &e); err = e.cause {
		reason = e.reason
	}
	return reason
}

// UnusableError says that a certificate cannot serve at that time: Seal and
// Sign refuse before writing a byte.
type UnusableError struct {
	Fingerprint Fingerprint
	Standing    Standing
	At          time.Time
}

func (e *UnusableError) Error() string {
	return fmt.Sprintf("seal: certificate %s is %s", e.Fingerprint, e.Standing)
}

var (
	// ErrPassphrase is returned by Unlock when the passphrase does not open the key.
	ErrPassphrase = errors.New("seal: the passphrase does not open the key")
	// ErrNoPassphrase is returned by Lock: a private key is never written in clear.
	ErrNoPassphrase = errors.New("seal: an empty passphrase protects nothing")
	// ErrRecipients is returned by Seal for no recipient, or for more than
	// MaxRecipients with the sender.
	ErrRecipients = errors.New("seal: between one and fifteen recipients")
)

func refuse(reason string, cause error) *Error { return &Error{reason: reason, cause: cause} }

func refusef(reason, format string, args ...any) *Error {
	return refuse(reason, fmt.Errorf(format, args...))
}

// veil hides behind "undecipherable" what was learnt with a secret key, except
// what is no judgement on the message: the context's end, and a failing disk.
func veil(err error) error {
	var e *Error
	if errors.As(err, &e) {
		if e.reason == reasonCanceled {
			return e
		}
		return refuse(reasonUndecipherable, err)
	}
	if f := (*sourceError)(nil); errors.As(err, &f) {
		return f
	}
	return refuse(reasonUndecipherable, err)
}

// sourceError is a failure to read the ciphertext: to be tried again, not a
// verdict on the message.
type sourceError struct{ cause error }

func (e *sourceError) Error() string { return "seal: read ciphertext: " + e.cause.Error() }
func (e *sourceError) Unwrap() error { return e.cause }

func canceled(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return refuse(reasonCanceled, context.Cause(ctx))
	}
	return nil
}

// rescue turns a panic of the OpenPGP library into a refusal: earlier versions
// had several that a stranger could cause. The panic's value is not kept, as it
// could quote the message.
func rescue(reason string, err *error) {
	if p := recover(); p != nil {
		*err = refusef(reason, "panic of type %T", p)
	}
}
