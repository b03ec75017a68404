package keyring

import (
	"context"
	"fmt"
	"io"
	"time"

	"vaguemestre/crypto/seal"
)

// Verifier reads certificates that are trusted for nothing: those of an
// export. It holds no key and no state.
type Verifier struct{}

// Certificate is one certificate read by a Verifier. It is an alias, like
// Opened, so that whoever declares the same methods need not import this
// package.
type Certificate = interface {
	// Fingerprint is that of the primary key, 40 lower-case digits.
	Fingerprint() string
	// Standing says what it was worth for signing at a date, in the words of
	// seal.Standing.
	Standing(at time.Time) string
	// RevokedAt says when it was revoked, and whether as compromised (or
	// without a reason), which a signing subkey may be alone.
	RevokedAt() (at time.Time, compromised, revoked bool)
	// Verify checks a detached, armored signature of data by this certificate.
	Verify(data, sig []byte) (at time.Time, err error)
	// OpenWithSessionKey opens a message that this certificate signed.
	OpenWithSessionKey(ctx context.Context, src io.ReaderAt, size int64, key string) (Opened, error)
}

// Certificate reads one certificate, alone and binary or armored. It returns
// an *seal.Error, wrapped.
func (Verifier) Certificate(b []byte) (Certificate, error) {
	c, err := seal.ParseCert(b)
	if err != nil {
		return nil, fmt.Errorf("keyring: certificate: %w", err)
	}
	return certificate{c}, nil
}

type certificate struct{ c *seal.Cert }

func (c certificate) Fingerprint() string { return string(c.c.Fingerprint()) }

func (c certificate) Standing(at time.Time) string { return c.c.Standing(at, seal.ToSign).String() }

func (c certificate) RevokedAt() (at time.Time, compromised, revoked bool) {
	at, s, ok := c.c.Revocation()
	return at, s == seal.Compromised, ok
}

func (c certificate) Verify(data, sig []byte) (time.Time, error) {
	_, at, err := seal.Verify(data, sig, []*seal.Cert{c.c})
	if err != nil {
		return time.Time{}, fmt.Errorf("keyring: verify: %w", err)
	}
	return at, nil
}

func (c certificate) OpenWithSessionKey(ctx context.Context, src io.ReaderAt, size int64, key string) (Opened, error) {
	o, err := seal.OpenWithSessionKey(ctx, src, size, key, []*seal.Cert{c.c}, seal.Limits{})
	if err != nil {
		return nil, fmt.Errorf("keyring: open: %w", err)
	}
	return o, nil
}
