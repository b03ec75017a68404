package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"vaguemestre/crypto/keyring"
	"vaguemestre/crypto/seal"
)

// The cryptography of one exchange, as DESIGN sections 4 and 5 require it:
// body sealed to one recipient and the sender; header, deposit and consigned
// signed; header and deposit verified and the body opened at the recipient's;
// consigned verified at the sender's.
const (
	signatures    = 3
	verifications = 3
)

// kit is warmed keys and inputs of the sizes that an exchange has.
type kit struct {
	ring   *keyring.Ring
	plain  []byte
	small  []byte
	sealed []byte
	sig    []byte
}

func newKit(ctx context.Context) (*kit, error) {
	k := &kit{ring: keyring.New()}
	for _, owner := range []string{"ase-00", "parquet-00"} {
		id, err := seal.Generate(owner, seal.Options{Created: time.Now().Add(-time.Hour).Truncate(time.Second)})
		if err != nil {
			return nil, err
		}
		k.ring.AddIdentity(owner, id)
	}
	// The entity of an exchange: document and its text, inner, acte, sums, one
	// piece, in base64.
	raw := make([]byte, pieceSize+3*len(document))
	if _, err := io.ReadFull(rand.Reader, raw); err != nil {
		return nil, err
	}
	k.plain = []byte(base64.StdEncoding.EncodeToString(raw))
	k.small = k.plain[:520]
	var err error
	if k.sealed, err = k.seal(ctx); err != nil {
		return nil, err
	}
	k.sig, _, err = k.ring.Sign(ctx, "ase-00", k.small, time.Now())
	return k, err
}

func (k *kit) seal(ctx context.Context) ([]byte, error) {
	var buf bytes.Buffer
	w, err := k.ring.Seal(ctx, &buf, "ase-00", []string{"parquet-00"}, time.Now())
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(k.plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (k *kit) open(ctx context.Context) error {
	o, err := k.ring.Open(ctx, bytes.NewReader(k.sealed), int64(len(k.sealed)), "parquet-00", "ase-00")
	if err != nil {
		return err
	}
	r, err := o.Reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

func (k *kit) sign(ctx context.Context) error {
	_, _, err := k.ring.Sign(ctx, "ase-00", k.small, time.Now())
	return err
}

func (k *kit) verify(context.Context) error {
	_, _, err := k.ring.Verify("ase-00", k.small, k.sig)
	return err
}

// exchange is the cryptography of one exchange.
func (k *kit) exchange(ctx context.Context) error {
	if _, err := k.seal(ctx); err != nil {
		return err
	}
	for range signatures {
		if err := k.sign(ctx); err != nil {
			return err
		}
	}
	for range verifications {
		if err := k.verify(ctx); err != nil {
			return err
		}
	}
	return k.open(ctx)
}

// bound is exchanges per second of cryptography alone, on all cores.
func bound(ctx context.Context, d time.Duration) (float64, error) {
	k, err := newKit(ctx)
	if err != nil {
		return 0, err
	}
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for time.Now().Before(end) && failed.Load() == nil {
				if err := k.exchange(ctx); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, fmt.Errorf("bound: %w", *err)
	}
	return float64(done.Load()) / d.Seconds(), nil
}

// operations times each operation alone, on one core.
func operations(ctx context.Context, d time.Duration) ([]Operation, error) {
	k, err := newKit(ctx)
	if err != nil {
		return nil, err
	}
	ops := []Operation{
		{Name: "seal", Count: 1, Origin: "body, to the recipient and the sender"},
		{Name: "sign", Count: signatures, Origin: "header, deposit, consigned"},
		{Name: "verify", Count: verifications, Origin: "header, deposit, consigned"},
		{Name: "open", Count: 1, Origin: "body, by the recipient"},
	}
	for i, f := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := k.seal(ctx); return err }, k.sign, k.verify, k.open,
	} {
		n, start := 0, time.Now()
		for time.Since(start) < d/8 {
			if err := f(ctx); err != nil {
				return nil, err
			}
			n++
		}
		ops[i].Each = time.Since(start) / time.Duration(n)
	}
	return ops, nil
}
