package broker

import (
	"context"
	"io"
	"time"
)

// Keys is all that the broker asks of OpenPGP. Owners are parties and brokers;
// an owner may have had several certificates. Every error may carry a closed
// word (Reason() string); what depends on a secret key says "undecipherable".
type Keys interface {
	// Sign makes one armored detached signature of owner over data.
	Sign(ctx context.Context, owner string, data []byte, now time.Time) (sig []byte, fingerprint string, err error)
	// Verify checks a detached signature against every certificate that was
	// ever listed for owner. It does not judge expiry or revocation of the
	// certificate: see Standing and RevokedAt.
	Verify(owner string, data, sig []byte) (fingerprint string, at time.Time, err error)
	// Standing is one of "usable", "not_yet", "expired", "retired",
	// "compromised", "unfit", "unknown".
	Standing(fingerprint string, at time.Time, encrypt bool) string
	// RevokedAt says when a certificate was revoked, and whether as
	// compromised (or without a reason).
	RevokedAt(fingerprint string) (at time.Time, compromised, revoked bool)
	// Usable is nil when owner has a certificate that serves now; otherwise
	// the error has a hint (Hint() string).
	Usable(owner string, now time.Time, encrypt bool) error
	// Seal signs by one owner and encrypts to others and to itself.
	Seal(ctx context.Context, dst io.Writer, by string, to []string, now time.Time) (io.WriteCloser, error)
	// Open decrypts as one owner and verifies that another signed; by "" is
	// any owner known here.
	Open(ctx context.Context, src io.ReaderAt, size int64, as, by string) (Unsealed, error)
	// OwnerOf finds whose certificate a fingerprint names.
	OwnerOf(fingerprint string) (owner string, ok bool)
	// Cert is the certificate as it stands now, binary.
	Cert(fingerprint string) ([]byte, bool)
	// Fingerprint is that of a certificate as Cert gave it once, also of an
	// owner that nobody lists any more.
	Fingerprint(cert []byte) (string, error)
}

// Unsealed is a message that was decrypted and verified to its end. It is an
// alias on purpose: the crypto side declares the same interface, so neither
// imports the other.
type Unsealed = interface {
	Signer() string // fingerprint of the signer's primary key
	SignedAt() time.Time
	SessionKey() string // as gpg --override-session-key takes it
	Size() int64        // bytes of plaintext
	Reader(context.Context) (io.ReadCloser, error)
}

// Carrier takes a parcel to the home of a party, or to the relay through which
// the directory says that this home is reached (directory.Next).
type Carrier interface {
	// Carry returns nil once that broker has answered that it holds the parcel,
	// or judged it; a *Refusal when it will never take it;
	// any other error when it may be tried again. A lost answer is an error:
	// carrying twice is safe.
	Carry(ctx context.Context, to PartyID, p Parcel) error
}

// Parcel is what a carrier carries: a pli, or one evidence.
type Parcel struct {
	Pli      *PliParcel
	Evidence *EvidenceParcel
}

// PliParcel is the four parts of a pli, in the order in which they go. Body is
// asked for only by a receiver that does not hold it yet.
type PliParcel struct {
	Header, HeaderSig   []byte
	Deposit, DepositSig []byte
	Body                func(context.Context) (io.ReadCloser, error)
}

// EvidenceParcel is one evidence: clear with its signature, or sealed whole.
type EvidenceParcel struct {
	Digest        string // of evidence.json
	Evidence, Sig []byte // machines
	Sealed        []byte // persons and applications
}

// Receiver is the other end of a carrier.
type Receiver interface {
	// Receive takes a parcel for a party, from the broker that the carrier
	// authenticated. Its errors are those of Carrier.
	Receive(ctx context.Context, peer BrokerID, to PartyID, p Parcel) error
}
