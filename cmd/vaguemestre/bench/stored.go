package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"sync"
	"time"

	"vaguemestre/broker"
)

// stored stands in for OpenPGP with results kept in memory: bytes of the same
// sizes, no arithmetic. What it "sealed" it can "open", nothing more.
type stored struct {
	plain sync.Map // first 32 bytes of the ciphertext -> *message
	sig   []byte
	cert  []byte
}

type message struct {
	by   string
	at   time.Time
	text []byte
}

const (
	signatureBytes = 228 // of an armored detached signature
	overheadBytes  = 420 // of a message to two recipients
)

func newStored() *stored {
	return &stored{sig: bytes.Repeat([]byte{'s'}, signatureBytes), cert: bytes.Repeat([]byte{'c'}, 700)}
}

// wrap replaces the keys of every broker.
func (s *stored) wrap(broker.BrokerID, broker.Keys) broker.Keys { return s }

var _ broker.Keys = (*stored)(nil)

func (s *stored) Sign(_ context.Context, owner string, _ []byte, _ time.Time) ([]byte, string, error) {
	return s.sig, owner, nil
}

// Verify says that the owner signed just now: the deposit is of this second.
func (s *stored) Verify(owner string, _, _ []byte) (string, time.Time, error) {
	return owner, time.Now(), nil
}

func (s *stored) Standing(string, time.Time, bool) string { return "usable" }

func (s *stored) RevokedAt(string) (time.Time, bool, bool) { return time.Time{}, false, false }

func (s *stored) Usable(string, time.Time, bool) error { return nil }

func (s *stored) OwnerOf(fingerprint string) (string, bool) { return fingerprint, true }

func (s *stored) Cert(string) ([]byte, bool) { return s.cert, true }

// Fingerprint has nothing to read: all share one certificate.
func (s *stored) Fingerprint([]byte) (string, error) { return "stored", nil }

// Seal keeps the plaintext and writes noise of the length of a message.
func (s *stored) Seal(_ context.Context, dst io.Writer, by string, _ []string, now time.Time) (io.WriteCloser, error) {
	return &storing{s: s, dst: dst, m: &message{by: by, at: now}}, nil
}

type storing struct {
	s   *stored
	dst io.Writer
	m   *message
	buf bytes.Buffer
}

func (w *storing) Write(p []byte) (int, error) { return w.buf.Write(p) }

func (w *storing) Close() error {
	w.m.text = w.buf.Bytes()
	out := make([]byte, len(w.m.text)+overheadBytes)
	if _, err := io.ReadFull(rand.Reader, out[:32]); err != nil {
		return err
	}
	w.s.plain.Store(hex.EncodeToString(out[:32]), w.m)
	_, err := w.dst.Write(out)
	return err
}

// Open gives back what was kept, once.
func (s *stored) Open(_ context.Context, src io.ReaderAt, _ int64, _, _ string) (broker.Unsealed, error) {
	var key [32]byte
	if _, err := src.ReadAt(key[:], 0); err != nil {
		return nil, err
	}
	m, ok := s.plain.LoadAndDelete(hex.EncodeToString(key[:]))
	if !ok {
		return nil, errors.New("bench: not a stored message")
	}
	return m.(*message), nil
}

func (m *message) Signer() string      { return m.by }
func (m *message) SignedAt() time.Time { return m.at }
func (m *message) SessionKey() string  { return "" }
func (m *message) Size() int64         { return int64(len(m.text)) }

func (m *message) Reader(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(m.text)), nil
}
