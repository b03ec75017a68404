package keyring

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNoKey means that the owner has no certificate, or no private key, for
	// what is asked. Usable wraps it in *NoKeyError.
	ErrNoKey = errors.New("keyring: no key")
	// ErrOwner means that an owner's id cannot be a directory name.
	ErrOwner = errors.New("keyring: owner is not a lower-case id")
	// ErrPassphrase means that the passphrase does not open the keys.
	ErrPassphrase = errors.New("keyring: the passphrase does not open the keys")
	// ErrExposed means that a file that holds a private key may be read by others.
	ErrExposed = errors.New("keyring: private key readable by others")
)

// NoKeyError says who has no key at all for a use.
type NoKeyError struct {
	Owner   string
	Encrypt bool // to be encrypted to; else to sign
}

func (e *NoKeyError) Error() string { return fmt.Sprintf("keyring: %s: no key", e.Owner) }
func (e *NoKeyError) Unwrap() error { return ErrNoKey }

// Hint says what to do.
func (e *NoKeyError) Hint() string {
	return `import its certificate with "vaguemestre keys import FILE"`
}

// ExpiredError says that the last certificate of an owner has expired.
type ExpiredError struct {
	Owner       string
	Fingerprint string
	Expired     time.Time
}

func (e *ExpiredError) Error() string {
	return fmt.Sprintf("keyring: %s: key expired on %s", e.Owner, e.Expired.UTC().Format(time.DateOnly))
}

// Hint says what to do.
func (e *ExpiredError) Hint() string {
	return `ask for the new certificate and import it with "vaguemestre keys import FILE"`
}

// RevokedError says that the last certificate of an owner is revoked.
type RevokedError struct {
	Owner       string
	Fingerprint string
	Revoked     time.Time
	Compromised bool // or revoked without a reason, which is the same
}

func (e *RevokedError) Error() string {
	what := "retired"
	if e.Compromised {
		what = "revoked as compromised"
	}
	return fmt.Sprintf("keyring: %s: key %s on %s", e.Owner, what, e.Revoked.UTC().Format(time.DateOnly))
}

// Hint says what to do.
func (e *RevokedError) Hint() string {
	if e.Compromised {
		return "telephone this party before sending anything, then import its new certificate"
	}
	return `ask for the certificate that replaces it and import it with "vaguemestre keys import FILE"`
}

// NotYetError says that the only certificate of an owner begins later.
type NotYetError struct {
	Owner       string
	Fingerprint string
	From        time.Time
}

func (e *NotYetError) Error() string {
	return fmt.Sprintf("keyring: %s: key not valid before %s", e.Owner, e.From.UTC().Format(time.RFC3339))
}

// Hint says what to do.
func (e *NotYetError) Hint() string { return "check the clocks of both machines" }

// PassphraseError says that no passphrase was given.
type PassphraseError struct{ cause error }

func (e *PassphraseError) Error() string { return "keyring: no passphrase: " + e.cause.Error() }
func (e *PassphraseError) Unwrap() error { return e.cause }

// Hint says what to do.
func (e *PassphraseError) Hint() string {
	return "give it as the systemd credential " + credentialName + ", in " + environmentName + ", or run on a terminal"
}
