package seal

import (
	"bytes"
	"context"
	"crypto"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func TestSignAndVerify(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	data := []byte(`{"v":1}`)
	sig, err := Sign(context.Background(), alice, data, day)
	must(t, err)
	text := string(sig)
	if !strings.HasPrefix(text, "-----BEGIN PGP SIGNATURE-----\n\n") || !strings.HasSuffix(text, "\n-----END PGP SIGNATURE-----\n") || strings.Contains(text, "\r") || strings.Contains(text, ": ") {
		t.Errorf("form:\n%s", text)
	}
	signer, at, err := Verify(data, sig, []*Cert{bob.Cert(), alice.Cert()})
	must(t, err)
	if signer != string(alice.Cert().Fingerprint()) || !at.Equal(day) {
		t.Errorf("signer %s at %v", signer, at)
	}
	again, err := Sign(context.Background(), alice, data, day)
	must(t, err)
	if !bytes.Equal(sig, again) {
		t.Error("two signatures of the same bytes at the same time differ: something random is inside")
	}
}

func armored(parts ...[]byte) []byte { return enarmor(blockSignature, join(parts...)) }

func TestVerifyAccepts(t *testing.T) {
	alice := generate(t, "alice")
	data := []byte("données")
	good, err := Sign(context.Background(), alice, data, day)
	must(t, err)
	noCRC := string(good)
	noCRC = noCRC[:strings.LastIndex(noCRC, "\n=")] + "\n-----END PGP SIGNATURE-----\n"
	edited := func(edit func(*packet.Signature)) []byte {
		return armored(signature(t, alice.secret[0], data, edit))
	}

	for _, ok := range [][]byte{
		good,
		bytes.TrimSuffix(good, []byte("\n")),
		[]byte(noCRC),
		edited(func(s *packet.Signature) { s.Hash = crypto.SHA512 }),
		edited(func(s *packet.Signature) { s.Hash = crypto.SHA384 }),
	} {
		if _, _, err := Verify(data, ok, []*Cert{alice.Cert()}); err != nil {
			t.Errorf("lawful form refused: %v: %v\n%s", err, err.(*Error).Unwrap(), ok)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	data := []byte("données")
	good, err := Sign(context.Background(), alice, data, day)
	must(t, err)
	key := alice.secret[0]
	plain := signature(t, key, data, nil)
	edited := func(edit func(*packet.Signature)) []byte { return armored(signature(t, key, data, edit)) }
	secret, err := alice.Lock([]byte("passe"), LockIterated)
	must(t, err)
	for _, row := range []attack{
		{"empty", nil, "format"},
		{"binary", plain, "format"},
		{"two blocks", join(good, good), "format"},
		{"other line ends", bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), "format"},
		{"armor headers", bytes.Replace(good, []byte("\n\n"), []byte("\nVersion: 2\nComment: x\n\n"), 1), "format"},
		{"text before", join([]byte("x\n"), good), "format"},
		{"empty line before", join([]byte("\n"), good), "format"},
		{"text after", join(good, []byte("x\n")), "format"},
		{"two line ends after", join(good, []byte("\n")), "format"},
		{"block of a message", enarmor("PGP MESSAGE", plain), "format"},
		{"another end", bytes.Replace(good, []byte("END PGP SIGNATURE"), []byte("END PGP MESSAGE"), 1), "format"},
		{"no end", good[:bytes.Index(good, []byte("-----END"))], "format"},
		{"wrong checksum", bytes.Replace(good, good[bytes.LastIndexByte(good, '='):][:5], []byte("=AAAA"), 1), "format"},
		{"no empty line", bytes.Replace(good, []byte("\n\n"), []byte("\n"), 1), "format"},
		{"seventeen headers", bytes.Replace(good, []byte("\n\n"), []byte("\n"+strings.Repeat("Comment: x\n", 17)+"\n"), 1), "format"},
		{"header that is none", bytes.Replace(good, []byte("\n\n"), []byte("\nx\n\n"), 1), "format"},
		{"control character", bytes.Replace(good, []byte("\n\n"), []byte("\nComment: \x1b[1m\n\n"), 1), "format"},
		{"no base64", enarmor(blockSignature, nil), "format"},
		{"spaces", bytes.Replace(good, []byte("\n\n"), []byte("\n\n "), 1), "format"},
		{"beyond the cap", bytes.Repeat(good, 200), "too_large"},
		{"two signatures", armored(plain, plain), "several_signatures"},
		{"a literal too", armored(plain, literal(t, data)), "format"},
		{"a marker first", armored([]byte{0xca, 3, 'P', 'G', 'P'}, plain), "format"},
		{"private key", armored(secret), "format"},
		{"cut", armored(plain[:len(plain)-1]), "truncated"},
		{"SHA-1", edited(func(s *packet.Signature) { s.Hash = crypto.SHA1 }), "weak_algorithm"},
		{"SHA-224", edited(func(s *packet.Signature) { s.Hash = crypto.SHA224 }), "weak_algorithm"},
		{"text type", edited(func(s *packet.Signature) { s.SigType = packet.SigTypeText }), "format"},
		{"certification type", edited(func(s *packet.Signature) { s.SigType = packet.SigTypeGenericCert }), "format"},
		{"expiring", edited(func(s *packet.Signature) { n := uint32(1e6); s.SigLifetimeSecs = &n }), "bad_signature"},
		{"older than its key", edited(func(s *packet.Signature) { s.CreationTime = day.AddDate(-2, 0, 0) }), "bad_signature"},
		{"critical notation", edited(func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "x@example.test", IsCritical: true}}
		}), "bad_signature"},
		{"by another", armored(signature(t, bob.secret[0], data, nil)), "signer_unknown"},
		{"of other data", armored(signature(t, key, []byte("autres"), nil)), "bad_signature"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := Verify(data, row.msg, []*Cert{alice.Cert()})
			refused(t, err, row.want, row.want)
		})
	}
	if _, _, err := Verify(data, good, nil); Exact(err) != "signer_unknown" {
		t.Errorf("no certificate at all: %v", err)
	}
}

// One changed byte of the armored text: refused, or nothing is changed (the
// unhashed issuer fingerprint may be hidden, not replaced).
func TestEveryByteOfASignature(t *testing.T) {
	alice := generate(t, "alice")
	data := []byte("données")
	good, err := Sign(context.Background(), alice, data, day)
	must(t, err)
	for i := range good {
		for bit := range 8 {
			changed := bytes.Clone(good)
			changed[i] ^= 1 << bit
			if signer, _, err := Verify(data, changed, []*Cert{alice.Cert()}); err == nil {
				t.Errorf("byte %d bit %d: accepted, by %s", i, bit, signer)
			}
		}
	}
	raw, err := dearmor(blockSignature, good)
	must(t, err)
	packets, err := splitPackets(raw, maxSignature)
	must(t, err)
	sig, err := parseSignature(packets[0])
	must(t, err)
	tagged := bytes.Clone(raw)
	tagged[bytes.Index(raw, sig.HashTag[:])] ^= 1
	_, _, err = Verify(data, enarmor(blockSignature, tagged), []*Cert{alice.Cert()})
	refused(t, err, "bad_signature", "bad_signature")
	passed := 0
	for i := range raw {
		for bit := range 8 {
			changed := bytes.Clone(raw)
			changed[i] ^= 1 << bit
			signer, at, err := Verify(data, enarmor(blockSignature, changed), []*Cert{alice.Cert()})
			if err == nil {
				passed++
				if signer != string(alice.Cert().Fingerprint()) || !at.Equal(day) {
					t.Errorf("byte %d: another signer or date", i)
				}
			}
		}
	}
	t.Logf("%d of %d bits are not signed nor checked", passed, len(raw)*8)
	if passed > 16 {
		t.Errorf("%d bits may change", passed)
	}
}
