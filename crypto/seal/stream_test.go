package seal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// The second pass notices a ciphertext that is no longer the verified one.
func TestCiphertextChangedBetweenPasses(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	msg := sealed(t, alice, []*Cert{bob.Cert()}, make([]byte, 200_000))
	o, err := openWithin(msg, Limits{Small: 1000}, bob, alice.Cert())
	must(t, err)
	if len(content(t, o)) != 200_000 {
		t.Error("second pass is short")
	}
	// Two readers at once do not disturb each other.
	r1, err := o.Reader(context.Background())
	must(t, err)
	r2, err := o.Reader(context.Background())
	must(t, err)
	io.CopyN(io.Discard, r1, 100_000)
	if n, err := io.Copy(io.Discard, r2); n != 200_000 || err != nil {
		t.Errorf("second reader: %d, %v", n, err)
	}
	if n, err := io.Copy(io.Discard, r1); n != 100_000 || err != nil {
		t.Errorf("first reader: %d, %v", n, err)
	}
	msg[len(msg)/2] ^= 1
	r, err := o.Reader(context.Background())
	must(t, err)
	_, err = io.Copy(io.Discard, r)
	veiled(t, err, "undecipherable")
	msg[len(msg)/2] ^= 1
	r, err = o.Reader(context.Background())
	must(t, err)
	must(t, r.Close())
	if _, err := r.Read(make([]byte, 1)); err == nil {
		t.Error("read after Close")
	}
	broken := errors.New("disk on fire")
	o.src = failing{bytes.NewReader(msg), 100_000, broken}
	r, err = o.Reader(context.Background())
	must(t, err)
	if _, err = io.Copy(io.Discard, r); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// 64 MB go through a file in little memory, both ways.
func TestLargeMessageStreams(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MB")
	}
	const size = 64 << 20
	alice, bob := generate(t, "alice"), generate(t, "bob")
	f, err := os.Create(filepath.Join(t.TempDir(), "body.pgp"))
	must(t, err)
	defer f.Close()
	var heap peak
	heap.start()
	w, err := Seal(context.Background(), f, alice, []*Cert{bob.Cert()}, day)
	must(t, err)
	block := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	for range size / len(block) {
		_, err := w.Write(block)
		must(t, err)
		heap.sample()
	}
	must(t, w.Close())
	info, err := f.Stat()
	must(t, err)
	o, err := Open(context.Background(), &sampled{f, &heap}, info.Size(), []*Identity{bob}, []*Cert{alice.Cert()}, Limits{})
	must(t, err)
	r, err := o.Reader(context.Background())
	must(t, err)
	n, err := io.Copy(io.Discard, r)
	if n != size || err != nil || o.Size() != size {
		t.Errorf("%d bytes: %v", n, err)
	}
	if heap.most > 24<<20 {
		t.Errorf("heap grew by %d bytes", heap.most)
	}
	t.Logf("heap grew by %d KiB at most", heap.most>>10)
}

type peak struct{ base, most uint64 }

func (p *peak) start() {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.base = m.HeapAlloc
}

func (p *peak) sample() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > p.base {
		p.most = max(p.most, m.HeapAlloc-p.base)
	}
}

// sampled measures now and then while being read.
type sampled struct {
	r    io.ReaderAt
	heap *peak
}

func (s *sampled) ReadAt(p []byte, off int64) (int, error) {
	if off>>20 != (off-int64(len(p)))>>20 {
		s.heap.sample()
	}
	return s.r.ReadAt(p, off)
}

// One large Write is not buffered whole: the library copies it once in passing
// (the cipher stream), three times if it were given in one piece.
func TestOneLargeWrite(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	text := make([]byte, 16<<20)
	w, err := Seal(context.Background(), io.Discard, alice, []*Cert{bob.Cert()}, day)
	must(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = w.Write(text)
	must(t, err)
	must(t, w.Close())
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(text))*3/2 {
		t.Errorf("%d bytes allocated", grown)
	}
}

// The same identities and certificates in many goroutines: the race detector
// is the judge.
func TestConcurrency(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	ctx := context.Background()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 10 {
				text := bytes.Repeat([]byte{byte(i)}, 2000)
				msg := sealed(t, alice, []*Cert{bob.Cert()}, text)
				o, err := open(msg, bob, alice.Cert())
				if err != nil || !bytes.Equal(content(t, o), text) {
					t.Errorf("open: %v", err)
				}
				sig, err := Sign(ctx, bob, text, day)
				if err != nil {
					t.Error(err)
				}
				if _, _, err := Verify(text, sig, []*Cert{alice.Cert(), bob.Cert()}); err != nil {
					t.Error(err)
				}
				if alice.Cert().Standing(day, ToEncrypt) != Usable || len(alice.Cert().Bytes()) == 0 {
					t.Error("standing")
				}
			}
		})
	}
	wg.Go(func() {
		if _, err := alice.Lock([]byte("passe"), LockIterated); err != nil {
			t.Error(err)
		}
		if _, err := alice.Revoke(day, true); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
}
