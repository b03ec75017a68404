package keyring_test

import (
	"bytes"
	"context"
	"crypto"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

// workbench is the library without our rules: what a sender could do with its
// own keys and another program.
type workbench struct {
	t    *testing.T
	conf *packet.Config
}

// secrets takes the private keys out of an identity.
func (w workbench) secrets(id *seal.Identity) *pgp.Entity {
	w.t.Helper()
	passphrase := []byte("essai")
	locked, err := id.Lock(passphrase, seal.LockIterated)
	if err != nil {
		w.t.Fatal(err)
	}
	list, err := pgp.ReadKeyRing(bytes.NewReader(locked))
	if err == nil {
		err = list[0].DecryptPrivateKeys(passphrase)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return list[0]
}

func (w workbench) signature(by *packet.PrivateKey, kind packet.SignatureType) *packet.Signature {
	id := by.KeyId
	return &packet.Signature{
		Version: 4, SigType: kind, PubKeyAlgo: by.PubKeyAlgo, Hash: crypto.SHA256, CreationTime: w.conf.Now(),
		IssuerKeyId: &id, IssuerKeyVersion: 4, IssuerFingerprint: by.Fingerprint,
	}
}

// subkey adds a key that can sign to a certificate, bound for one use.
func (w workbench) subkey(owner *seal.Identity, sub *packet.PrivateKey, toSign bool) *seal.Cert {
	w.t.Helper()
	primary := w.secrets(owner).PrivateKey
	sub.IsSubkey = true
	bind := w.signature(primary, packet.SigTypeSubkeyBinding)
	bind.FlagsValid, bind.FlagSign, bind.FlagEncryptCommunications = true, toSign, !toSign
	var err error
	if toSign {
		bind.EmbeddedSignature = w.signature(sub, packet.SigTypePrimaryKeyBinding)
		err = bind.EmbeddedSignature.CrossSignKey(&sub.PublicKey, &primary.PublicKey, sub, w.conf)
	}
	if err == nil {
		err = bind.SignKey(&sub.PublicKey, primary, w.conf)
	}
	raw := bytes.NewBuffer(owner.Cert().Bytes())
	if err == nil {
		err = sub.PublicKey.Serialize(raw)
	}
	if err == nil {
		err = bind.Serialize(raw)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	cert, err := seal.ParseCert(raw.Bytes())
	if err != nil {
		w.t.Fatal(err)
	}
	return cert
}

// detached signs with any key whatever.
func (w workbench) detached(by *packet.PrivateKey, data []byte) []byte {
	w.t.Helper()
	sig := w.signature(by, packet.SigTypeBinary)
	h := sig.Hash.New()
	h.Write(data)
	err := sig.Sign(h, by, w.conf)
	var out bytes.Buffer
	a, e := armor.Encode(&out, "PGP SIGNATURE", nil)
	if err == nil && e == nil {
		err = sig.Serialize(a)
	}
	if err != nil || e != nil || a.Close() != nil {
		w.t.Fatal(err, e)
	}
	return out.Bytes()
}

// signsWith are the keys of a broker that signs the headers of one party with a
// key of its choice.
type signsWith struct {
	broker.Keys
	owner string
	sign  func(data []byte) []byte
}

func (s *signsWith) Sign(ctx context.Context, owner string, data []byte, now time.Time) ([]byte, string, error) {
	sig, fingerprint, err := s.Keys.Sign(ctx, owner, data, now)
	if err == nil && owner == s.owner && bytes.Contains(data, []byte(`"body_sha256"`)) {
		sig = s.sign(data)
	}
	return sig, fingerprint, err
}

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
	canary  = "CANARI-ZÉPHYRIN"
)

// A subkey of the sender that is meant to encrypt, and can sign, signs the
// header: refused. The same key, meant to sign, is the lawful neighbour.
func TestSigningSubkeys(t *testing.T) {
	for name, toSign := range map[string]bool{"07_signed_by_encryption_subkey": false, "signed by a signing subkey": true} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			now := time.Now().Truncate(time.Second)
			w := workbench{t, &packet.Config{Time: func() time.Time { return now }, DefaultHash: crypto.SHA256}}
			by := &signsWith{owner: string(ase)}
			p := wiring.Plan{Root: t.TempDir(), Demonstration: true, Keys: func(id broker.BrokerID, k broker.Keys) broker.Keys {
				if id != nord {
					return k
				}
				by.Keys = k
				return by
			}}
			p.Brokers, p.Parties = wiring.Lille()
			world, err := wiring.Make(ctx, p)
			if err != nil {
				t.Fatal(err)
			}
			defer world.Close(context.WithoutCancel(ctx))
			other, err := seal.Generate("autre", seal.Options{Created: now.Add(-time.Minute)})
			if err != nil {
				t.Fatal(err)
			}
			sub := w.secrets(other).PrivateKey
			world.Ring(justice).AddCert(string(ase), w.subkey(world.Identities[string(ase)], sub, toSign))
			by.sign = func(data []byte) []byte { return w.detached(sub, data) }
			id := submit(t, world)
			before := world.Nodes[justice].Journal.Head().Size
			deliver(t, world, nord)
			s, err := world.Nodes[justice].Broker.Status(id)
			if toSign {
				if err != nil || len(s.Pairs) != 1 || !s.Pairs[0].State.Delivered() {
					t.Errorf("%v, %+v", err, s.Pairs)
				}
				return
			}
			if err == nil {
				t.Errorf("the journal knows the pli: %+v", s.Pairs)
			}
			if n := world.Nodes[justice].Journal.Head().Size - before; n != 1 {
				t.Errorf("%d events for one refusal", n)
			}
			letters, err := letters(world)
			if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, broker.RefusedSignature) || strings.Contains(letters[0].Reason, canary) {
				t.Errorf("dead letters at the sender's: %+v, %v", letters, err)
			}
			for _, b := range []broker.BrokerID{nord, justice} {
				if text, err := os.ReadFile(world.Dir(b) + "/journal.db"); err != nil || bytes.Contains(text, []byte(canary)) {
					t.Errorf("the journal of %s names a person (%v)", b, err)
				}
			}
			t.Logf("verdict: refused %s", broker.RefusedSignature)
		})
	}
}

func submit(t *testing.T, w *wiring.World) string {
	t.Helper()
	document, err := os.ReadFile("../../schemas/testdata/good/signalement_u0_huit_champs.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Nodes[nord].Broker.Accept(t.Context(), broker.Submission{
		From: ase, Kind: schemas.Signalement, To: []broker.PartyID{parquet}, Urgency: broker.U0, Document: schemas.NewPlain(document),
		Pieces: []io.Reader{strings.NewReader("%PDF-1.4 note fictive\n")}, Actor: broker.Actor{Name: canary}, Basis: broker.Declared, Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// deliver takes the first deliveries of a broker, without goroutines.
func deliver(t *testing.T, w *wiring.World, from broker.BrokerID) {
	t.Helper()
	var items []journal.Item
	err := w.Nodes[from].Journal.View(func(v journal.View) error {
		for _, dest := range v.Dests(broker.TopicPli) {
			items = append(items, v.Heads(broker.TopicPli, dest, time.Now(), 8)...)
		}
		return nil
	})
	if err != nil || len(items) == 0 {
		t.Fatalf("%d deliveries, %v", len(items), err)
	}
	for _, it := range items {
		if err := w.Nodes[from].Broker.Deliver(t.Context(), it); err != nil {
			t.Fatal(err)
		}
	}
}

func letters(w *wiring.World) (items []journal.Item, err error) {
	err = w.Nodes[nord].Journal.View(func(v journal.View) error {
		items = v.Letters(0, 10)
		return nil
	})
	return items, err
}
