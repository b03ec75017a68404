package seal

import (
	"bytes"
	"crypto"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func TestGenerate(t *testing.T) {
	created := day.AddDate(0, 0, -1)
	id, err := Generate("Juge des enfants de Lille (greffe)", Options{Created: created, Lifetime: 48 * time.Hour})
	must(t, err)
	c := id.Cert()
	if c.UserID() != "Juge des enfants de Lille (greffe)" || len(c.Fingerprint()) != 40 || strings.ToLower(string(c.Fingerprint())) != string(c.Fingerprint()) {
		t.Errorf("user id %q, fingerprint %s", c.UserID(), c.Fingerprint())
	}
	if e, ok := c.Expiry(); !ok || !e.Equal(created.Add(48*time.Hour)) {
		t.Errorf("expiry %v %v", e, ok)
	}
	if len(c.keys) != 2 || c.keys[0].pub.PubKeyAlgo != packet.PubKeyAlgoEdDSA || c.keys[1].pub.PubKeyAlgo != packet.PubKeyAlgoECDH {
		t.Error("not the two legacy Curve25519 keys")
	}
	self := c.user.self.sig
	if self.SEIPDv2 || !self.SEIPDv1 || len(self.Notations) != 0 || self.Hash != crypto.SHA256 || !bytes.Equal(self.PreferredCompression, []byte{0}) {
		t.Error("announces something else than the one format")
	}
	for _, form := range [][]byte{c.Bytes(), c.Armor()} {
		again, err := ParseCert(form)
		must(t, err)
		if !bytes.Equal(again.Bytes(), c.Bytes()) {
			t.Error("another certificate after a round trip")
		}
	}
	broker, err := Generate("relais", Options{Created: created, SignOnly: true})
	must(t, err)
	if s := broker.Cert().Standing(day, ToEncrypt); s != Unfit {
		t.Errorf("a broker's certificate can be encrypted to: %s", s)
	}
	if e, ok := broker.Cert().Expiry(); !ok || !e.Equal(created.Add(3*365*24*time.Hour)) {
		t.Errorf("default expiry %v", e)
	}
	for _, bad := range []string{"", "a\nb", strings.Repeat("x", 201), "\xff"} {
		if _, err := Generate(bad, Options{}); err == nil {
			t.Errorf("user id %q accepted", bad)
		}
	}
}

func TestStanding(t *testing.T) {
	born := day.AddDate(0, 0, -10)
	id, err := Generate("essai", Options{Created: born, Lifetime: 20 * 24 * time.Hour})
	must(t, err)
	at := func(days int) time.Time { return born.AddDate(0, 0, days) }
	superseded, err := id.Revoke(at(5), false)
	must(t, err)
	compromised, err := id.Revoke(at(7), true)
	must(t, err)
	for _, c := range []struct {
		name string
		cert *Cert
		at   time.Time
		want Standing
	}{
		{"before creation", id.Cert(), born.Add(-time.Second), NotYet},
		{"at creation", id.Cert(), born, Usable},
		{"in the same second", id.Cert(), born.Add(-time.Nanosecond), NotYet},
		{"a second before expiry", id.Cert(), at(20).Add(-time.Second), Usable},
		{"at expiry", id.Cert(), at(20), Expired},
		{"before it was superseded", superseded, at(5).Add(-time.Second), Usable},
		{"when superseded", superseded, at(5), Retired},
		{"superseded then expired", superseded, at(30), Retired},
		{"before it was compromised", compromised, at(6), Usable},
		{"when compromised", compromised, at(7), Compromised},
		{"both, between", Merge(superseded, compromised), at(6), Retired},
		{"both, after", Merge(compromised, superseded), at(8), Compromised},
	} {
		for _, u := range []Use{ToSign, ToEncrypt} {
			if got := c.cert.Standing(c.at, u); got != c.want {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
		}
	}
	if when, s, ok := superseded.Revocation(); !ok || s != Retired || !when.Equal(at(5)) {
		t.Errorf("revocation %v %s %v", when, s, ok)
	}
	if when, s, ok := Merge(superseded, compromised).Revocation(); !ok || s != Compromised || !when.Equal(at(7)) {
		t.Errorf("revocation %v %s %v", when, s, ok)
	}
	if _, _, ok := id.Cert().Revocation(); ok {
		t.Error("revoked without revocation")
	}
	words := ""
	for s := range Unfit + 2 {
		words += s.String() + " "
	}
	if words != "unknown usable not_yet expired retired compromised unfit unknown " {
		t.Errorf("words: %s", words)
	}
}

// A revocation that gives no reason, or one that we do not know, is as hard as
// a compromise.
func TestRevocationReasons(t *testing.T) {
	id := generate(t, "essai")
	for _, c := range []struct {
		reason *packet.ReasonForRevocation
		want   Standing
	}{
		{nil, Compromised}, {ptr(packet.NoReason), Compromised}, {ptr(packet.Unknown), Compromised},
		{ptr(packet.KeyCompromised), Compromised}, {ptr(packet.KeySuperseded), Retired}, {ptr(packet.KeyRetired), Retired},
	} {
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1} {
			cfg := signing(day, nil)
			sig := newSignature(id.secret[0], packet.SigTypeKeyRevocation, cfg)
			sig.RevocationReason, sig.Hash = c.reason, hash
			must(t, sig.RevokeKey(&id.secret[0].PublicKey, id.secret[0], cfg))
			cert, err := ParseCert(insertAfterPrimary(t, id.Cert(), sig))
			must(t, err)
			if got := cert.Standing(day, ToSign); got != c.want {
				t.Errorf("reason %v: %s, want %s", c.reason, got, c.want)
			}
		}
	}
	// Somebody else's revocation, under our name, counts for nothing.
	cfg := signing(day, nil)
	forger := *generate(t, "mallory").secret[0]
	forger.KeyId, forger.Fingerprint = id.secret[0].KeyId, id.secret[0].Fingerprint
	sig := newSignature(&forger, packet.SigTypeKeyRevocation, cfg)
	must(t, sig.RevokeKey(&id.secret[0].PublicKey, &forger, cfg))
	cert, err := ParseCert(insertAfterPrimary(t, id.Cert(), sig))
	must(t, err)
	if got := cert.Standing(day, ToSign); got != Usable {
		t.Errorf("revoked by a stranger: %s", got)
	}
}

func ptr[T any](v T) *T { return &v }

func insertAfterPrimary(t testing.TB, c *Cert, sig *packet.Signature) []byte {
	t.Helper()
	var out bytes.Buffer
	out.Write(c.primary.raw)
	must(t, sig.Serialize(&out))
	out.Write(c.raw[len(c.primary.raw):])
	return out.Bytes()
}

// What others made and we accept.
func TestParseCertAccepts(t *testing.T) {
	for name, cfg := range map[string]*packet.Config{
		"RSA-3072":          {Algorithm: packet.PubKeyAlgoRSA, RSABits: 3072},
		"P-256":             {Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP256},
		"P-384":             {Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveNistP384},
		"announces SEIPDv2": {Algorithm: packet.PubKeyAlgoEdDSA, AEADConfig: &packet.AEADConfig{}},
	} {
		t.Run(name, func(t *testing.T) {
			alice := generate(t, "alice")
			e := entity(t, cfg)
			c, err := ParseCert(exported(t, e))
			must(t, err)
			var secret bytes.Buffer
			must(t, e.SerializePrivateWithoutSigning(&secret, nil))
			id, err := Unlock(secret.Bytes(), nil)
			must(t, err)
			msg := sealed(t, alice, []*Cert{c}, []byte("texte"))
			if bytes.Contains(msg[:3], []byte{6}) && msg[2] == 6 {
				t.Error("version 6 key packet written")
			}
			o, err := open(msg, id, alice.Cert())
			must(t, err)
			if !strings.HasPrefix(o.SessionKey(), "9:") {
				t.Error("not AES-256")
			}
			if _, err := open(sealed(t, id, []*Cert{alice.Cert()}, []byte("texte")), alice, c); err != nil {
				t.Fatalf("%v: %s", err, Exact(err))
			}
		})
	}
}

// A key packet for our signing key, which RSA could decrypt: not used, as a
// decryption with it could be turned into a signature.
func TestSigningKeyDoesNotDecrypt(t *testing.T) {
	alice := generate(t, "alice")
	e := entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 3072})
	var secret, forged bytes.Buffer
	must(t, e.SerializePrivateWithoutSigning(&secret, nil))
	id, err := Unlock(secret.Bytes(), nil)
	must(t, err)
	must(t, packet.SerializeEncryptedKeyAEAD(&forged, e.PrimaryKey, packet.CipherAES256, false, make([]byte, 32), signing(day, nil)))
	msg := forgery{to: []*Cert{alice.Cert()}, before: forged.Bytes()}.around(t, signed(t, alice, []byte("x")))
	_, err = open(msg, id, alice.Cert())
	refused(t, err, "not_addressed", "not_addressed")
}

// Third parties' signatures, photographs and unknown packets disappear; the
// older self-signatures too.
func TestStripping(t *testing.T) {
	id, other := generate(t, "essai"), generate(t, "autre")
	cfg := signing(day, nil)
	var noise bytes.Buffer
	for range 3000 {
		cert := newSignature(other.secret[0], packet.SigTypeGenericCert, cfg)
		must(t, cert.SignUserId(id.Cert().UserID(), &id.secret[0].PublicKey, other.secret[0], cfg))
		must(t, cert.Serialize(&noise))
		if noise.Len() > 200_000 {
			break
		}
	}
	photo, err := serialize(tagUserAttr, make([]byte, 1000))
	must(t, err)
	unknown, err := serialize(60, make([]byte, 1000))
	must(t, err)
	c := id.Cert()
	older, err := selfSign(id.secret, c.UserID(), 1e6, signing(day.AddDate(0, -1, -1), nil))
	must(t, err)
	olderCert, err := ParseCert(older)
	must(t, err)
	fat := join(c.primary.raw, c.user.raw, olderCert.user.self.raw, noise.Bytes(), c.user.self.raw, photo, unknown, c.subs[0].raw, c.subs[0].self.raw)
	got, err := ParseCert(fat)
	must(t, err)
	if !bytes.Equal(got.Bytes(), c.Bytes()) {
		t.Errorf("%d bytes kept, want %d", len(got.Bytes()), len(c.Bytes()))
	}
}

// A certificate that would cost hundreds of verifications is refused.
func TestCertificateThatAsksTooMuchWork(t *testing.T) {
	id := generate(t, "essai")
	cfg := signing(day, nil)
	var out bytes.Buffer
	out.Write(id.Cert().primary.raw)
	out.Write(id.Cert().user.raw)
	for range 300 {
		sig := newSignature(id.secret[0], packet.SigTypeGenericCert, cfg)
		must(t, sig.SignUserId("autre", &id.secret[0].PublicKey, id.secret[0], cfg))
		must(t, sig.Serialize(&out))
	}
	_, err := ParseCert(out.Bytes())
	refused(t, err, "too_large", "too_large")
}

func TestRevokedUserID(t *testing.T) {
	id := generate(t, "essai")
	c := id.Cert()
	cfg := signing(day, nil)
	end := newSignature(id.secret[0], packet.SigTypeCertificationRevocation, cfg)
	must(t, end.SignUserId(c.UserID(), &id.secret[0].PublicKey, id.secret[0], cfg))
	var raw bytes.Buffer
	must(t, end.Serialize(&raw))
	second, err := selfSign(id.secret[:1], "seconde", 1e8, cfg)
	must(t, err)
	got, err := ParseCert(join(c.primary.raw, c.user.raw, c.user.self.raw, raw.Bytes(), second[len(c.primary.raw):]))
	must(t, err)
	if got.UserID() != "seconde" {
		t.Errorf("user id %q", got.UserID())
	}
	_, err = ParseCert(join(c.primary.raw, c.user.raw, c.user.self.raw, raw.Bytes()))
	refused(t, err, "format", "format")
}

// Signing subkeys need their own signature back, or they could be stolen.
func TestSigningSubkeyNeedsBackSignature(t *testing.T) {
	e := entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	must(t, e.AddSigningSubkey(&packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Time: func() time.Time { return day.AddDate(0, -1, 0) }}))
	c, err := ParseCert(exported(t, e))
	must(t, err)
	if k, s := c.pick(day, ToSign); s != Usable || !k.pub.IsSubkey {
		t.Errorf("signing key: %s, subkey %v", s, k != nil && k.pub.IsSubkey)
	}
	// The same, held by SHA-1 on its side.
	sub := &e.Subkeys[1]
	cfg := signing(day, nil)
	weak := sub.Bindings[0].Packet
	weak.EmbeddedSignature.Hash = crypto.SHA1
	must(t, weak.EmbeddedSignature.CrossSignKey(sub.PublicKey, e.PrimaryKey, sub.PrivateKey, cfg))
	must(t, weak.SignKey(sub.PublicKey, e.PrivateKey, cfg))
	_, err = ParseCert(exported(t, e))
	refused(t, err, "format", "format")

	alice := generate(t, "alice")
	stolen := sub
	bind := newSignature(alice.secret[0], packet.SigTypeSubkeyBinding, signing(day, nil))
	bind.FlagsValid, bind.FlagSign = true, true
	must(t, bind.SignKey(stolen.PublicKey, alice.secret[0], signing(day, nil)))
	var raw bytes.Buffer
	raw.Write(alice.Cert().Bytes())
	must(t, stolen.PublicKey.Serialize(&raw))
	must(t, bind.Serialize(&raw))
	_, err = ParseCert(raw.Bytes())
	refused(t, err, "format", "format")
}

func TestMerge(t *testing.T) {
	id, other := generate(t, "essai"), generate(t, "autre")
	prolonged, err := selfSign(id.secret, id.Cert().UserID(), 4e8, signing(day, nil))
	must(t, err)
	longer, err := ParseCert(prolonged)
	must(t, err)
	revoked, err := id.Revoke(day, false)
	must(t, err)
	m := Merge(Merge(id.Cert(), longer), revoked)
	if e, _ := m.Expiry(); !e.Equal(day.AddDate(0, -1, 0).Add(4e8 * time.Second)) {
		t.Errorf("expiry %v", e)
	}
	if m.Standing(day, ToSign) != Retired {
		t.Error("revocation lost")
	}
	if again := Merge(m, id.Cert()); !bytes.Equal(again.Bytes(), m.Bytes()) {
		t.Error("an older version undoes the merge")
	}
	if again, err := ParseCert(m.Bytes()); err != nil || !bytes.Equal(again.Bytes(), m.Bytes()) {
		t.Errorf("merged certificate does not parse back: %v", err)
	}
	if Merge(m, other.Cert()) != m {
		t.Error("merged two certificates")
	}
}
