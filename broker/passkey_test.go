package broker_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"testing"

	"vaguemestre/broker"
)

// passkeyOver answers as an authenticator would when it is asked to sign the
// digest of these bytes.
func passkeyOver(t *testing.T, signed []byte) []byte {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	raw := base64.RawURLEncoding.EncodeToString
	challenge := sha256.Sum256(signed)
	client := fmt.Appendf(nil, `{"type":"webauthn.get","challenge":"%s","origin":"https://courrier-nord.invalid"}`, raw(challenge[:]))
	authenticator := append(bytes.Repeat([]byte{9}, 32), 1, 0, 0, 0, 1)
	hash := sha256.Sum256(client)
	sig := ed25519.Sign(private, append(bytes.Clone(authenticator), hash[:]...))
	return fmt.Appendf(nil, `{"credential_id":"%s","public_key":"%s","authenticator_data":"%s","client_data_json":"%s","signature":"%s"}`,
		raw([]byte("fictive")), raw(der), raw(authenticator), raw(client), raw(sig))
}

// assertions are what may come with an act: only the first one holds.
func assertions(t *testing.T, signed []byte) [][]byte {
	good := passkeyOver(t, signed)
	return [][]byte{
		good, []byte("not JSON"), []byte("{}"), passkeyOver(t, []byte("another act")),
		bytes.Replace(good, []byte(`,"sig`), []byte(`, "sig`), 1), append(bytes.Clone(good), '\n'),
	}
}

func TestPasskeyOfAnActThatArrives(t *testing.T) {
	for i := range 6 {
		tn, _, r := deposited(t)
		err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, broker.Opened, func(s *told) {
			s.d.Basis = broker.Passkey
			s.onParts = func(p []part) []part {
				return append(p, part{"assertion.json", "application/json", assertions(t, p[2].b)[i]})
			}
		}))
		if i == 0 {
			if err != nil {
				t.Errorf("a good assertion: %v", err)
			}
			continue
		}
		refusedAs(t, err, broker.RefusedDetail)
	}
}

func TestPasskeyOfAPliThatArrives(t *testing.T) {
	for i := range 6 {
		tn, _ := stepped(t)
		p, d := tn.forgery(func(d *draft) {
			d.acte.Basis = broker.Passkey
			d.parts = append(d.parts, part{"assertion.json", "application/json", assertions(t, d.acte.Encode())[i]})
		})
		if err := tn.receive(p); err != nil {
			t.Fatal(err)
		}
		want := ""
		if i > 0 {
			want = broker.ReasonActe
		}
		if e := tn.reception(d.h.ID, parquet); e.ReasonCode != want {
			t.Errorf("assertion %d: %s %q", i, e.Event, e.ReasonCode)
		}
	}
}
