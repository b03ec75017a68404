package demo

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/crypto/keyring"
)

// Result is what `demo --json` prints. Every list is there, even when empty.
type Result struct {
	Messages []Message `json:"messages"`
	Brokers  []Broker  `json:"brokers"`
	Anchors  []string  `json:"anchors"` // PARTY@HOME=FINGERPRINT and BROKER=FINGERPRINT
}

// Message is one pli, with every evidence that its sender's home holds.
type Message struct {
	ID        string           `json:"id"`
	Kind      string           `json:"kind"`
	From      broker.PartyID   `json:"from"`
	To        []broker.PartyID `json:"to"`
	Urgency   broker.Urgency   `json:"urgency"`
	Thread    string           `json:"thread"`
	Evidences []Evidence       `json:"evidences"`
}

// Evidence is one signed fact. Recipient is "" where it holds for all;
// fingerprint is of the certificate that the signature was verified with.
type Evidence struct {
	Event       broker.Event   `json:"event"`
	Recipient   broker.PartyID `json:"recipient"`
	At          string         `json:"at"`
	By          string         `json:"by"`
	Fingerprint string         `json:"fingerprint"`
}

// Broker is one broker after the story.
type Broker struct {
	Name    broker.BrokerID `json:"name"`
	Data    string          `json:"data"` // its data directory
	Journal Journal         `json:"journal"`
}

// Journal is the head of a closed journal that was verified as a file.
type Journal struct {
	Size     uint64 `json:"size"`
	Root     string `json:"root"` // hex
	Verified bool   `json:"verified"`
}

// proveAll looks for every evidence that the story implies, then exports every
// pli from each home that holds it, and verifies each export by its anchors
// alone.
func (d *Demo) proveAll(ctx context.Context) ([]Message, error) {
	view, _ := d.board.Look()
	if err := complete(view.Plis); err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "vaguemestre-demo-")
	if err != nil {
		return nil, fmt.Errorf("demonstration: exports: %w", err)
	}
	defer os.RemoveAll(folder) // copies, signed and sealed: nothing is lost if some stay
	anchors := export.Anchors(d.world.Directory)
	var out []Message
	for _, p := range view.Plis {
		for _, home := range d.homes(p) {
			dir := filepath.Join(folder, string(home)+"-"+strconv.Itoa(p.Number))
			if _, err := export.Write(ctx, d.world.Nodes[home].Broker, p.ID, dir, export.Options{}); err != nil {
				return nil, &MissingError{Step: fmt.Sprintf("pli %d, export by %s", p.Number, home), Cause: err}
			}
			if _, err := export.Verify(dir, anchors, keyring.Verifier{}); err != nil {
				return nil, &MissingError{Step: fmt.Sprintf("pli %d, verification of the export by %s", p.Number, home), Cause: err}
			}
		}
		out = append(out, message(p))
	}
	return out, nil
}

// complete compares what is on the board with what the story implies.
func complete(plis []PliView) error {
	for _, s := range plot() {
		for _, f := range s.implied() {
			there := f.pli <= len(plis) && slices.ContainsFunc(plis[f.pli-1].Facts, func(v FactView) bool {
				return v.Event == f.event && v.Recipient == f.recipient
			})
			if !there {
				return &MissingError{Step: fmt.Sprintf("pli %d, %s for %s", f.pli, f.event, orAll(f.recipient))}
			}
		}
	}
	return nil
}

// homes lists the brokers that hold a pli, that of the sender first.
func (d *Demo) homes(p PliView) []broker.BrokerID {
	var out []broker.BrokerID
	for _, party := range slices.Concat([]broker.PartyID{p.From}, p.To, p.Cc) {
		if id := d.at(party).ID(); !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

func message(p PliView) Message {
	m := Message{ID: p.ID, Kind: string(p.Kind), From: p.From, To: p.To, Urgency: p.Urgency, Thread: p.Thread}
	for _, f := range p.Facts {
		m.Evidences = append(m.Evidences, Evidence{Event: f.Event, Recipient: f.Recipient, At: broker.FormatTime(f.At), By: f.By, Fingerprint: f.Fingerprint})
	}
	return m
}

// conclude verifies the closed journals.
func (d *Demo) conclude(ctx context.Context, messages []Message) (Result, error) {
	r := Result{Messages: messages}
	for _, b := range d.world.Directory.Brokers() {
		dir, ring := d.world.Dir(b.ID), d.world.Ring(b.ID)
		rep, err := boltstore.Verify(ctx, dir, func(by string, text, sig []byte) error {
			_, _, err := ring.Verify(by, text, sig)
			return err
		})
		if err != nil {
			return Result{}, &MissingError{Step: "journal of " + string(b.ID) + " verified", Cause: err}
		}
		r.Brokers = append(r.Brokers, Broker{
			Name: b.ID, Data: dir,
			Journal: Journal{Size: rep.Size, Root: hex.EncodeToString(rep.Root[:]), Verified: true},
		})
	}
	for _, a := range export.Anchors(d.world.Directory) {
		r.Anchors = append(r.Anchors, a.String())
	}
	return r, nil
}

// Fingerprints counts the distinct certificates that signed an evidence.
func (r Result) Fingerprints() int {
	seen := map[string]bool{}
	for _, m := range r.Messages {
		for _, e := range m.Evidences {
			seen[e.Fingerprint] = true
		}
	}
	return len(seen)
}
