package seal

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func TestParseCertRefuses(t *testing.T) {
	id, other := generate(t, "essai"), generate(t, "autre")
	c := id.Cert()
	parts := func(cert *Cert) (primary, user, self, sub, bind []byte) {
		return cert.primary.raw, cert.user.raw, cert.user.self.raw, cert.subs[0].raw, cert.subs[0].self.raw
	}
	primary, user, self, sub, bind := parts(c)
	_, otherUser, otherSelf, otherSub, otherBind := parts(other.Cert())
	secret, err := id.Lock([]byte("secret"), LockIterated)
	must(t, err)
	var clear bytes.Buffer
	must(t, id.secret[0].Serialize(&clear))
	locked, err := splitPackets(secret, maxCertPacket)
	must(t, err)
	secretSub, err := serialize(tagSecretSub, locked[3].Contents)
	must(t, err)
	for _, row := range []attack{
		{"empty", nil, "format"},
		{"secret key", secret, "format"},
		{"secret key in clear", clear.Bytes(), "format"},
		{"secret key, armored", enarmor(blockSecret, secret), "format"},
		{"secret key under the name of a public one", enarmor(blockPublic, secret), "format"},
		{"secret subkey inside", join(primary, user, self, secretSub, bind), "format"},
		{"message", literal(t, []byte("x")), "format"},
		{"two certificates", join(c.Bytes(), other.Cert().Bytes()), "format"},
		{"no user id", join(primary, sub, bind), "format"},
		{"user id without self-signature", join(primary, user, sub, bind), "format"},
		{"second user id without self-signature", join(primary, user, self, otherUser, sub, bind), "format"},
		{"user id signed by another", join(primary, otherUser, otherSelf), "format"},
		{"subkey without binding", join(primary, user, self, sub), "format"},
		{"subkey of another", join(primary, user, self, otherSub, otherBind), "format"},
		{"cut", c.Bytes()[:len(c.Bytes())-1], "truncated"},
		{"beyond the cap", make([]byte, maxCertInput+1), "too_large"},
		{"trailing garbage", join(c.Bytes(), []byte("x")), "format"},
		{"armor, text before", join([]byte("texte\n"), c.Armor()), "format"},
		{"armor, text after", join(c.Armor(), []byte("texte\n")), "format"},
		{"armor, two blocks", join(c.Armor(), c.Armor()), "format"},
		{"armor of a signature", enarmor(blockSignature, c.Bytes()), "format"},
		{"armor, other end", bytes.Replace(c.Armor(), []byte("END PGP PUBLIC"), []byte("END PGP PRIVATE"), 1), "format"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseCert(row.msg)
			refused(t, err, row.want, row.want)
		})
	}
}

func TestParseCertRefusesWeakKeys(t *testing.T) {
	id := generate(t, "essai")
	weak := func(h crypto.Hash) []byte {
		cfg := signing(day, nil)
		cfg.DefaultHash = h
		b, err := selfSign(id.secret, "essai", 1e8, cfg)
		must(t, err)
		return b
	}
	rsa1024 := exported(t, entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 1024}))
	rsa2048 := exported(t, entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 2048}))
	newIDs := exported(t, entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoEd25519}))
	v6 := exported(t, entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoEd25519, V6Keys: true}))
	secp := exported(t, entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoECDSA, Curve: packet.CurveSecP256k1}))
	huge := hugeRSA(t, 8192)
	for _, row := range []attack{
		{"SHA-1 self-signature", weak(crypto.SHA1), "weak_algorithm"},
		{"SHA-224 self-signature", weak(crypto.SHA224), "weak_algorithm"},
		{"23_rsa_1024", hugeRSA(t, 1024), "weak_algorithm"},
		{"23_rsa_1024_self_signed", rsa1024, "weak_algorithm"},
		{"RSA-2048", rsa2048, "weak_algorithm"},
		{"RSA-8192", huge, "weak_algorithm"},
		{"secp256k1", secp, "weak_algorithm"},
		{"new algorithm numbers", newIDs, "weak_algorithm"},
		{"version 6", v6, "format"},
		{"long user id", longUser(t, id), "too_large"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseCert(row.msg)
			refused(t, err, row.want, row.want)
			if _, err := ParseCert(id.Cert().Bytes()); err != nil {
				t.Errorf("a lawful neighbour: %v", err)
			}
			t.Logf("verdict: certificate refused, %s", row.want)
		})
	}
}

// hugeRSA is a primary key that would be slow to use; its size is refused
// before any operation with it.
func hugeRSA(t testing.TB, bits int) []byte {
	t.Helper()
	n := make([]byte, bits/8)
	rand.Read(n)
	n[0] |= 0x80
	n[len(n)-1] |= 1
	var out bytes.Buffer
	must(t, packet.NewRSAPublicKey(day, &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}).Serialize(&out))
	return out.Bytes()
}

func longUser(t testing.TB, id *Identity) []byte {
	t.Helper()
	b, err := selfSign(id.secret, strings.Repeat("x", 2000), 1e8, signing(day, nil))
	must(t, err)
	return b
}
