package export

import (
	"context"
	"fmt"
	"io"
	"time"

	"vaguemestre/broker"
)

// FaultError is the first thing that does not hold in an export.
type FaultError struct {
	File string // path in the folder, "" for the whole
	What string // what does not hold; never a value of the file
}

func (e *FaultError) Error() string {
	if e.File == "" {
		return "not verified: " + e.What
	}
	return fmt.Sprintf("not verified: %s: %s", e.File, e.What)
}

func fault(file, what string) *FaultError { return &FaultError{File: file, What: what} }

// Report is what is established, once everything holds.
type Report struct {
	Notice  string
	ID      string
	From    broker.PartyID
	To, Cc  []broker.PartyID
	Urgency broker.Urgency
	Deposit Fact
	Facts   []Fact // the evidences, in the order of the journal

	Broker     broker.BrokerID // whose journal proves, and who exported
	Origin     string
	Size       uint64 // leaves of that journal
	Signatures int    // detached ones, all by anchors
	Files      int
	Body       bool // body.pgp is there
	Opened     bool // open/ is there, and is what the sealed files hold

	// Notes are no faults, but must be known, in English for operators.
	Notes []string
	// Certificates names those found, OWNER-FINGERPRINT: to be compared with
	// the sheet. They prove nothing.
	Certificates []string
}

// Fact is one evidence that was verified.
type Fact struct {
	Event       broker.Event
	Recipient   broker.PartyID // "" where it holds for all
	At, DoneAt  string
	By          string
	Home        broker.BrokerID
	Fingerprint string // of the certificate that signed
	ReasonCode  string
}

// Verifier is all that Verify asks of OpenPGP: to read certificates that are
// trusted for nothing. keyring.Verifier is one.
type Verifier interface {
	Certificate(b []byte) (Certificate, error)
}

// Certificate is one certificate that was read. It is an alias on purpose: the
// crypto side declares the same interface, so neither imports the other.
type Certificate = interface {
	Fingerprint() string
	// Standing says what it was worth for signing at a date: "usable", or the
	// other words of broker.Keys.
	Standing(at time.Time) string
	// RevokedAt says when it was revoked, and whether as compromised or
	// without a reason.
	RevokedAt() (at time.Time, compromised, revoked bool)
	// Verify checks a detached signature; its errors may carry Reason() string.
	Verify(data, sig []byte) (at time.Time, err error)
	// OpenWithSessionKey opens a message that this certificate signed.
	OpenWithSessionKey(ctx context.Context, src io.ReaderAt, size int64, key string) (broker.Unsealed, error)
}
