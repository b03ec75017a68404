package keyring

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/crypto/seal"
)

var day = time.Date(2026, 3, 2, 9, 41, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func generate(t testing.TB, name string, o seal.Options) *seal.Identity {
	t.Helper()
	if o.Created.IsZero() {
		o.Created = day.AddDate(0, -1, 0)
	}
	id, err := seal.Generate(name, o)
	must(t, err)
	return id
}

func sealed(t testing.TB, r *Ring, by string, to ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := r.Seal(context.Background(), &out, by, to, day)
	must(t, err)
	_, err = w.Write([]byte("texte"))
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func open(r *Ring, msg []byte, as, by string) (Opened, error) {
	return r.Open(context.Background(), bytes.NewReader(msg), int64(len(msg)), as, by)
}

func TestExchange(t *testing.T) {
	ctx := context.Background()
	r := New()
	ase, parquet := generate(t, "ase", seal.Options{}), generate(t, "parquet", seal.Options{})
	r.AddIdentity("ase-59", ase)
	r.AddIdentity("parquet-lille", parquet)
	r.AddCert("je-lille", generate(t, "je", seal.Options{}).Cert())

	msg := sealed(t, r, "ase-59", "parquet-lille", "je-lille")
	for _, as := range []string{"parquet-lille", "ase-59"} {
		o, err := open(r, msg, as, "ase-59")
		must(t, err)
		rd, err := o.Reader(ctx)
		must(t, err)
		b, err := io.ReadAll(rd)
		if err != nil || string(b) != "texte" || o.Signer() != string(ase.Cert().Fingerprint()) {
			t.Errorf("as %s: %q %v", as, b, err)
		}
		again, err := r.OpenWithSessionKey(ctx, bytes.NewReader(msg), int64(len(msg)), o.SessionKey(), "ase-59")
		if err != nil || again.Size() != 5 {
			t.Errorf("with the session key: %v", err)
		}
	}
	if _, err := open(r, msg, "parquet-lille", "parquet-lille"); seal.Exact(err) != "signer_unknown" {
		t.Errorf("wrong sender: %v", err)
	}
	if _, err := open(r, msg, "je-lille", "ase-59"); !errors.Is(err, ErrNoKey) {
		t.Errorf("without private key: %v", err)
	}

	sig, fp, err := r.Sign(ctx, "parquet-lille", []byte("x"), day)
	must(t, err)
	got, at, err := r.Verify("parquet-lille", []byte("x"), sig)
	if err != nil || got != fp || !at.Equal(day) {
		t.Errorf("verify: %s %v %v", got, at, err)
	}
	if _, _, err := r.Verify("ase-59", []byte("x"), sig); seal.Exact(err) != "signer_unknown" {
		t.Errorf("signature of another owner: %v", err)
	}
	if !slices.Equal(r.Owners(), []string{"ase-59", "je-lille", "parquet-lille"}) || !r.Has("ase-59") || r.Has("je-lille") || r.Has("inconnu") {
		t.Error("owners")
	}
	if b, ok := r.Cert(fp); !ok || !bytes.Equal(b, parquet.Cert().Bytes()) {
		t.Error("certificate by fingerprint")
	}
	if _, ok := r.Cert("inconnu"); ok {
		t.Error("unknown certificate found")
	}
}

// Keys change: the new one is used, the old one still opens and verifies.
func TestRotation(t *testing.T) {
	ctx := context.Background()
	r := New()
	before := generate(t, "ase", seal.Options{Created: day.AddDate(-1, 0, 0)})
	parquet := generate(t, "parquet", seal.Options{})
	r.AddIdentity("ase-59", before)
	r.AddIdentity("parquet-lille", parquet)
	msg := sealed(t, r, "parquet-lille", "ase-59")
	sig, oldFP, err := r.Sign(ctx, "ase-59", []byte("x"), day)
	must(t, err)

	retired, err := before.Revoke(day, false)
	must(t, err)
	r.AddCert("ase-59", retired)
	if err := r.Usable("ase-59", day, false); err == nil {
		t.Error("a retired key is usable")
	}
	after := generate(t, "ase", seal.Options{Created: day})
	r.AddIdentity("ase-59", after)
	r.AddIdentity("ase-59", before) // again, without its revocation

	_, newFP, err := r.Sign(ctx, "ase-59", []byte("x"), day)
	must(t, err)
	if newFP != string(after.Cert().Fingerprint()) {
		t.Error("signed with the old key")
	}
	if !slices.Equal(r.Certs("ase-59"), []string{newFP, oldFP}) {
		t.Error("not newest first")
	}
	if _, err := open(r, msg, "ase-59", "parquet-lille"); err != nil {
		t.Errorf("old message: %v: %s", err, seal.Exact(err))
	}
	if fp, _, err := r.Verify("ase-59", []byte("x"), sig); err != nil || fp != oldFP {
		t.Errorf("old signature: %v", err)
	}
	if s := r.Standing(oldFP, day, false); s != "retired" {
		t.Errorf("standing of the old key: %s", s)
	}
	if s := r.Standing(oldFP, day.Add(-time.Second), true); s != "usable" {
		t.Errorf("standing of the old key before: %s", s)
	}
	if at, compromised, ok := r.RevokedAt(oldFP); !ok || compromised || !at.Equal(day) {
		t.Errorf("revocation: %v %v %v", at, compromised, ok)
	}
	if r.Standing("inconnu", day, false) != "unknown" {
		t.Error("unknown fingerprint")
	}
}

// The newest certificate begins tomorrow: today's is used until then.
func TestNewestUsable(t *testing.T) {
	r := New()
	today, tomorrow := generate(t, "ase", seal.Options{}), generate(t, "ase", seal.Options{Created: day.AddDate(0, 0, 1)})
	r.AddIdentity("ase-59", tomorrow)
	r.AddIdentity("ase-59", today)
	for at, want := range map[time.Time]*seal.Identity{day: today, day.AddDate(0, 0, 2): tomorrow} {
		_, fp, err := r.Sign(context.Background(), "ase-59", nil, at)
		if err != nil || fp != string(want.Cert().Fingerprint()) {
			t.Errorf("at %v: %v", at, err)
		}
	}
}

// saysWhatToDo also checks that Seal says the same as Usable, and writes nothing.
func saysWhatToDo(t *testing.T, r *Ring, owner string) {
	t.Helper()
	err := r.Usable(owner, day, true)
	var hint interface{ Hint() string }
	if !errors.As(err, &hint) || hint.Hint() == "" || !strings.Contains(err.Error(), owner) {
		t.Errorf("%s: %v says not what to do", owner, err)
	}
	var out bytes.Buffer
	r.AddIdentity("ase-59", generate(t, "ase", seal.Options{}))
	if _, got := r.Seal(context.Background(), &out, "ase-59", []string{owner}, day); got == nil || got.Error() != err.Error() || out.Len() > 0 {
		t.Errorf("%s: Seal says %v", owner, got)
	}
}

func TestUsable(t *testing.T) {
	r := New()
	short := generate(t, "ase", seal.Options{Lifetime: 24 * time.Hour})
	r.AddIdentity("expire", short)
	later := generate(t, "ase", seal.Options{Created: day.AddDate(0, 0, 1)})
	r.AddIdentity("demain", later)
	broker := generate(t, "relais", seal.Options{SignOnly: true})
	r.AddIdentity("relais", broker)
	for owner, compromised := range map[string]bool{"vole": true, "retire": false} {
		id := generate(t, owner, seal.Options{})
		c, err := id.Revoke(day, compromised)
		must(t, err)
		r.AddIdentity(owner, id)
		r.AddCert(owner, c)
	}
	var expired *ExpiredError
	var revoked *RevokedError
	var notYet *NotYetError
	var noKey *NoKeyError
	if err := r.Usable("expire", day, true); !errors.As(err, &expired) || !expired.Expired.Equal(day.AddDate(0, -1, 1)) || expired.Fingerprint != string(short.Cert().Fingerprint()) {
		t.Errorf("expired: %v", err)
	}
	if err := r.Usable("vole", day, true); !errors.As(err, &revoked) || !revoked.Compromised || !revoked.Revoked.Equal(day) {
		t.Errorf("compromised: %v", err)
	}
	if err := r.Usable("retire", day, true); !errors.As(err, &revoked) || revoked.Compromised {
		t.Errorf("retired: %v", err)
	}
	if err := r.Usable("retire", day.Add(-time.Second), true); err != nil {
		t.Errorf("before it was retired: %v", err)
	}
	if err := r.Usable("demain", day, false); !errors.As(err, &notYet) {
		t.Errorf("not yet: %v", err)
	}
	if err := r.Usable("relais", day, true); !errors.As(err, &noKey) || !errors.Is(err, ErrNoKey) {
		t.Errorf("only signs: %v", err)
	}
	if err := r.Usable("relais", day, false); err != nil {
		t.Errorf("signs: %v", err)
	}
	if err := r.Usable("inconnu", day, false); !errors.Is(err, ErrNoKey) {
		t.Errorf("unknown: %v", err)
	}
	for _, owner := range []string{"expire", "vole", "retire", "demain", "inconnu"} {
		saysWhatToDo(t, r, owner)
	}
	if _, err := r.Seal(context.Background(), io.Discard, "relais", []string{"ase-59"}, day); !errors.Is(err, ErrNoKey) {
		t.Errorf("sender that cannot read again: %v", err)
	}
	if _, _, err := r.Sign(context.Background(), "vole", nil, day); !errors.As(err, &revoked) {
		t.Errorf("stolen key signs: %v", err)
	}
}

// Every operation while certificates come: the race detector is the judge. A
// canceled context does not wait for a slot, and slots are given back.
func TestConcurrency(t *testing.T) {
	ctx := context.Background()
	r := New()
	r.AddIdentity("ase-59", generate(t, "ase", seal.Options{}))
	r.AddIdentity("je-lille", generate(t, "je", seal.Options{}))
	fresh := make([]*seal.Identity, 20)
	for i := range fresh {
		fresh[i] = generate(t, "ase", seal.Options{Created: day.Add(-time.Duration(i) * time.Hour)})
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 10 {
				msg := sealed(t, r, "ase-59", "je-lille")
				if _, err := open(r, msg, "je-lille", "ase-59"); err != nil {
					t.Errorf("open: %v: %s", err, seal.Exact(err))
				}
				sig, fp, err := r.Sign(ctx, "ase-59", []byte("x"), day)
				if err != nil {
					t.Error(err)
				}
				if _, _, err := r.Verify("ase-59", []byte("x"), sig); err != nil {
					t.Error(err)
				}
				r.Standing(fp, day, false)
				r.Owners()
			}
		})
	}
	wg.Go(func() {
		for _, id := range fresh {
			r.AddIdentity("ase-59", id)
		}
	})
	wg.Wait()
	if len(r.slots) != 0 {
		t.Errorf("%d slots kept", len(r.slots))
	}
	for range cap(r.slots) {
		r.slots <- struct{}{}
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := r.Sign(ended, "ase-59", nil, day); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A sealed evidence names its signer inside only: any owner held may be it,
// and OwnerOf says who it was.
func TestSignerNotKnownBefore(t *testing.T) {
	r := New()
	for _, owner := range []string{"ase-59", "parquet-lille", "je-lille"} {
		r.AddIdentity(owner, generate(t, owner, seal.Options{}))
	}
	msg := sealed(t, r, "je-lille", "ase-59")
	o, err := open(r, msg, "ase-59", "")
	must(t, err)
	if owner, ok := r.OwnerOf(o.Signer()); !ok || owner != "je-lille" {
		t.Errorf("owner %q %v", owner, ok)
	}
	other := New()
	other.AddIdentity("ase-59", r.of("ase-59").ids[0])
	if _, err := open(other, msg, "ase-59", ""); seal.Exact(err) != "signer_unknown" {
		t.Errorf("signer that nobody holds: %v", err)
	}
	if _, ok := r.OwnerOf("inconnu"); ok {
		t.Error("owner of nothing")
	}
	r.AddCert("parquet-lille", r.of("je-lille").certs[0])
	if _, ok := r.OwnerOf(o.Signer()); ok {
		t.Error("one owner of a shared certificate")
	}
	// A revocation that comes for one owner counts for both.
	revoked, err := r.of("je-lille").ids[0].Revoke(day, true)
	must(t, err)
	r.AddCert("parquet-lille", revoked)
	if err := r.Usable("je-lille", day, false); err == nil {
		t.Error("usable although revoked elsewhere")
	}
}

// Lookup by owner and fingerprint does not depend on how many there are.
func BenchmarkSignAmongMany(b *testing.B) {
	for _, n := range []int{1, 5000} {
		b.Run(map[int]string{1: "1_owner", 5000: "5000_owners"}[n], func(b *testing.B) {
			r := New()
			id := generate(b, "ase", seal.Options{})
			for i := range n {
				r.owners[strings.Repeat("x", 1+i%50)+string(rune('a'+i%26))+time.Duration(i).String()] = &holding{}
			}
			r.AddIdentity("ase-59", id)
			for b.Loop() {
				if _, _, err := r.Sign(context.Background(), "ase-59", nil, day); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
