package keyring

import (
	"bytes"
	"crypto"
	"errors"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"vaguemestre/crypto/seal"
)

// A certificate as gpg makes one, whose signing subkey was stolen and revoked:
// what it signs now is refused, what it dates back is doubtful.
func TestRevokedSigningSubkey(t *testing.T) {
	config := func(at time.Time) *packet.Config {
		return &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, Curve: packet.Curve25519, Time: func() time.Time { return at }}
	}
	made, revoked := day.AddDate(0, -1, 0), day.AddDate(0, 0, -1)
	e, err := pgp.NewEntity("essai", "", "", config(made))
	must(t, err)
	must(t, e.AddSigningSubkey(config(made)))
	sub := &e.Subkeys[len(e.Subkeys)-1]
	must(t, sub.Revoke(packet.KeyCompromised, "", config(revoked)))
	var public bytes.Buffer
	must(t, e.Serialize(&public))
	c, err := seal.ParseCert(public.Bytes())
	must(t, err)
	r := New()
	r.AddCert("parquet-lille", c)
	alone, err := Verifier{}.Certificate(public.Bytes())
	must(t, err)

	data := []byte(`{"v":1}`)
	if _, _, err := r.Verify("parquet-lille", data, detached(t, sub.PrivateKey, data, day)); seal.Exact(err) != "bad_signature" {
		t.Errorf("signed after the revocation: %v", err)
	}
	before := detached(t, sub.PrivateKey, data, revoked.Add(-time.Hour))
	fp, _, err := r.Verify("parquet-lille", data, before)
	must(t, err)
	if at, compromised, ok := r.RevokedAt(fp); !ok || !compromised || !at.Equal(revoked) {
		t.Errorf("revocation: %v %v %v", at, compromised, ok)
	}
	if at, compromised, ok := alone.RevokedAt(); !ok || !compromised || !at.Equal(revoked) {
		t.Errorf("revocation, of a certificate alone: %v %v %v", at, compromised, ok)
	}
	if s := r.Standing(fp, day, false); s != "compromised" {
		t.Errorf("standing: %s", s)
	}
	var wrong *RevokedError
	if err := r.Usable("parquet-lille", day, false); !errors.As(err, &wrong) || !wrong.Compromised || !wrong.Revoked.Equal(revoked) {
		t.Errorf("usable: %v", err)
	}
}

// detached makes an armored signature of data, of any date.
func detached(t *testing.T, key *packet.PrivateKey, data []byte, at time.Time) []byte {
	t.Helper()
	sig := &packet.Signature{
		Version: 4, SigType: packet.SigTypeBinary, PubKeyAlgo: key.PubKeyAlgo, Hash: crypto.SHA256,
		CreationTime: at, IssuerKeyId: &key.KeyId, IssuerFingerprint: key.Fingerprint,
	}
	h := sig.Hash.New()
	h.Write(data)
	must(t, sig.Sign(h, key, &packet.Config{Time: func() time.Time { return at }}))
	var raw, text bytes.Buffer
	must(t, sig.Serialize(&raw))
	w, err := armor.Encode(&text, "PGP SIGNATURE", nil)
	must(t, err)
	_, err = w.Write(raw.Bytes())
	must(t, err)
	must(t, w.Close())
	return append(text.Bytes(), '\n')
}
