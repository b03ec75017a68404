package broker_test

import (
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// forgetful are the keys of a broker whose directory lists an owner no more.
type forgetful struct {
	broker.Keys
	owner string
	left  *atomic.Bool
}

func (f forgetful) gone(fingerprint string) bool {
	owner, _ := f.Keys.OwnerOf(fingerprint)
	return f.left.Load() && owner == f.owner
}

func (f forgetful) Verify(owner string, data, sig []byte) (string, time.Time, error) {
	if f.left.Load() && owner == f.owner {
		owner = "nobody"
	}
	return f.Keys.Verify(owner, data, sig)
}

func (f forgetful) OwnerOf(fingerprint string) (string, bool) {
	if f.gone(fingerprint) {
		return "", false
	}
	return f.Keys.OwnerOf(fingerprint)
}

func (f forgetful) Cert(fingerprint string) ([]byte, bool) {
	if f.gone(fingerprint) {
		return nil, false
	}
	return f.Keys.Cert(fingerprint)
}

// What a party signed is proven after it has left the directory.
func TestDossierOfAPartyThatLeft(t *testing.T) {
	var left atomic.Bool
	tn := newTown(t, func(p *wiring.Plan) {
		p.Keys = func(_ broker.BrokerID, k broker.Keys) broker.Keys { return forgetful{k, string(parquet), &left} }
	})
	r := accept(t, tn.at(nord), signalement(t, "k"))
	tn.deliver(nord)
	tn.deliver(justice)
	before, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	left.Store(true)
	after, err := tn.at(nord).Dossier(r.ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(after.Certs) != len(before.Certs) {
		t.Fatalf("%d certificates, %d before", len(after.Certs), len(before.Certs))
	}
	theirs := 0
	for i, c := range after.Certs {
		identity := tn.Identities[c.Owner]
		if c.Fingerprint != string(identity.Cert().Fingerprint()) || c.Fingerprint != before.Certs[i].Fingerprint {
			t.Errorf("certificate of %s: %s", c.Owner, c.Fingerprint)
		}
		if c.Owner == string(parquet) {
			theirs++
		}
		if (c.Current == nil) != (c.Owner == string(parquet)) {
			t.Errorf("certificate of %s as it is now: %d bytes", c.Owner, len(c.Current))
		}
	}
	if theirs != 1 {
		t.Errorf("%d certificates of who left", theirs)
	}
}
