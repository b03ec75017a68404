package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// givenUp is the data directory of a broker whose one pli the other side
// refused, and the id of that pli.
func givenUp(t *testing.T) (dir, id string) {
	t.Helper()
	ctx := context.Background()
	brokers, parties := wiring.Lille()
	w, err := wiring.Make(ctx, wiring.Plan{
		Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: []byte("demonstration"),
		Wrap: func(_ broker.BrokerID, next broker.Carrier) broker.Carrier {
			return &brokertest.Carrier{Next: next, OnCarry: func(broker.PartyID, broker.Parcel) (bool, error) {
				return false, &broker.Refusal{Code: broker.RefusedPeer, Field: "peer"}
			}}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	document, err := os.ReadFile("../../schemas/testdata/good/signalement_u0_huit_champs.json")
	if err != nil {
		t.Fatal(err)
	}
	n := w.Nodes["courrier-nord"]
	r, err := n.Broker.Accept(ctx, broker.Submission{
		From: "ase-59", Kind: schemas.Signalement, To: []broker.PartyID{"parquet-lille"}, Urgency: broker.U0,
		Document: schemas.NewPlain(document), Pieces: []io.Reader{strings.NewReader("%PDF-1.4 note fictive\n")},
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Basis: broker.Declared, Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
	var items []journal.Item
	err = n.Journal.View(func(v journal.View) error {
		items = v.Heads(broker.TopicPli, "parquet-lille", w.Plan.Now(), 8)
		return nil
	})
	if err != nil || len(items) != 1 {
		t.Fatalf("%d items, %v", len(items), err)
	}
	if err := n.Broker.Deliver(ctx, items[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return w.Dir("courrier-nord"), r.ID
}

// called runs a command that must exit with code, and returns what it printed.
func called(t *testing.T, code int, args ...string) (out, talk string) {
	t.Helper()
	var o, s bytes.Buffer
	if got := run(context.Background(), args, strings.NewReader(""), &o, &s); got != code {
		t.Fatalf("%v: exit code %d, %s", args, got, s.String())
	}
	return o.String(), s.String()
}

// What was given up is seen, explained, and taken up again by a person.
func TestDeadLetterIsSeenAndTakenUpAgain(t *testing.T) {
	dir, id := givenUp(t)
	// Whoever looks needs no passphrase.
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "")
	out, _ := called(t, exitOK, "journal", "list", "--letters", "--json", "--data", dir)
	var l deadLetter
	if err := json.Unmarshal([]byte(out), &l); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if l.Seq == 0 || l.Topic != broker.TopicPli || l.Destination != "parquet-lille" || l.ID != id || l.Entered == "" || l.Attempts != 0 ||
		l.Reason != broker.RefusedPeer || !strings.Contains(l.Explanation, "annuaire") {
		t.Errorf("%+v", l)
	}
	seq := strconv.FormatUint(l.Seq, 10)
	out, _ = called(t, exitOK, "journal", "list", "--letters", "--data", dir)
	for _, want := range []string{seq, id, "to parquet-lille", l.Reason + ": " + l.Explanation} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	out, _ = called(t, exitOK, "journal", "list", "--alarms", "--data", dir)
	if !strings.Contains(out, id+"  parquet-lille: Échec de transmission\n") {
		t.Errorf("alarms: %q", out)
	}
	out, _ = called(t, exitOK, "journal", "list", "--alarms", "--json", "--data", dir)
	var a waitingAlarm
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		t.Fatalf("%v: %q", err, out)
	}
	if a.ID != id || a.Recipient != "parquet-lille" || a.Cause != string(broker.RelayFailed) || a.Label != "Échec de transmission" || a.Since == "" {
		t.Errorf("%+v", a)
	}

	called(t, exitFailure, "journal", "requeue", seq, "--data", dir) // this does
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "demonstration")
	called(t, exitUsage, "journal", "requeue", "x", "--data", dir)
	called(t, exitUsage, "journal", "list", "--letters", "--alarms", "--data", dir)
	out, _ = called(t, exitOK, "journal", "requeue", seq, "--json", "--data", dir)
	if out != `{"requeued":true,"seq":`+seq+"}\n" {
		t.Errorf("requeue: %q", out)
	}
	if out, _ = called(t, exitOK, "journal", "list", "--letters", "--data", dir); out != "" {
		t.Errorf("still given up: %q", out)
	}
	if out, _ = called(t, exitOK, "journal", "verify", "--data", dir); !strings.Contains(out, "0 dead letters") {
		t.Errorf("verify: %q", out)
	}
	if _, talk := called(t, exitFailure, "journal", "requeue", seq, "--data", dir); !strings.Contains(talk, "hint: no dead letter has that number") {
		t.Errorf("twice: %q", talk)
	}
}
