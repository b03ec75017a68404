package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"vaguemestre/broker"
)

// ring stands in for OpenPGP at one broker, without its cost: a signature is a
// digest that only the owner's broker can make, a sealed body is its plaintext
// behind the names of whoever may open it. What it refuses, OpenPGP refuses.
type ring struct {
	own    map[string]bool // whose keys are here
	pause  func()          // called before something slow: others go on meanwhile
	opened int             // what was opened
}

var _ broker.Keys = (*ring)(nil)

var errNoKey = &verdict{"no_key"}

// verdict is a closed word of the crypto side.
type verdict struct{ word string }

func (v *verdict) Error() string  { return "sim: " + v.word }
func (v *verdict) Reason() string { return v.word }

func fingerprint(owner string) string {
	sum := sha256.Sum256([]byte(owner))
	return hex.EncodeToString(sum[:20])
}

// mark is what the owner of a key alone can make of some bytes.
func mark(owner string, data []byte, ms int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %d ", owner, ms, len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func signature(owner string, data []byte, at time.Time) []byte {
	ms := at.UnixMilli()
	return fmt.Appendf(nil, "%s %d %s", owner, ms, mark(owner, data, ms))
}

func (k *ring) Sign(_ context.Context, owner string, data []byte, now time.Time) ([]byte, string, error) {
	if !k.own[owner] {
		return nil, "", errNoKey
	}
	k.pause()
	return signature(owner, data, now), fingerprint(owner), nil
}

func (k *ring) Verify(owner string, data, sig []byte) (string, time.Time, error) {
	f := strings.Fields(string(sig))
	if len(f) != 3 || f[0] != owner {
		return "", time.Time{}, &verdict{"bad_signature"}
	}
	ms, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || f[2] != mark(owner, data, ms) {
		return "", time.Time{}, &verdict{"bad_signature"}
	}
	return fingerprint(owner), time.UnixMilli(ms).UTC(), nil
}

func (k *ring) Standing(string, time.Time, bool) string { return "usable" }

func (k *ring) RevokedAt(string) (time.Time, bool, bool) { return time.Time{}, false, false }

func (k *ring) Usable(string, time.Time, bool) error { return nil }

func (k *ring) OwnerOf(fpr string) (string, bool) {
	for _, owner := range owners() {
		if fingerprint(owner) == fpr {
			return owner, true
		}
	}
	return "", false
}

func (k *ring) Cert(fpr string) ([]byte, bool) { return []byte("cert " + fpr), true }

func (k *ring) Fingerprint(cert []byte) (string, error) {
	return strings.TrimPrefix(string(cert), "cert "), nil
}

// Seal writes, line by line: who, when, to whom, the mark of the rest; then the
// plaintext.
func (k *ring) Seal(_ context.Context, dst io.Writer, by string, to []string, now time.Time) (io.WriteCloser, error) {
	if !k.own[by] {
		return nil, errNoKey
	}
	k.pause()
	return &sealing{dst: dst, by: by, to: strings.Join(to, " "), ms: now.UnixMilli()}, nil
}

type sealing struct {
	dst    io.Writer
	by, to string
	ms     int64
	buf    bytes.Buffer
}

func (w *sealing) Write(p []byte) (int, error) { return w.buf.Write(p) }

func (w *sealing) Close() error {
	if _, err := fmt.Fprintf(w.dst, "%s\n%d\n%s\n%s\n", w.by, w.ms, w.to, mark(w.by, w.buf.Bytes(), w.ms)); err != nil {
		return err
	}
	_, err := w.dst.Write(w.buf.Bytes())
	return err
}

func (k *ring) Open(_ context.Context, src io.ReaderAt, size int64, as, by string) (broker.Unsealed, error) {
	k.opened++
	if !k.own[as] {
		return nil, errNoKey
	}
	b := make([]byte, size)
	if _, err := src.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	f := bytes.SplitN(b, []byte("\n"), 5)
	if len(f) != 5 {
		return nil, &verdict{"undecipherable"}
	}
	m := &unsealed{by: string(f[0]), text: f[4]}
	ms, err := strconv.ParseInt(string(f[1]), 10, 64)
	switch m.at = time.UnixMilli(ms).UTC(); {
	case err != nil || string(f[3]) != mark(m.by, m.text, ms):
		return nil, &verdict{"undecipherable"}
	case as != m.by && !slices.Contains(strings.Fields(string(f[2])), as):
		return nil, &verdict{"not_addressed"}
	case by != "" && by != m.by:
		return nil, &verdict{"signer_unknown"}
	}
	return m, nil
}

// unsealed is a body that was opened.
type unsealed struct {
	by   string
	at   time.Time
	text []byte
}

func (m *unsealed) Signer() string      { return fingerprint(m.by) }
func (m *unsealed) SignedAt() time.Time { return m.at }
func (m *unsealed) SessionKey() string  { return "" }
func (m *unsealed) Size() int64         { return int64(len(m.text)) }

func (m *unsealed) Reader(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m.text)), nil
}
