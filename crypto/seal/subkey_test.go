package seal

import (
	"crypto"
	"testing"
	"time"

	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// withSigningSubkey is a certificate as gpg makes one, whose signing subkey
// lives for lifetime seconds (zero: for ever) and is then changed by edit.
func withSigningSubkey(t *testing.T, lifetime uint32, edit func(*pgp.Subkey)) (*Cert, *packet.PrivateKey) {
	t.Helper()
	e := entity(t, &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	made := func() time.Time { return day.AddDate(0, -1, 0) }
	must(t, e.AddSigningSubkey(&packet.Config{Algorithm: packet.PubKeyAlgoEdDSA, KeyLifetimeSecs: lifetime, Time: made}))
	sub := &e.Subkeys[len(e.Subkeys)-1]
	if edit != nil {
		edit(sub)
	}
	c, err := ParseCert(exported(t, e))
	must(t, err)
	return c, sub.PrivateKey
}

func revokedFor(t *testing.T, reason packet.ReasonForRevocation) func(*pgp.Subkey) {
	return func(s *pgp.Subkey) {
		must(t, s.Revoke(reason, "", &packet.Config{Time: func() time.Time { return day.AddDate(0, 0, -1) }}))
	}
}

// The subkey of each of these ended a day before day.
func TestSigningSubkeyThatEnded(t *testing.T) {
	reader, data := generate(t, "parquet"), []byte("données")
	month := day.Sub(day.AddDate(0, -1, 0))
	for _, row := range []struct {
		name     string
		lifetime uint32
		edit     func(*pgp.Subkey)
		ended    bool
		hard     bool
	}{
		{name: "in force"},
		{name: "expired", lifetime: uint32((month - 24*time.Hour).Seconds()), ended: true},
		{name: "superseded", edit: revokedFor(t, packet.KeySuperseded), ended: true},
		{name: "compromised", edit: revokedFor(t, packet.KeyCompromised), ended: true, hard: true},
		{name: "without reason", edit: revokedFor(t, packet.NoReason), ended: true, hard: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, key := withSigningSubkey(t, row.lifetime, row.edit)
			for at, want := range map[time.Time]bool{day.AddDate(0, 0, -2): true, day: !row.ended} {
				dated := func(s *packet.Signature) { s.CreationTime = at }
				_, _, err := Verify(data, armored(signature(t, key, data, dated)), []*Cert{c})
				if (err == nil) != want || err != nil && Exact(err) != reasonBadSignature {
					t.Errorf("signature of %v: %v", at, err)
				}
				inner := join(onePass(t, key, crypto.SHA256, true), literal(t, data), signature(t, key, data, dated))
				_, err = open(forgery{to: []*Cert{reader.Cert()}}.around(t, inner), reader, c)
				if (err == nil) != want || err != nil && Exact(err) != reasonBadSignature {
					t.Errorf("message of %v: %s (%v)", at, Exact(err), err)
				}
			}
			// A thief dates back: only the certificate can tell.
			at, s, ok := c.Revocation()
			if ok != row.hard || ok && (s != Compromised || !at.Equal(day.AddDate(0, 0, -1))) {
				t.Errorf("revocation: %v %s %v", at, s, ok)
			}
			if s := c.Standing(day.AddDate(0, 0, -2), ToSign); s != Usable {
				t.Errorf("before: %s", s)
			}
			if s := c.Standing(day, ToSign); (s == Compromised) != row.hard {
				t.Errorf("after: %s", s)
			}
			if s := c.Standing(day, ToEncrypt); s != Usable {
				t.Errorf("to encrypt: %s", s)
			}
		})
	}
}
