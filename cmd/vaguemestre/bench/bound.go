package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
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
// consigned verified at the sender's. The digests that prove it: at both ends
// every part and the body; header, deposit and consigned, and the leaves of
// both journals with the records that they bind.
const (
	signatures    = 3
	verifications = 3

	facts  = 2 * 3
	leaves = 2 * (3 + 1) // pli, accepted, consigned, and what was delivered
)

// kit is warmed keys and inputs of the sizes that an exchange has.
type kit struct {
	ring   *keyring.Ring
	plain  []byte
	parts  []byte // plain, decoded
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
	s, err := sizesOf(ctx)
	if err != nil {
		return nil, err
	}
	noise := make([]byte, s.body)
	if _, err := io.ReadFull(rand.Reader, noise); err != nil {
		return nil, err
	}
	k.parts, k.small = noise[:s.parts], noise[:s.deposit]
	// As long as what seals to a body of that size.
	k.plain = []byte(base64.StdEncoding.EncodeToString(noise))[:s.body]
	if k.sealed, err = k.seal(ctx); err != nil {
		return nil, err
	}
	k.plain = k.plain[:2*s.body-len(k.sealed)]
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

// digest makes every digest of one exchange.
func (k *kit) digest(context.Context) error {
	for range 2 {
		sha256.Sum256(k.parts)
		sha256.Sum256(k.sealed)
	}
	for range facts {
		sha256.Sum256(k.small)
	}
	for range leaves {
		sha256.Sum256(k.small)       // the record, salted
		sha256.Sum256(k.small[:300]) // the leaf
	}
	return nil
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
	if err := k.digest(ctx); err != nil {
		return err
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
		{Name: "digests", Count: 1, Origin: "all: parts, body, header, evidences, leaves"},
	}
	for i, f := range []func(context.Context) error{
		func(ctx context.Context) error { _, err := k.seal(ctx); return err }, k.sign, k.verify, k.open, k.digest,
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
