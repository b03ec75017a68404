package keyring

import (
	"context"
	"fmt"
	"io"
	"time"

	"vaguemestre/crypto/seal"
)

// Sign makes a detached, armored signature of data by the newest usable private
// key of owner, and returns the fingerprint of its certificate. It returns the
// errors of Usable.
func (r *Ring) Sign(ctx context.Context, owner string, data []byte, now time.Time) (sig []byte, fingerprint string, err error) {
	id, err := signer(owner, r.of(owner), now)
	if err != nil {
		return nil, "", err
	}
	done, err := r.slot(ctx, int64(len(data)))
	if err != nil {
		return nil, "", fmt.Errorf("keyring: sign for %s: %w", owner, err)
	}
	defer done()
	sig, err = seal.Sign(ctx, id, data, now)
	if err != nil {
		return nil, "", fmt.Errorf("keyring: sign for %s: %w", owner, err)
	}
	return sig, string(id.Cert().Fingerprint()), nil
}

// signer returns the newest identity that may sign.
func signer(owner string, h *holding, now time.Time) (*seal.Identity, error) {
	certs := make([]*seal.Cert, len(h.ids))
	for i, id := range h.ids {
		certs[i] = id.Cert()
	}
	c, err := usable(owner, certs, now, false)
	if err != nil {
		return nil, err
	}
	for _, id := range h.ids {
		if id.Cert() == c {
			return id, nil
		}
	}
	return nil, &NoKeyError{Owner: owner}
}

// Verify checks a detached signature against every certificate ever listed for
// owner, also expired and revoked ones: see Standing and RevokedAt for those,
// and seal.Verify for signing subkeys.
// at is the date that the signer gives. It returns an *seal.Error.
func (r *Ring) Verify(owner string, data, sig []byte) (fingerprint string, at time.Time, err error) {
	done, err := r.slot(context.Background(), int64(len(data)))
	if err != nil {
		return "", time.Time{}, err
	}
	defer done()
	fingerprint, at, err = seal.Verify(data, sig, r.of(owner).certs)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("keyring: verify for %s: %w", owner, err)
	}
	return fingerprint, at, nil
}

// Seal encrypts what is written to its result to the owners in to and to by,
// signed by by. See seal.Seal; every key must be usable now, else it returns
// the errors of Usable before anything is written.
func (r *Ring) Seal(ctx context.Context, dst io.Writer, by string, to []string, now time.Time) (io.WriteCloser, error) {
	id, err := signer(by, r.of(by), now)
	if err != nil {
		return nil, err
	}
	// The sender reads again with the key that signs: that one must also be
	// able to receive.
	if s := id.Cert().Standing(now, seal.ToEncrypt); s != seal.Usable {
		return nil, explain(by, id.Cert(), now, true)
	}
	certs := make([]*seal.Cert, len(to))
	for i, owner := range to {
		if certs[i], err = usable(owner, r.of(owner).certs, now, true); err != nil {
			return nil, err
		}
	}
	done, err := r.slot(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("keyring: seal by %s: %w", by, err)
	}
	defer done()
	w, err := seal.Seal(ctx, dst, id, certs, now)
	if err != nil {
		return nil, fmt.Errorf("keyring: seal by %s: %w", by, err)
	}
	return &sealing{WriteCloser: w, ring: r, ctx: ctx}, nil
}

// sealing takes a slot again to sign. Writing takes none: the writer may wait
// for its own source.
type sealing struct {
	io.WriteCloser
	ring *Ring
	ctx  context.Context
}

func (s *sealing) Close() error {
	done, err := s.ring.slot(s.ctx, 0)
	if err != nil {
		return fmt.Errorf("keyring: seal: %w", err)
	}
	defer done()
	return s.WriteCloser.Close()
}

// Open opens a message addressed to as and signed by by, or by any owner held
// when by is "" (ask OwnerOf who it was), whatever their keys are worth now. See
// seal.Open, whose errors it wraps. ErrNoKey if as has no private key here.
func (r *Ring) Open(ctx context.Context, src io.ReaderAt, size int64, as, by string) (Opened, error) {
	ids := r.of(as).ids
	if len(ids) == 0 {
		return nil, &NoKeyError{Owner: as, Encrypt: true}
	}
	done, err := r.slot(ctx, size)
	if err != nil {
		return nil, fmt.Errorf("keyring: open as %s: %w", as, err)
	}
	defer done()
	o, err := seal.OpenFrom(ctx, src, size, ids, r.found(by), seal.Limits{})
	if err != nil {
		return nil, fmt.Errorf("keyring: open as %s: %w", as, err)
	}
	return o, nil
}

// OpenWithSessionKey opens a message signed by by with its session key, in the
// form of Opened.SessionKey: for the reader of a redirected message.
func (r *Ring) OpenWithSessionKey(ctx context.Context, src io.ReaderAt, size int64, key, by string) (Opened, error) {
	done, err := r.slot(ctx, size)
	if err != nil {
		return nil, fmt.Errorf("keyring: open: %w", err)
	}
	defer done()
	o, err := seal.OpenWithSessionKey(ctx, src, size, key, r.signers(by), seal.Limits{})
	if err != nil {
		return nil, fmt.Errorf("keyring: open: %w", err)
	}
	return o, nil
}

// ExportSecret returns the private keys of an owner, newest first, as one
// armored block under another passphrase, in the form that gpg 2.2 imports. The
// caller journals it. ErrNoKey if there is none here.
func (r *Ring) ExportSecret(owner string, gpgPassphrase []byte) ([]byte, error) {
	ids := r.of(owner).ids
	if len(ids) == 0 {
		return nil, &NoKeyError{Owner: owner}
	}
	out, err := seal.LockArmored(ids, gpgPassphrase)
	if err != nil {
		return nil, fmt.Errorf("keyring: export for %s: %w", owner, err)
	}
	return out, nil
}
