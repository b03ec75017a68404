package wiring

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// Errors of the local secret that ask for a decision of the operator.
var (
	// ErrNoSecret: the file is not there. Drawing another one in silence would
	// let a call that is repeated be accepted a second time.
	ErrNoSecret = errors.New("the local secret of this data directory is missing")
	// ErrSecret: the file is not the secret that the journal was written under:
	// another length, another kind of file, or another directory's.
	ErrSecret = errors.New("the local secret is not the one of this journal")
	// ErrSecretExposed: others than the owner have rights on the file.
	ErrSecretExposed = errors.New("the local secret may be read or changed by others")
	// ErrSecretHeld: a secret that is not missing is never replaced.
	ErrSecretHeld = errors.New("the local secret is not missing")
)

const (
	secretFile = "secret"
	secretSize = 32 // bytes

	// The space and key of the journal where its secret is recognised.
	spaceSecret = "secret"
	keyCheck    = "check"
	// wordRenewed is what the journal says of a secret that was replaced.
	wordRenewed = "secret_renewed"
)

// Secret reads the local secret of a data directory: 32 random bytes, drawn
// when the directory is made and never again. The journal keeps idempotency
// keys, submissions and lanes under HMACs of it only, so that the journal file
// tells nothing of them: with another secret, or none, it recognises none of
// those that it holds. Hence ErrNoSecret, ErrSecret and ErrSecretExposed.
func Secret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretFile)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNoSecret
	case err != nil:
		return nil, fmt.Errorf("local secret: %w", err)
	case !info.Mode().IsRegular() || info.Size() != secretSize:
		return nil, ErrSecret
	case info.Mode().Perm()&0o077 != 0:
		return nil, ErrSecretExposed
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("local secret: %w", err)
	}
	if len(b) != secretSize { // changed since it was looked at
		return nil, ErrSecret
	}
	return b, nil
}

// newSecret draws the secret of a data directory that has none: whole or not at
// all, whatever crashes.
func newSecret(dir string) ([]byte, error) {
	switch _, err := os.Lstat(filepath.Join(dir, secretFile)); {
	case err == nil:
		return nil, ErrSecretHeld
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("local secret: %w", err)
	}
	b := make([]byte, secretSize)
	if _, err := io.ReadFull(rand.Reader, b); err != nil {
		return nil, fmt.Errorf("local secret: %w", err)
	}
	if err := replaceIn(dir, secretFile, b); err != nil {
		return nil, fmt.Errorf("local secret: %w", err)
	}
	return b, nil
}

// RenewSecret draws a secret in place of one that is lost for good, journals
// that, and opens the node. It is an act of a person, who accepts what is lost
// with the old one: a call that is repeated after it was answered under the old
// secret is accepted a second time, and a pli that waits may be overtaken by a
// later one of its thread. ErrSecretHeld when there is a secret; ErrSecret and
// ErrSecretExposed when there is a file that is none. On error the directory is
// as it was.
func (d *Data) RenewSecret(ctx context.Context, p Parts) (*Node, error) {
	if _, err := Secret(d.Dir); err != nil && !errors.Is(err, ErrNoSecret) {
		return nil, err
	}
	// The file comes first, and the journal decides: until it names the new
	// secret, the old one, should it be found, is still the right one.
	secret, err := newSecret(d.Dir)
	if err != nil {
		return nil, err
	}
	p.renewed = true
	n, err := d.open(ctx, p, secret)
	if err != nil && !errors.Is(err, journal.ErrFailed) { // then the journal may name it
		err = errors.Join(err, os.Remove(filepath.Join(d.Dir, secretFile)))
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// checkSecret compares the secret with the journal: ErrSecret. A journal that
// names none yet is new; one whose secret is being renewed names another.
func checkSecret(j *journal.Journal, p Parts) (bound bool, err error) {
	if p.renewed {
		return false, nil
	}
	err = j.View(func(v journal.View) error {
		want, named := v.Get(spaceSecret, keyCheck)
		bound = named && hmac.Equal(want, []byte(check(p.Secret)))
		if named && !bound {
			return ErrSecret
		}
		return nil
	})
	return bound, err
}

// bindSecret makes a journal name its secret, from now on.
func bindSecret(ctx context.Context, b *broker.Broker, p Parts) error {
	put := journal.Put{Space: spaceSecret, Key: keyCheck, Value: []byte(check(p.Secret))}
	if p.renewed {
		if err := b.NoteWith(ctx, "", wordRenewed, put); err != nil {
			return fmt.Errorf("local secret: %w", err)
		}
		return nil
	}
	ev := journal.Event{Type: journal.TypeNoted, At: p.Now(), Changes: journal.Changes{Puts: []journal.Put{put}}}
	_, err := b.Journal().Commit(ctx, func(journal.View) (journal.Batch, error) {
		return journal.Batch{Events: []journal.Event{ev}}, nil
	})
	if err != nil {
		return fmt.Errorf("local secret: %w", err)
	}
	return nil
}

// check is what a secret is recognised by. It says nothing of it, nor of what
// the broker derives from it: each of its purposes has a name of its own.
func check(secret []byte) string {
	h := hmac.New(sha256.New, secret)
	io.WriteString(h, "check of the secret\x00")
	return hex.EncodeToString(h.Sum(nil))
}
