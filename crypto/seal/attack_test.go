package seal

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"io"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// scene is what the forgeries below are made of.
type scene struct {
	alice, bob, carol, mallory *Identity
	toBob                      forgery
	text                       []byte
	key                        *packet.PrivateKey // alice's
	ops, lit, sig              []byte             // the packets of a lawful message
	whole                      []byte             // them together
	sealed                     []byte             // a lawful message
	bomb                       []byte
}

func newScene(t *testing.T) scene {
	s := scene{alice: generate(t, "alice"), bob: generate(t, "bob"), carol: generate(t, "carol"), mallory: generate(t, "mallory")}
	s.toBob = forgery{to: []*Cert{s.bob.Cert()}}
	s.text = []byte("un texte sans importance")
	s.key = s.alice.secret[0]
	s.ops, s.lit = onePass(t, s.key, crypto.SHA256, true), literal(t, s.text)
	s.sig = s.signature(t, nil)
	s.whole = signed(t, s.alice, s.text)
	s.sealed = sealed(t, s.alice, []*Cert{s.bob.Cert()}, s.text)
	s.bomb = join(s.ops, literal(t, make([]byte, 8<<20)), s.sig)
	return s
}

func (s scene) signature(t *testing.T, edit func(*packet.Signature)) []byte {
	return signature(t, s.key, s.text, edit)
}

// attack is a message that somebody could put in our way, and the exact word
// that must answer it.
type attack struct {
	name string
	msg  []byte
	want string
}

func (s scene) try(t *testing.T, attacks []attack, check func(t testing.TB, err error, want string)) {
	t.Helper()
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			_, err := openWithin(a.msg, Limits{Plain: 1 << 20}, s.bob, s.alice.Cert())
			check(t, err, a.want)
			if bytes.Contains([]byte(err.Error()), s.text) {
				t.Error("the error quotes the content")
			}
		})
	}
}

// What shows before any secret key is used is named.
func TestAttacksSeenFromOutside(t *testing.T) {
	s := newScene(t)
	noIntegrity, err := serialize(tagPlainSED, make([]byte, 200))
	must(t, err)
	marker, err := serialize(tagMarker, []byte("PGP"))
	must(t, err)
	s.try(t, []attack{
		{"signed only", s.whole, "not_encrypted"},
		{"in clear", s.lit, "not_encrypted"},
		{"compressed in clear", compressed(t, packet.CompressionZIP, s.whole), "not_encrypted"},
		{"password packet", forgery{to: s.toBob.to, password: []byte("x")}.around(t, s.whole), "password_packet"},
		{"password packet and forwarded", forgery{to: s.toBob.to, password: []byte("x")}.around(t, signed(t, s.alice, s.text, s.carol.Cert())), "password_packet"},
		{"password packet only", forgery{password: []byte("x")}.around(t, s.whole), "password_packet"},
		{"200 recipients", forgery{to: s.toBob.to, repeat: 200}.around(t, s.whole), "too_many_recipients"},
		{"17 recipients", forgery{to: s.toBob.to, repeat: 17}.around(t, s.whole), "too_many_recipients"},
		{"anonymous recipient", forgery{to: s.toBob.to, anonymous: true}.around(t, s.whole), "anonymous_recipient"},
		{"not addressed", forgery{to: []*Cert{s.carol.Cert()}}.around(t, s.whole), "not_addressed"},
		{"no key packet", forgery{}.around(t, s.whole), "not_addressed"},
		{"no integrity protection", join(keyPacket(t, s.bob), noIntegrity), "weak_algorithm"},
		{"trailing bytes", join(s.sealed, []byte{0}), "trailing_bytes"},
		{"trailing message", join(s.sealed, s.sealed), "trailing_bytes"},
		{"marker first", join(marker, s.sealed), "format"},
		{"armored", enarmor("PGP MESSAGE", s.sealed), "format"},
		{"empty", nil, "truncated"},
		{"content beyond the limit", s.toBob.around(t, s.bomb), "too_large"},
	}, func(t testing.TB, err error, want string) { refused(t, err, want, want) })
}

// What shows after decryption has one word for all.
func TestAttacksSeenFromInside(t *testing.T) {
	s := newScene(t)
	marker, err := serialize(tagMarker, []byte("PGP"))
	must(t, err)
	s.try(t, []attack{
		{"unsigned", s.toBob.around(t, s.lit), "unsigned"},
		{"announced signature missing", s.toBob.around(t, join(s.ops, s.lit)), "unsigned"},
		{"wrong signer", s.toBob.around(t, signed(t, s.mallory, s.text, s.bob.Cert())), "signer_unknown"},
		{"signature of another under the name of alice", s.toBob.around(t, join(s.ops, s.lit, signature(t, s.mallory.secret[0], s.text, nil))), "bad_signature"},
		{"signature of another content", s.toBob.around(t, join(s.ops, literal(t, []byte("autre")), s.sig)), "bad_signature"},
		{"two signatures", s.toBob.around(t, join(onePass(t, s.mallory.secret[0], crypto.SHA256, false), s.ops, s.lit, s.sig, signature(t, s.mallory.secret[0], s.text, nil))), "several_signatures"},
		{"two signatures, alice first", s.toBob.around(t, join(onePass(t, s.key, crypto.SHA256, false), onePass(t, s.mallory.secret[0], crypto.SHA256, true), s.lit, signature(t, s.mallory.secret[0], s.text, nil), s.sig)), "several_signatures"},
		{"two signatures, each announced as the last", s.toBob.around(t, join(s.ops, s.ops, s.lit, s.sig, s.sig)), "several_signatures"},
		{"literal that is not binary", s.toBob.around(t, join(s.ops, bytes.Replace(s.lit, []byte("b\x00"), []byte("u\x00"), 1), s.sig)), "format"},
		{"second signature not announced", s.toBob.around(t, join(s.ops, s.lit, s.sig, s.sig)), "several_signatures"},
		{"old form, signature first", s.toBob.around(t, join(s.sig, s.lit)), "format"},
		{"forwarded to another, intended recipients", s.toBob.around(t, signed(t, s.alice, s.text, s.carol.Cert(), s.alice.Cert())), "not_intended"},
		{"SHA-1 signature", s.toBob.around(t, join(onePass(t, s.key, crypto.SHA1, true), s.lit, s.signature(t, func(s *packet.Signature) { s.Hash = crypto.SHA1 }))), "weak_algorithm"},
		{"SHA-1 signature announced as SHA-256", s.toBob.around(t, join(s.ops, s.lit, s.signature(t, func(s *packet.Signature) { s.Hash = crypto.SHA1 }))), "weak_algorithm"},
		{"SHA-512 announced as SHA-256", s.toBob.around(t, join(s.ops, s.lit, s.signature(t, func(s *packet.Signature) { s.Hash = crypto.SHA512 }))), "bad_signature"},
		{"text signature", s.toBob.around(t, join(s.ops, s.lit, s.signature(t, func(s *packet.Signature) { s.SigType = packet.SigTypeText }))), "format"},
		{"expiring signature", s.toBob.around(t, join(s.ops, s.lit, s.signature(t, func(s *packet.Signature) { n := uint32(60); s.SigLifetimeSecs = &n }))), "bad_signature"},
		{"critical notation", s.toBob.around(t, join(s.ops, s.lit, s.signature(t, func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "x@example.test", Value: []byte("y"), IsCritical: true}}
		}))), "bad_signature"},
		{"signature older than its key", s.toBob.around(t, join(s.ops, s.lit, s.signature(t, func(s *packet.Signature) { s.CreationTime = day.AddDate(-1, 0, 0) }))), "bad_signature"},
		{"weak cipher", forgery{to: s.toBob.to, cipher: packet.CipherCAST5}.aroundCAST5(t), "weak_algorithm"},
		{"packet after the signature", s.toBob.around(t, join(s.ops, s.lit, s.sig, s.lit)), "trailing_bytes"},
		{"marker inside", s.toBob.around(t, join(marker, s.ops, s.lit, s.sig)), "format"},
		{"message in a message", s.toBob.around(t, s.sealed), "format"},
		{"bomb", s.toBob.around(t, compressed(t, packet.CompressionZLIB, s.bomb)), "too_large"},
		{"bomb before the signature", s.toBob.around(t, compressed(t, packet.CompressionZIP, join(s.ops, literal(t, make([]byte, 64<<20))))), "too_large"},
		{"nested compression", s.toBob.around(t, compressed(t, packet.CompressionZLIB, compressed(t, packet.CompressionZIP, s.whole))), "compressed"},
		{"uncompressed compression", s.toBob.around(t, compressedAs(t, 0, s.whole)), "compressed"},
		{"bzip2", s.toBob.around(t, compressedAs(t, 3, s.whole)), "compressed"},
		{"packet after the compressed one", s.toBob.around(t, join(compressedAs(t, 2, s.whole), s.lit)), "trailing_bytes"},
	}, veiled)
}

// What is lawful and looks like an attack passes.
func TestLawfulNeighbours(t *testing.T) {
	alice, bob, carol := generate(t, "alice"), generate(t, "bob"), generate(t, "carol")
	text := []byte("un texte sans importance")
	toBob := forgery{to: []*Cert{bob.Cert()}}
	for _, c := range []struct {
		name string
		msg  []byte
	}{
		{"no intended recipients, as gpg writes", toBob.around(t, signed(t, alice, text))},
		{"intended recipients", toBob.around(t, signed(t, alice, text, carol.Cert(), bob.Cert()))},
		{"zip", toBob.around(t, compressed(t, packet.CompressionZIP, signed(t, alice, text)))},
		{"zlib", toBob.around(t, compressed(t, packet.CompressionZLIB, signed(t, alice, text)))},
		{"sixteen recipients", forgery{to: toBob.to, repeat: 16}.around(t, signed(t, alice, text))},
		{"bob second", forgery{to: []*Cert{carol.Cert(), bob.Cert()}}.around(t, signed(t, alice, text))},
		{"AES-128", forgery{to: toBob.to, cipher: packet.CipherAES128}.around(t, signed(t, alice, text))},
		{"SHA-512", toBob.around(t, join(onePass(t, alice.secret[0], crypto.SHA512, true), literal(t, text),
			signature(t, alice.secret[0], text, func(s *packet.Signature) { s.Hash = crypto.SHA512 })))},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, err := open(c.msg, bob, carol.Cert(), alice.Cert())
			if err != nil {
				t.Fatalf("%v: %s", err, Exact(err))
			}
			if got := content(t, o); !bytes.Equal(got, text) || o.Signer() != string(alice.Cert().Fingerprint()) {
				t.Errorf("got %q by %s", got, o.Signer())
			}
		})
	}
}

// A message forwarded without intended recipients passes here: it is the
// signed content that names its addressees, as the package says of gpg.
func TestForwardedWithoutIntendedRecipientsIsForTheCallerToSee(t *testing.T) {
	alice, carol := generate(t, "alice"), generate(t, "carol")
	msg := forgery{to: []*Cert{carol.Cert()}}.around(t, signed(t, alice, []byte("pour bob")))
	if _, err := open(msg, carol, alice.Cert()); err != nil {
		t.Fatal(err)
	}
}

func TestSignatureByAKeyNotMeantToSign(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	other := generate(t, "autre").secret[0]
	for _, c := range []struct {
		name string
		flag func(*packet.Signature)
	}{
		{"encryption subkey", func(s *packet.Signature) { s.FlagEncryptCommunications = true }},
		{"authentication subkey", func(s *packet.Signature) { s.FlagAuthenticate = true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			sub := *other
			sub.IsSubkey = true
			bind := newSignature(alice.secret[0], packet.SigTypeSubkeyBinding, signing(day, nil))
			bind.FlagsValid = true
			c.flag(bind)
			must(t, bind.SignKey(&sub.PublicKey, alice.secret[0], signing(day, nil)))
			var raw bytes.Buffer
			raw.Write(alice.Cert().Bytes())
			must(t, sub.PublicKey.Serialize(&raw))
			must(t, bind.Serialize(&raw))
			cert, err := ParseCert(raw.Bytes())
			must(t, err)
			text := []byte("texte")
			msg := forgery{to: []*Cert{bob.Cert()}}.around(t, join(onePass(t, &sub, crypto.SHA256, true), literal(t, text), signature(t, &sub, text, nil)))
			_, err = open(msg, bob, cert)
			veiled(t, err, "bad_signature")
			_, _, err = Verify(text, enarmor(blockSignature, signature(t, &sub, text, nil)), []*Cert{cert})
			refused(t, err, "bad_signature", "bad_signature")
		})
	}
}

// Every bit of a whole message, one after the other. A change may pass only if
// it changes nothing: the key packet of another recipient, the form of a length.
func TestEveryBitFlip(t *testing.T) {
	alice, bob, carol := generate(t, "alice"), generate(t, "bob"), generate(t, "carol")
	text := bytes.Repeat([]byte("0123456789"), 70)
	msg := sealed(t, alice, []*Cert{carol.Cert(), bob.Cert()}, text)
	passed := 0
	for i := range msg {
		for bit := range 8 {
			changed := bytes.Clone(msg)
			changed[i] ^= 1 << bit
			o, err := open(changed, bob, alice.Cert(), carol.Cert())
			if err != nil {
				var e *Error
				if !errors.As(err, &e) {
					t.Fatalf("byte %d: %v is no refusal", i, err)
				}
				continue
			}
			passed++
			if !bytes.Equal(content(t, o), text) || o.Signer() != string(alice.Cert().Fingerprint()) || !o.SignedAt().Equal(day) {
				t.Fatalf("byte %d bit %d: another message opened", i, bit)
			}
		}
	}
	if limit := 2 * 100 * 8; passed > limit {
		t.Errorf("%d changes passed: more than the key packets of the two others hold", passed)
	}
}

func TestEveryTruncation(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	for _, size := range []int{10, 3000, 300_000} {
		msg := sealed(t, alice, []*Cert{bob.Cert()}, make([]byte, size))
		step := max(1, len(msg)/1500)
		for n := 0; n < len(msg); n += step {
			if _, err := open(msg[:n], bob, alice.Cert()); err == nil {
				t.Fatalf("opened %d bytes of %d", n, len(msg))
			}
		}
		if _, err := open(msg[:len(msg)-1], bob, alice.Cert()); err == nil {
			t.Fatal("opened without the last byte")
		}
	}
}

// A cut that moves the lengths along, so that only the integrity code tells.
func TestShortenedWithRightLengths(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	msg := sealed(t, alice, []*Cert{bob.Cert()}, make([]byte, 20))
	env, err := inspect(context.Background(), bytes.NewReader(msg), int64(len(msg)))
	must(t, err)
	data := bytes.Clone(msg[env.data:])
	for n := len(data) - 3; n > smallestSealed; n-- {
		short, err := serialize(tagSEIPD, data[3:n])
		must(t, err)
		if _, err := open(join(msg[:env.data], short), bob, alice.Cert()); err == nil {
			t.Fatalf("opened %d bytes", n)
		}
	}
}

func TestPartialLengths(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	text := make([]byte, 3000)
	msg := sealed(t, alice, []*Cert{bob.Cert()}, text)
	env, err := inspect(context.Background(), bytes.NewReader(msg), int64(len(msg)))
	must(t, err)
	w := &walker{source: source{ctx: context.Background(), src: bytes.NewReader(msg), off: env.data, end: int64(len(msg))}}
	_, x, err := readHeader(w)
	must(t, err)
	whole, err := io.ReadAll(&body{src: w, left: x})
	must(t, err)
	chunked := func(first byte, rest ...byte) []byte {
		out := []byte{0xc0 | tagSEIPD}
		left := whole
		for _, power := range append([]byte{first}, rest...) {
			out = append(append(out, 0xe0|power), left[:1<<power]...)
			left = left[1<<power:]
		}
		out = append(out, 255, 0, 0, byte(len(left)>>8), byte(len(left)))
		return join(msg[:env.data], out, left)
	}
	for _, ok := range [][]byte{chunked(9), chunked(9, 0, 0, 1, 10), chunked(11)} {
		o, err := open(ok, bob, alice.Cert())
		if err != nil {
			t.Fatalf("lawful chunks: %v: %s", err, Exact(err))
		}
		if !bytes.Equal(content(t, o), text) {
			t.Fatal("another content")
		}
	}
	_, err = open(chunked(8, 8), bob, alice.Cert())
	refused(t, err, "format", "format")
	endless := append(chunked(9)[:env.data+2], 0)
	_, err = open(endless, bob, alice.Cert())
	refused(t, err, "truncated", "truncated")
}

// Two keys of one identity, the packet for the first being garbage.
func TestGarbageKeyPacketBeforeOurs(t *testing.T) {
	alice, bob := generate(t, "alice"), generate(t, "bob")
	garbage := bytes.Clone(keyPacket(t, bob))
	garbage[len(garbage)-5] ^= 1
	msg := forgery{before: garbage, to: []*Cert{bob.Cert()}}.around(t, signed(t, alice, []byte("x")))
	if _, err := open(msg, bob, alice.Cert()); err != nil {
		t.Fatalf("%v: %s", err, Exact(err))
	}
	_, err := open(join(garbage, msg[len(garbage)+len(keyPacket(t, bob)):]), bob, alice.Cert())
	veiled(t, err, "undecipherable")
}

func keyPacket(t testing.TB, id *Identity) []byte {
	t.Helper()
	var out bytes.Buffer
	k, _ := id.Cert().pick(day, ToEncrypt)
	must(t, packet.SerializeEncryptedKeyAEAD(&out, k.pub, packet.CipherAES256, false, make([]byte, 32), signing(day, nil)))
	return out.Bytes()
}

// compressedAs writes one compressed packet of definite length whose algorithm
// octet is kind; its bytes are ZLIB for 2.
func compressedAs(t testing.TB, kind byte, inner []byte) []byte {
	t.Helper()
	payload := inner
	if kind == 2 {
		whole := compressed(t, packet.CompressionZLIB, inner)
		r := bytes.NewReader(whole)
		_, x, err := readHeader(r)
		must(t, err)
		b, err := io.ReadAll(&body{src: r, left: x})
		must(t, err)
		payload = b[1:]
	}
	out, err := serialize(tagCompress, append([]byte{kind}, payload...))
	must(t, err)
	return out
}

// aroundCAST5 says CAST5 in the key packet; the data cannot be made with it by
// the library, so any data will do: it must not be reached.
func (f forgery) aroundCAST5(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	k, _ := f.to[0].pick(day, ToEncrypt)
	must(t, packet.SerializeEncryptedKeyAEAD(&out, k.pub, packet.CipherCAST5, false, make([]byte, 16), signing(day, nil)))
	data, err := serialize(tagSEIPD, append([]byte{1}, bytes.Repeat([]byte{7}, 100)...))
	must(t, err)
	return join(out.Bytes(), data)
}
