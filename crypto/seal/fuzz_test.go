package seal

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// What ParseCert accepts is stable, small, free of secrets, and cannot be made
// to panic.
func FuzzParseCert(f *testing.F) {
	id := generate(f, "essai")
	revoked, err := id.Revoke(day, true)
	must(f, err)
	secret, err := id.Lock([]byte("passe"), LockIterated)
	must(f, err)
	f.Add(id.Cert().Bytes())
	f.Add(id.Cert().Armor())
	f.Add(revoked.Bytes())
	f.Add(secret)
	f.Add(id.Cert().Bytes()[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		var c *Cert
		var err error
		bounded(t, func() { c, err = ParseCert(b) })
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not a refusal: %v", err)
			}
			return
		}
		if len(c.Bytes()) > maxCertBytes || len(c.Fingerprint()) != 40 {
			t.Fatal("beyond the caps")
		}
		again, err := ParseCert(c.Bytes())
		if err != nil || !bytes.Equal(again.Bytes(), c.Bytes()) {
			t.Fatalf("not stable: %v", err)
		}
		c.Standing(day, ToSign)
		c.Expiry()
	})
}

// Whatever comes, Open refuses with a reason or returns what alice signed.
func FuzzOpen(f *testing.F) {
	alice, bob := generate(f, "alice"), generate(f, "bob")
	text := []byte("un texte sans importance")
	f.Add(sealed(f, alice, []*Cert{bob.Cert()}, text))
	f.Add(forgery{to: []*Cert{bob.Cert()}}.around(f, signed(f, alice, text)))
	f.Add(forgery{to: []*Cert{bob.Cert()}, password: []byte("x")}.around(f, signed(f, alice, text)))
	f.Add(signed(f, alice, text))
	f.Fuzz(func(t *testing.T, b []byte) {
		var o *Opened
		var err error
		bounded(t, func() { o, err = openWithin(b, Limits{Plain: 1 << 20}, bob, alice.Cert()) })
		check(t, o, err, text)
	})
}

// The same below the encryption, where only the signer could write: any packets
// at all.
func FuzzInside(f *testing.F) {
	alice, bob := generate(f, "alice"), generate(f, "bob")
	text := []byte("un texte sans importance")
	whole := signed(f, alice, text)
	f.Add(whole)
	f.Add(compressedAs(f, 2, whole))
	f.Add(join(whole, whole))
	f.Add(literal(f, text))
	f.Fuzz(func(t *testing.T, inner []byte) {
		msg := forgery{to: []*Cert{bob.Cert()}}.around(t, inner)
		var o *Opened
		var err error
		bounded(t, func() { o, err = openWithin(msg, Limits{Plain: 1 << 20}, bob, alice.Cert()) })
		check(t, o, err, text)
	})
}

func check(t *testing.T, o *Opened, err error, text []byte) {
	t.Helper()
	if err == nil {
		if !bytes.Equal(content(t, o), text) {
			t.Fatal("opened what alice never signed")
		}
		return
	}
	var e *Error
	if !errors.As(err, &e) || o != nil {
		t.Fatalf("not a refusal: %v", err)
	}
}

// No bytes but a signature by alice verify, whatever surrounds them.
func FuzzVerify(f *testing.F) {
	alice := generate(f, "alice")
	data := []byte("données")
	good, err := Sign(context.Background(), alice, data, day)
	must(f, err)
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")))
	f.Add(enarmor(blockSignature, literal(f, data)))
	f.Fuzz(func(t *testing.T, sig []byte) {
		signer, _, err := Verify(data, sig, []*Cert{alice.Cert()})
		if err == nil {
			if signer != string(alice.Cert().Fingerprint()) {
				t.Fatal("another signer")
			}
			if _, _, err := Verify([]byte("autres"), sig, []*Cert{alice.Cert()}); err == nil {
				t.Fatal("verifies other data too")
			}
			return
		}
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("not a refusal: %v", err)
		}
	})
}

// A key file is trusted more than a message, yet comes from a file.
func FuzzUnlock(f *testing.F) {
	id := generate(f, "essai")
	for _, format := range []LockFormat{LockIterated} {
		b, err := id.Lock([]byte("passe"), format)
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var got *Identity
		var err error
		bounded(t, func() { got, err = Unlock(b, nil) })
		if err == nil && got.Cert() == nil {
			t.Fatal("an identity without certificate")
		}
	})
}
