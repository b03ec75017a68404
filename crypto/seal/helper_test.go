package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"io"
	"testing"
	"time"

	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// day is the date of everything in these tests, so that nothing depends on the
// clock of the machine.
var day = time.Date(2026, 3, 2, 9, 41, 0, 0, time.UTC)

func generate(t testing.TB, name string) *Identity {
	t.Helper()
	id, err := Generate(name+" <"+name+"@example.test>", Options{Created: day.AddDate(0, -1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func sealed(t testing.TB, by *Identity, to []*Cert, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := Seal(context.Background(), &out, by, to, day)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(msg []byte, as *Identity, by ...*Cert) (*Opened, error) {
	return openWithin(msg, Limits{}, as, by...)
}

func openWithin(msg []byte, lim Limits, as *Identity, by ...*Cert) (*Opened, error) {
	return Open(context.Background(), bytes.NewReader(msg), int64(len(msg)), []*Identity{as}, by, lim)
}

func content(t testing.TB, o *Opened) []byte {
	t.Helper()
	r, err := o.Reader(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// refused checks both words of a refusal: the one for outside and the exact one.
func refused(t testing.TB, err error, outside, exact string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a refusal %s", err, exact)
	}
	if e.Reason() != outside || Exact(err) != exact {
		t.Fatalf("got %s (exactly %s: %v), want %s (exactly %s)", e.Reason(), Exact(err), e.Unwrap(), outside, exact)
	}
}

func veiled(t testing.TB, err error, exact string) {
	t.Helper()
	refused(t, err, "undecipherable", exact)
}

// forgery builds messages that Seal never would.
type forgery struct {
	before    []byte // packets before the key packets
	to        []*Cert
	anonymous bool
	repeat    int // key packets for each of to
	password  []byte
	cipher    packet.CipherFunction
}

func (f forgery) around(t testing.TB, inner []byte) []byte {
	t.Helper()
	if f.cipher == 0 {
		f.cipher = packet.CipherAES256
	}
	cfg := signing(day, nil)
	session := make([]byte, f.cipher.KeySize())
	rand.Read(session)
	var out bytes.Buffer
	out.Write(f.before)
	for _, c := range f.to {
		k, _ := c.pick(day, ToEncrypt)
		for range max(f.repeat, 1) {
			must(t, packet.SerializeEncryptedKeyAEADwithHiddenOption(&out, k.pub, f.cipher, false, session, f.anonymous, cfg))
		}
	}
	if f.password != nil {
		must(t, packet.SerializeSymmetricKeyEncryptedReuseKey(&out, session, f.password, cfg))
	}
	w, err := packet.SerializeSymmetricallyEncrypted(&out, f.cipher, false, packet.CipherSuite{}, session, cfg)
	must(t, err)
	_, err = w.Write(inner)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// signature makes the signature packet of content by key, changed by edit.
func signature(t testing.TB, key *packet.PrivateKey, content []byte, edit func(*packet.Signature)) []byte {
	t.Helper()
	cfg := signing(day, nil)
	sig := newSignature(key, packet.SigTypeBinary, cfg)
	if edit != nil {
		edit(sig)
	}
	h := sig.Hash.New()
	h.Write(content)
	must(t, sig.Sign(h, key, cfg))
	var out bytes.Buffer
	must(t, sig.Serialize(&out))
	return out.Bytes()
}

func onePass(t testing.TB, key *packet.PrivateKey, h crypto.Hash, last bool) []byte {
	t.Helper()
	var out bytes.Buffer
	ops := packet.OnePassSignature{Version: 3, Hash: h, PubKeyAlgo: key.PubKeyAlgo, KeyId: key.KeyId, IsLast: last}
	must(t, ops.Serialize(&out))
	return out.Bytes()
}

func literal(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := packet.SerializeLiteral(keepOpen{&out}, true, "", 0)
	must(t, err)
	_, err = w.Write(content)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func compressed(t testing.TB, algo packet.CompressionAlgo, inner []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := packet.SerializeCompressed(keepOpen{&out}, algo, nil)
	must(t, err)
	_, err = w.Write(inner)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// signed is what a lawful message holds.
func signed(t testing.TB, by *Identity, content []byte, intended ...*Cert) []byte {
	t.Helper()
	key := by.secret[0]
	return join(onePass(t, key, crypto.SHA256, true), literal(t, content),
		signature(t, key, content, func(s *packet.Signature) {
			for _, c := range intended {
				s.IntendedRecipients = append(s.IntendedRecipients, &packet.Recipient{KeyVersion: 4, Fingerprint: c.primary.pub.Fingerprint})
			}
		}))
}

// entity makes keys with the library, of any algorithm.
func entity(t testing.TB, cfg *packet.Config) *pgp.Entity {
	t.Helper()
	cfg.Time = func() time.Time { return day.AddDate(0, -1, 0) }
	e, err := pgp.NewEntity("Essai", "", "essai@example.test", cfg)
	must(t, err)
	return e
}

func exported(t testing.TB, e *pgp.Entity) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, e.Serialize(&out))
	return out.Bytes()
}
