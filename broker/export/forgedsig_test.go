package export_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/crypto/keyring"
	"vaguemestre/crypto/seal"
)

func TestForgedSignatures(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	cases := []forgery{
		{"two blocks", "header.json", "signature", func(f *forger) {
			f.files["header.json.asc"] = bytes.Repeat(f.files["header.json.asc"], 2)
			f.list()
		}},
		{"text before the block", "header.json", "signature", func(f *forger) {
			f.files["header.json.asc"] = append([]byte("Bonjour\n"), f.files["header.json.asc"]...)
			f.list()
		}},
		{"an armor header", "header.json", "signature", func(f *forger) {
			f.files["header.json.asc"] = bytes.Replace(f.files["header.json.asc"], []byte("\n\n"), []byte("\nComment: x\n\n"), 1)
			f.list()
		}},
		{"two certificates in one file", "certs/ase-59-", "not the one", func(f *forger) {
			name := f.file("certs/ase-59-")
			f.files[name] = append(bytes.Clone(f.files[name]), f.files[f.file("certs/je-lille-")]...)
			f.list()
		}},
		{"a secret key among the certificates", "certs/ase-59-", "not the one", func(f *forger) {
			secret, err := w.Identities[string(ase)].Lock([]byte("fictive"), seal.LockArgon2)
			if err != nil {
				f.t.Fatal(err)
			}
			f.files[f.file("certs/ase-59-")] = secret
			f.list()
		}},
		{"a certificate under another fingerprint", "certs/ase-59-", "not the one", func(f *forger) {
			name := f.file("certs/ase-59-")
			f.files["certs/ase-59-"+strings.Repeat("0", 40)+".pgp"] = f.files[name]
			delete(f.files, name)
			f.list()
		}},
		{"a certificate missing", "header.json", "none of the certificates", func(f *forger) {
			delete(f.files, f.file("certs/ase-59-"))
			f.list()
		}},
		{"a certificate revoked as compromised", "header.json", "compromised", w.revokes(ase, 0, true)},
		{"a recipient's certificate retired before it signed", consignedParquet, "retired", w.revokes(parquet, -time.Hour, false)},
		{"a certificate retired before the signature", "header.json", "retired", w.revokes(ase, -time.Hour, false)},
	}
	runForgeries(t, w, dir, slow(), cases)
}

// revokes puts the revoked certificate of a party in an export, as of some time
// from when the pli was sent.
func (w *world) revokes(p broker.PartyID, after time.Duration, compromised bool) func(*forger) {
	return func(f *forger) {
		c, err := w.Identities[string(p)].Revoke(f.header().Sent().Add(after), compromised)
		if err != nil {
			f.t.Fatal(err)
		}
		f.files[f.file("certs/"+string(p)+"-")] = c.Bytes()
		f.list()
	}
}

// A key that had expired when it signed: gpg says so, and so do we.
func TestSignedByAnExpiredKey(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	f := newForger(t, w, dir, nord)
	at := f.header().Sent()
	short, err := seal.Generate("ase-59 (clé d'essai, sans valeur)", seal.Options{Created: at.Add(-48 * time.Hour), Lifetime: 47*time.Hour + 58*time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	f.keys = keyring.New()
	f.keys.AddIdentity(string(ase), short)
	f.sign("header.json", string(ase), at.Add(-4*time.Minute)) // two minutes before its end
	f.keys = w.all
	fpr := string(short.Cert().Fingerprint())
	f.files["certs/ase-59-"+fpr+".pgp"] = short.Cert().Bytes()
	anchors := append(w.anchors(), export.Anchor{Party: ase, Broker: nord, Fingerprint: fpr})
	dir = f.inscribe().write()
	// It signed in time, but the deposit, which is the time that counts, came
	// after its end.
	_, err = verify(dir, anchors)
	wantFault(t, err, "header.json", "not usable at the deposit (expired)")
}

// The script does not compare these dates; we do.
func TestCheckpointEarlierThanWhatItCovers(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	f := newForger(t, w, dir, nord)
	f.sign("checkpoint.txt", string(nord), f.header().Sent().Add(-time.Hour))
	_, err := verify(f.list().write(), w.anchors())
	wantFault(t, err, "checkpoint.txt", "earlier than a fact")
}
