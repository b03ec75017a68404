package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"

	"vaguemestre/broker/journal"
)

// memoryBody is a small ciphertext that is not in the journal yet.
type memoryBody struct{ *bytes.Reader }

func newMemoryBody(b []byte) memoryBody { return memoryBody{bytes.NewReader(b)} }

func (memoryBody) Close() error { return nil }

// Size is the length in bytes.
func (m memoryBody) Size() int64 { return m.Reader.Size() }

var (
	errLength = errors.New("not the length of the signed header")
	errBytes  = errors.New("not the bytes of the signed header")
	errNoBody = fmt.Errorf("broker: the body is erased: %w", ErrNotFound)
)

// smallBlob reads n bytes of a digest and refuses any other. A batch carries
// them to the journal.
func smallBlob(src io.Reader, n int64, digest string) (journal.Blob, error) {
	body := make([]byte, n+1) // one more would show a longer one
	c, err := io.ReadFull(src, body)
	body = body[:n]
	switch {
	case err != nil && err != io.EOF && err != io.ErrUnexpectedEOF:
		return journal.Blob{}, fmt.Errorf("after %d bytes: %w", c, err)
	case int64(c) != n:
		return journal.Blob{}, errLength
	}
	if blob := journal.NewBlob(body); blob.SHA256 == digest {
		return blob, nil
	}
	return journal.Blob{}, errBytes
}

// largeBlob copies n bytes of a digest to the body store, durably, and refuses
// any other.
func (b *Broker) largeBlob(src io.Reader, n int64, digest string) (journal.Blob, error) {
	w, err := b.journal.Bodies().Create()
	if err != nil {
		return journal.Blob{}, err
	}
	defer w.Abort()
	if err := copyExactly(w, src, n, digest); err != nil {
		return journal.Blob{}, err
	}
	return w.Close()
}

// copyExactly copies n bytes of a digest and refuses any other. The digest is
// checked before the bytes are kept under it: other bytes may be those of a
// body that is held, and nothing here must touch that one.
func copyExactly(dst io.Writer, src io.Reader, n int64, digest string) error {
	sum := sha256.New()
	c, err := io.Copy(io.MultiWriter(dst, sum), io.LimitReader(src, n+1))
	switch {
	case err != nil:
		return fmt.Errorf("after %d bytes: %w", c, err)
	case c != n:
		return errLength
	case hex.EncodeToString(sum.Sum(nil)) != digest:
		return errBytes
	}
	return nil
}

// turns gives each name to one holder at a time.
type turns struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when given back; guarded by mu
}

// take waits for its turn, and returns what gives it back.
func (t *turns) take(ctx context.Context, name string) (free func(), err error) {
	for {
		t.mu.Lock()
		if t.held == nil {
			t.held = map[string]chan struct{}{}
		}
		wait, taken := t.held[name]
		if !taken {
			mine := make(chan struct{})
			t.held[name] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.held, name)
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
