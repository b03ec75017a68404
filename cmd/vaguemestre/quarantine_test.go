package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

// withheld is the data directory of the parquet's broker, with so many plis
// that are withheld because the key of the ASE was revoked since; their ids, the
// revoked certificate in a file, and the anchors of the town.
func withheld(t *testing.T, n int) (dir string, ids []string, cert string, anchors []export.Anchor) {
	t.Helper()
	ctx := context.Background()
	var shift atomic.Int64
	now := func() time.Time { return time.Now().Add(-2 * time.Hour).Add(time.Duration(shift.Load())) }
	brokers, parties := wiring.Lille()
	w, err := wiring.Make(ctx, wiring.Plan{
		Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: []byte("demonstration"), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		ids = append(ids, acceptAlert(t, w.Nodes["courrier-nord"].Broker, string(rune('a'+i))))
	}
	shift.Add(int64(time.Hour))
	revoked, err := w.Identities["ase-59"].Revoke(now().Add(-time.Minute), true)
	if err != nil {
		t.Fatal(err)
	}
	w.Ring("courrier-justice-lille").AddCert("ase-59", revoked)
	for _, b := range []broker.BrokerID{"courrier-nord", "courrier-justice-lille"} {
		deliverAll(t, w.Nodes[b], now)
	}
	cert = filepath.Join(t.TempDir(), "ase-59.asc")
	if err := os.WriteFile(cert, revoked.Armor(), 0o600); err != nil {
		t.Fatal(err)
	}
	anchors = export.Anchors(w.Directory)
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return w.Dir("courrier-justice-lille"), ids, cert, anchors
}

func acceptAlert(t *testing.T, b *broker.Broker, key string) string {
	t.Helper()
	document, err := os.ReadFile("../../schemas/testdata/good/signalement_u0_huit_champs.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Accept(context.Background(), broker.Submission{
		From: "ase-59", Kind: schemas.Signalement, To: []broker.PartyID{"parquet-lille"}, Urgency: broker.U0,
		Document: schemas.NewPlain(document), Pieces: []io.Reader{strings.NewReader("%PDF-1.4 note fictive\n")},
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Basis: broker.Declared, Key: key,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.ID
}

// deliverAll carries what waits at a node.
func deliverAll(t *testing.T, n *wiring.Node, now func() time.Time) {
	t.Helper()
	for moved := true; moved; {
		var items []journal.Item
		_ = n.Journal.View(func(v journal.View) error {
			for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
				for _, dest := range v.Dests(topic) {
					items = append(items, v.Heads(topic, dest, now(), 8)...)
				}
			}
			return nil
		})
		moved = len(items) > 0
		for _, it := range items {
			if err := n.Broker.Deliver(context.Background(), it); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Somebody at the parquet telephones: one message is let through, the other
// goes back. The reason is kept for the party, and in no output of a machine.
func TestQuarantineByTheCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("each command derives the keys again: slow")
	}
	dir, ids, cert, anchors := withheld(t, 2)
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "demonstration")
	called(t, exitOK, "keys", "import", cert, "--owner", "ase-59", "--data", dir)
	who := []string{"--as", "parquet-lille", "--data", dir}
	with := func(words ...string) []string { return append(append([]string{"quarantine"}, words...), who...) }
	list := func() string { out, _ := called(t, exitOK, "quarantine", "list", "--data", dir); return out }
	for _, id := range ids {
		if !strings.Contains(list(), id+"  parquet-lille: Retenu") {
			t.Fatalf("not withheld: %q", list())
		}
	}
	const reason = "confirmé par ÉCHANTILLON Charlie à 3 h 10"
	release := func(reason string) []string {
		return with("release", ids[0], "--actor", "GABARIT Sacha", "--reason", reason)
	}
	called(t, exitUsage, with("release", ids[0], "--actor", "GABARIT Sacha")...)
	if _, talk := called(t, exitFailure, release(" ")...); !strings.Contains(talk, "fault: --reason: ") || !strings.Contains(talk, "hint: say who confirmed it") {
		t.Errorf("without a reason: %q", talk)
	}
	out, talk := called(t, exitOK, release(reason)...)
	if !strings.Contains(out, "Mis à disposition : signé pour parquet-lille le ") || strings.Contains(out+talk, "ÉCHANTILLON") {
		t.Errorf("released: %q, %q", out, talk)
	}
	if out, _ = called(t, exitOK, release(reason)...); !strings.Contains(out, "déjà dit, dans les mêmes termes") {
		t.Errorf("again: %q", out)
	}
	if _, talk = called(t, exitFailure, release("autrement")...); !strings.Contains(talk, "hint: ") || strings.Contains(talk, "autrement") {
		t.Errorf("in other words: %q", talk)
	}
	if out = list(); strings.Contains(out, ids[0]) || !strings.Contains(out, ids[1]) {
		t.Errorf("list: %q", out)
	}
	if out, _ = called(t, exitOK, append([]string{"status", ids[0]}, who...)...); !strings.Contains(out, "Retenu") || !strings.Contains(out, "Mis à disposition") {
		t.Errorf("status: %q", out)
	}
	if _, talk = called(t, exitOK, append([]string{"read", ids[0]}, who...)...); strings.Contains(talk, "withheld") {
		t.Errorf("read: %q", talk)
	}
	// What is said to the sender needs a key that was not stolen from it.
	if _, talk = called(t, exitFailure, with("return", ids[1], "--actor", "GABARIT Sacha", "--reason", "pas envoyé")...); !strings.Contains(talk, "hint: telephone") {
		t.Errorf("return: %q", talk)
	}
	called(t, exitOK, "keys", "import", nextKey(t), "--owner", "ase-59", "--data", dir)
	called(t, exitOK, with("return", ids[1], "--actor", "GABARIT Sacha", "--reason", "pas envoyé")...)
	if _, talk = called(t, exitFailure, with("release", ids[1], "--actor", "GABARIT Sacha", "--reason", reason)...); !strings.Contains(talk, "hint: this pli is not withheld") {
		t.Errorf("release of what was returned: %q", talk)
	}
	if list() != "" {
		t.Errorf("left: %q", list())
	}
	called(t, exitOK, "journal", "verify", "--data", dir)
	provenTo(t, dir, ids[0], anchors)
}

// nextKey is a fresh certificate of the ASE, in a file.
func nextKey(t *testing.T) string {
	t.Helper()
	id, err := seal.Generate("ASE <ase@example.test>", seal.Options{Created: time.Now().Add(-time.Minute).Truncate(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "next.asc")
	if err := os.WriteFile(path, id.Cert().Armor(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// provenTo exports a released pli whose sender's key is known to be stolen: the
// folder says what happened, and verify says that the signature is worth nothing
// by itself.
func provenTo(t *testing.T, dir, id string, anchors []export.Anchor) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "x")
	called(t, exitOK, "export", id, "--out", out, "--data", dir)
	args := []string{"verify", out}
	for _, a := range anchors {
		args = append(args, "--anchor", a.String())
	}
	if _, talk := called(t, exitUnverified, args...); !strings.Contains(talk, "revoked as compromised") {
		t.Errorf("verify: %q", talk)
	}
	made, err := filepath.Glob(filepath.Join(out, "evidence", "*-consigned-parquet-lille.json"))
	if err != nil || len(made) != 1 {
		t.Fatalf("%v, %v", made, err)
	}
	var e struct{ By string }
	if b, err := os.ReadFile(made[0]); err != nil || json.Unmarshal(b, &e) != nil || e.By != "parquet-lille" {
		t.Errorf("%v: %+v", err, e)
	}
}
