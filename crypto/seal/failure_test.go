package seal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestReadingFailsAndContextEnds(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	msg := sealed(t, alice, []*Cert{bob.Cert()}, make([]byte, 100_000))
	broken := errors.New("disk on fire")
	for _, after := range []int64{0, 50, 200, 50_000} {
		src := failing{bytes.NewReader(msg), after, broken}
		_, err := Open(context.Background(), src, int64(len(msg)), []*Identity{bob}, []*Cert{alice.Cert()}, Limits{})
		var e *Error
		if !errors.Is(err, broken) || errors.As(err, &e) {
			t.Errorf("after %d bytes: got %v, want the reader's own error and no verdict", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Open(ctx, bytes.NewReader(msg), int64(len(msg)), []*Identity{bob}, []*Cert{alice.Cert()}, Limits{})
	refused(t, err, "canceled", "canceled")
	if !errors.Is(err, context.Canceled) {
		t.Error("the cause is lost")
	}
	ctx, cancel = context.WithCancel(context.Background())
	src := stopping{bytes.NewReader(msg), cancel}
	_, err = Open(ctx, src, int64(len(msg)), []*Identity{bob}, []*Cert{alice.Cert()}, Limits{})
	refused(t, err, "canceled", "canceled")
	_, err = Open(context.Background(), bytes.NewReader(msg), int64(len(msg))+10, []*Identity{bob}, []*Cert{alice.Cert()}, Limits{})
	refused(t, err, "trailing_bytes", "trailing_bytes")
	_, err = Open(context.Background(), bytes.NewReader(msg[:60_000]), int64(len(msg)), []*Identity{bob}, []*Cert{alice.Cert()}, Limits{})
	refused(t, err, "truncated", "truncated")
}

type failing struct {
	r     io.ReaderAt
	after int64
	err   error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.after {
		return 0, f.err
	}
	return f.r.ReadAt(p, off)
}

type stopping struct {
	r    io.ReaderAt
	stop func()
}

func (s stopping) ReadAt(p []byte, off int64) (int, error) {
	if off > 60_000 {
		s.stop()
	}
	return s.r.ReadAt(p, off)
}

// Nothing that holds plain text or keys shows it, whatever prints it.
func TestNothingPrints(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	o, err := open(sealed(t, alice, []*Cert{bob.Cert()}, []byte("canari")), bob, alice.Cert())
	must(t, err)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if s := fmt.Sprintf(format, o); s != "opened message" {
			t.Errorf("%s prints %q", format, s)
		}
		if s := fmt.Sprintf(format, bob); s != "identity "+string(bob.Cert().Fingerprint()) {
			t.Errorf("%s prints %q", format, s)
		}
	}
}
