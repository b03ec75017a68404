package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func TestSealAndOpen(t *testing.T) {
	alice, bob, carol := generate(t, "alice"), generate(t, "bob"), generate(t, "carol")
	for _, size := range []int{0, 1, 22, 511, 512, 513, 4096, 70_000, 1 << 20, 1<<20 + 1, 3 << 20} {
		text := make([]byte, size)
		rand.Read(text)
		msg := sealed(t, alice, []*Cert{bob.Cert(), carol.Cert()}, text)
		for _, reader := range []*Identity{alice, bob, carol} {
			o, err := open(msg, reader, alice.Cert())
			if err != nil {
				t.Fatalf("%d bytes: %v: %s", size, err, Exact(err))
			}
			if o.Size() != int64(size) || o.Signer() != string(alice.Cert().Fingerprint()) || o.SignedAt().Sub(day).Abs() > time.Hour { // the date moves on while a large one is written
				t.Errorf("%d bytes: size %d, signer %s, at %v", size, o.Size(), o.Signer(), o.SignedAt())
			}
			if kept := o.small != nil || size == 0; kept != (size <= 1<<20) {
				t.Errorf("%d bytes: kept in memory: %v", size, kept)
			}
			if !bytes.Equal(content(t, o), text) {
				t.Errorf("%d bytes: another content", size)
			}
		}
	}
}

// The form of what is written, packet by packet.
func TestWireForm(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	msg := sealed(t, alice, []*Cert{bob.Cert(), bob.Cert(), alice.Cert()}, []byte("texte"))
	env, err := inspect(context.Background(), bytes.NewReader(msg), int64(len(msg)))
	must(t, err)
	if len(env.keys) != 2 {
		t.Errorf("%d key packets for two distinct certificates", len(env.keys))
	}
	for _, k := range env.keys {
		if k.Version != 3 || k.Algo != packet.PubKeyAlgoECDH {
			t.Error("not a version 3 ECDH key packet")
		}
	}
	o, err := open(msg, bob, alice.Cert())
	must(t, err)
	plain, err := o.decrypt(&source{ctx: context.Background(), src: bytes.NewReader(msg), off: env.data, end: int64(len(msg))})
	must(t, err)
	b, err := io.ReadAll(plain)
	must(t, err)
	packets, err := splitPackets(b, 1<<20)
	must(t, err)
	if len(packets) != 3 || packets[0].Tag != tagOnePass || packets[1].Tag != tagLiteral || packets[2].Tag != tagSignature {
		t.Fatalf("packets inside: %v", packets)
	}
	if !bytes.Equal(packets[1].Contents, []byte("b\x00\x00\x00\x00\x00texte")) {
		t.Errorf("literal %q", packets[1].Contents)
	}
	sig, err := parseSignature(packets[2])
	must(t, err)
	if len(sig.IntendedRecipients) != 2 || len(sig.Notations) != 0 || sig.Hash.String() != "SHA-256" {
		t.Errorf("intended %d, notations %d, hash %s", len(sig.IntendedRecipients), len(sig.Notations), sig.Hash)
	}
	if data := msg[env.data:]; data[0] != 0xc0|tagSEIPD {
		t.Error("not SEIPD")
	}
}

func TestSealRefuses(t *testing.T) {
	ctx := context.Background()
	alice, bob := generate(t, "alice"), generate(t, "bob")
	broker, err := Generate("relais", Options{Created: day, SignOnly: true})
	must(t, err)
	retired, err := bob.Revoke(day, false)
	must(t, err)
	stolen, err := alice.Revoke(day, true)
	must(t, err)
	many := make([]*Cert, 16)
	for i := range many {
		many[i] = generate(t, "x").Cert()
	}
	for _, row := range []struct {
		name string
		by   *Identity
		to   []*Cert
		at   time.Time
		want Standing // zero: ErrRecipients
	}{
		{"nobody", alice, nil, day, 0},
		{"sixteen and the sender", alice, many, day, 0},
		{"retired recipient", alice, []*Cert{bob.Cert(), retired}, day, 0}, // same fingerprint: see below
		{"retired recipient alone", alice, []*Cert{retired}, day, Retired},
		{"expired recipient", alice, []*Cert{bob.Cert()}, day.AddDate(5, 0, 0), Expired},
		{"recipient of tomorrow", alice, []*Cert{bob.Cert()}, day.AddDate(-1, 0, 0), NotYet},
		{"recipient that only signs", alice, []*Cert{broker.Cert()}, day, Unfit},
		{"sender that only signs", broker, []*Cert{bob.Cert()}, day, Unfit},
		{"stolen key of the sender", alice.WithCert(stolen), []*Cert{bob.Cert()}, day, Compromised},
	} {
		t.Run(row.name, func(t *testing.T) {
			var out bytes.Buffer
			_, err := Seal(ctx, &out, row.by, row.to, row.at)
			if row.name == "retired recipient" {
				// One fingerprint twice: the first version given is used.
				must(t, err)
				return
			}
			var unusable *UnusableError
			switch {
			case row.want == 0 && !errors.Is(err, ErrRecipients):
				t.Errorf("got %v", err)
			case row.want != 0 && (!errors.As(err, &unusable) || unusable.Standing != row.want):
				t.Errorf("got %v, want %s", err, row.want)
			}
			if out.Len() != 0 {
				t.Error("bytes were written")
			}
		})
	}
	if _, err := Sign(ctx, alice.WithCert(stolen), nil, day); err == nil {
		t.Error("a stolen key signs")
	}
}

func TestSealStopsWithContextAndWriter(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	ctx, cancel := context.WithCancel(context.Background())
	w, err := Seal(ctx, io.Discard, alice, []*Cert{bob.Cert()}, day)
	must(t, err)
	cancel()
	_, err = w.Write([]byte("x"))
	refused(t, err, "canceled", "canceled")
	refused(t, w.Close(), "canceled", "canceled")

	full := errors.New("disk full")
	w, err = Seal(context.Background(), fullDisk{full}, alice, []*Cert{bob.Cert()}, day)
	must(t, err)
	w.Write(make([]byte, 100_000))
	if err := w.Close(); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
	w, err = Seal(context.Background(), io.Discard, alice, []*Cert{bob.Cert()}, day)
	must(t, err)
	must(t, w.Close())
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("written after Close")
	}
	if err := w.Close(); err == nil {
		t.Error("closed twice in silence")
	}
}

type fullDisk struct{ err error }

func (f fullDisk) Write([]byte) (int, error) { return 0, f.err }

// A pli deposited before a rotation, a revocation or an expiry opens after it,
// and its signature verifies: judging is the caller's.
func TestOldMessagesOpenForEver(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	msg := sealed(t, alice, []*Cert{bob.Cert()}, []byte("ancien"))
	sig, err := Sign(context.Background(), alice, []byte("ancien"), day)
	must(t, err)
	for _, compromised := range []bool{false, true} {
		for _, at := range []time.Time{day.AddDate(0, 0, -1), day.AddDate(0, 0, 1)} {
			gone, err := alice.Revoke(at, compromised)
			must(t, err)
			ours, err := bob.Revoke(at, compromised)
			must(t, err)
			if _, err := open(msg, bob.WithCert(ours), gone); err != nil {
				t.Errorf("compromised %v at %v: %v: %s", compromised, at, err, Exact(err))
			}
			if _, _, err := Verify([]byte("ancien"), sig, []*Cert{gone}); err != nil {
				t.Errorf("compromised %v at %v: %v", compromised, at, err)
			}
		}
	}
	// The certificate was prolonged after the signature: only the newer
	// self-signature is left, and does not invalidate what came before.
	raw, err := selfSign(alice.secret, alice.Cert().UserID(), 4e8, signing(day.AddDate(1, 0, 0), nil))
	must(t, err)
	prolonged, err := ParseCert(raw)
	must(t, err)
	if _, _, err := Verify([]byte("ancien"), sig, []*Cert{prolonged}); err != nil {
		t.Error(err)
	}
	// An expired key that signs with a date of its own: the signature is true,
	// and only the date of deposit tells.
	short, err := Generate("court", Options{Created: day.AddDate(-1, 0, 0), Lifetime: time.Hour})
	must(t, err)
	late := signature(t, short.secret[0], []byte("x"), nil)
	_, at, err := Verify([]byte("x"), enarmor(blockSignature, late), []*Cert{short.Cert()})
	must(t, err)
	if s := short.Cert().Standing(at, ToSign); s != Expired {
		t.Errorf("standing %s", s)
	}
}

func TestOpenWithSessionKey(t *testing.T) {
	ctx := context.Background()
	alice, bob, mallory := generate(t, "alice"), generate(t, "bob"), generate(t, "mallory")
	for _, size := range []int{100, 2 << 20} {
		text := make([]byte, size)
		msg := sealed(t, alice, []*Cert{bob.Cert()}, text)
		o, err := open(msg, bob, alice.Cert())
		must(t, err)
		key := o.SessionKey()
		if !strings.HasPrefix(key, "9:") || len(key) != 66 || strings.ToUpper(key) != key {
			t.Errorf("form of the key: %d characters", len(key))
		}
		again, err := OpenWithSessionKey(ctx, bytes.NewReader(msg), int64(len(msg)), key, []*Cert{alice.Cert()}, Limits{})
		must(t, err)
		if !bytes.Equal(content(t, again), text) || again.SessionKey() != key {
			t.Error("another content")
		}
		_, err = OpenWithSessionKey(ctx, bytes.NewReader(msg), int64(len(msg)), key, []*Cert{mallory.Cert()}, Limits{})
		veiled(t, err, "signer_unknown")
		other := "9:" + strings.Repeat("00", 32)
		if _, err = OpenWithSessionKey(ctx, bytes.NewReader(msg), int64(len(msg)), other, []*Cert{alice.Cert()}, Limits{}); err == nil {
			t.Error("opened with another key")
		}
		for _, bad := range []string{"", "9:", "9:00", key[2:], "7" + key[1:], "3:" + strings.Repeat("00", 16), "x" + key, key + "00", "-9" + key[1:]} {
			_, err = OpenWithSessionKey(ctx, bytes.NewReader(msg), int64(len(msg)), bad, []*Cert{alice.Cert()}, Limits{})
			refused(t, err, "session_key", "session_key")
		}
		_, err = OpenWithSessionKey(ctx, bytes.NewReader(msg[:len(msg)-1]), int64(len(msg)-1), key, []*Cert{alice.Cert()}, Limits{})
		refused(t, err, "truncated", "truncated")
	}
}
