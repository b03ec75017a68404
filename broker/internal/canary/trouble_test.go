package canary

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"vaguemestre/broker"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

// refusedDocuments submits every bad example, full of marks.
func (p *play) refusedDocuments(ctx context.Context) {
	for _, path := range examples(p.t, "bad") {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		for i, text := range p.n.badDocument(name, readFile(p.t, path)) {
			d := planted{name: fmt.Sprintf("bad %s, %d", name, i), kind: kindOf(p.t, name), bytes: text}
			sub := p.submission(d)
			_, err := p.at(sub.From).Accept(ctx, sub)
			p.report(d.name, err)
			var invalid *schemas.InvalidError
			if errors.As(err, &invalid) {
				fmt.Fprintf(p.errors, "%+v\n", invalid.Fields)
			}
		}
	}
}

// refusedCalls puts marks where a caller may say anything.
func (p *play) refusedCalls(ctx context.Context) {
	good := p.plis[slices.IndexFunc(p.plis, func(s *sent) bool { return s.kind == schemas.Signalement })].planted
	w := func(where string) string { return p.n.word("refused call, " + where) }
	for what, change := range map[string]func(*broker.Submission){
		"kind":      func(s *broker.Submission) { s.Kind = schemas.Kind(w("kind")) },
		"sender":    func(s *broker.Submission) { s.From = broker.PartyID(w("sender")) },
		"recipient": func(s *broker.Submission) { s.To = []broker.PartyID{broker.PartyID(w("recipient"))} },
		"recipient in ASCII": func(s *broker.Submission) {
			s.To = []broker.PartyID{broker.PartyID(strings.ToLower(unaccented(w("party"))))}
		},
		"urgency":      func(s *broker.Submission) { s.Urgency = broker.Urgency(w("urgency")) },
		"thread":       func(s *broker.Submission) { s.Thread = w("thread") },
		"answered pli": func(s *broker.Submission) { s.ReplyTo = w("answered pli") },
		"basis":        func(s *broker.Submission) { s.Basis = broker.Basis(w("basis")) },
		"passkey": func(s *broker.Submission) {
			s.Basis, s.Assertion = broker.Passkey, []byte(`{"credential_id":"`+w("passkey")+`"}`)
		},
		"name":                func(s *broker.Submission) { s.Actor.Name = strings.Repeat(w("name"), 40) },
		"pieces":              func(s *broker.Submission) { s.Pieces = nil },
		"piece that breaks":   func(s *broker.Submission) { s.Pieces[0] = breaks{ownError{errors.New(w("error of a piece"))}} },
		"forbidden direction": func(s *broker.Submission) { s.To, s.Cc = []broker.PartyID{juge}, nil },
	} {
		sub := p.submission(good)
		change(&sub)
		_, err := p.Nodes[nord].Broker.Accept(ctx, sub)
		p.report("refused call, "+what, err)
	}
	sub := p.submission(good)
	if _, err := p.at(ase).Accept(ctx, sub); err != nil {
		p.t.Fatal(err)
	}
	sub.Document = schemas.NewPlain(append([]byte(" "), good.bytes...))
	sub.Pieces = p.submission(good).Pieces
	_, err := p.at(ase).Accept(ctx, sub)
	p.report("another submission under the same key", err)
	p.refusedActs(ctx)
}

func (p *play) refusedActs(ctx context.Context) {
	w := func(where string) string { return p.n.word("refused act, " + where) }
	for what, a := range map[string]broker.Act{
		"event":       {Event: broker.Event(w("event"))},
		"reason code": {Event: broker.Returned, ReasonCode: w("reason code")},
		"party":       {Event: broker.Opened, Party: broker.PartyID(w("party"))},
		"pli":         {Event: broker.Opened, ID: w("pli")},
		"basis":       {Event: broker.Opened, Basis: broker.Basis(w("basis"))},
		"passkey":     {Event: broker.Opened, Basis: broker.Passkey, Assertion: []byte(`{"credential_id":"` + w("passkey") + `"}`)},
		"redirection": {Event: broker.Redirected, ReasonCode: broker.ReasonOther, RedirectedTo: broker.PartyID(w("redirection"))},
		"reason":      {Event: broker.Opened, Reason: strings.Repeat(w("reason"), 4000)},
		"not UTF-8":   {Event: broker.Opened, Reason: w("not UTF-8") + "\xff"},
		"date":        {Event: broker.Opened, DoneAt: time.Now().Add(24 * time.Hour), Reason: w("date")},
	} {
		if a.ID == "" {
			a.ID = p.plis[0].id
		}
		if a.Party == "" {
			a.Party = p.plis[0].to[1]
		}
		if a.Basis == "" {
			a.Basis = broker.Declared
		}
		a.Actor.Name = w("name with " + what)
		_, err := p.at(a.Party).Acknowledge(ctx, a)
		p.report("refused act, "+what, err)
	}
}

// breaks is a piece whose reading fails.
type breaks struct{ err error }

func (b breaks) Read([]byte) (int, error) { return 0, b.err }

// fresh is one more U0 signalement full of marks.
func (p *play) fresh(ctx context.Context, name string, hinder func(id string)) *sent {
	path := ""
	for _, e := range examples(p.t, "good") {
		if strings.HasSuffix(e, "signalement_u0_huit_champs.json") {
			path = e
		}
	}
	d := p.n.fill(p.t, name, schemas.Signalement, readFile(p.t, path))
	sub := p.submission(d)
	sub.Urgency = broker.U0
	// Deliveries begin at once: whatever has no obstacle yet waits for it.
	gate := make(chan struct{})
	p.mu.Lock()
	p.gate = gate
	p.mu.Unlock()
	r, err := p.at(sub.From).Accept(ctx, sub)
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
	p.n.keep(name+": thread", r.Thread)
	s := &sent{planted: d, id: r.ID, from: sub.From, to: append(sub.To, sub.Cc...)}
	p.plis = append(p.plis, s)
	if hinder != nil {
		hinder(s.id)
	}
	p.mu.Lock()
	p.gate = nil
	p.mu.Unlock()
	close(gate)
	return s
}

// obstruct meets carriers that fail, panic and refuse, with marks in what they
// say.
func (p *play) obstruct(ctx context.Context) {
	var tries atomic.Int64
	says, panics, hints := p.n.word("error of a carrier"), p.n.word("panic of a carrier"), p.n.word("hint of a carrier")
	slow := p.fresh(ctx, "carrier that fails", func(id string) {
		p.hinder(id, func() (bool, error) {
			switch tries.Add(1) {
			case 1:
				return false, errors.New("550 " + says)
			case 2:
				panic(panics)
			}
			return true, nil
		})
	})
	p.arrived(slow)
	refused := p.fresh(ctx, "carrier that refuses", func(id string) {
		p.hinder(id, func() (bool, error) {
			return false, &broker.Refusal{Code: broker.RefusedFormat, Field: "header", Hint: hints}
		})
	})
	p.eventually("the dead letter", func() bool {
		return p.state(p.at(ase), refused.id, parquet).Has(broker.FlagRelayFailed)
	})
}

// silence lets a pli become overdue at both ends.
func (p *play) silence(ctx context.Context) {
	s := p.fresh(ctx, "overdue", nil)
	p.arrived(s)
	p.shift.Add(int64(16 * time.Minute))
	p.Nodes[nord].Broker.Wake()
	p.eventually("overdue at both ends", func() bool {
		return p.state(p.at(ase), s.id, parquet).Has(broker.FlagOverdue) && p.state(p.at(parquet), s.id, parquet).Has(broker.FlagOverdue)
	})
}

// quarantine revokes the sender's key between deposit and reception.
func (p *play) quarantine(ctx context.Context) {
	var revoked atomic.Bool
	s := p.fresh(ctx, "quarantine", func(id string) {
		p.hinder(id, func() (bool, error) {
			if !revoked.Load() {
				return false, errors.New("not yet")
			}
			return true, nil
		})
	})
	time.Sleep(1100 * time.Millisecond) // the deposit is before the revocation, in whole seconds
	c, err := p.Identities[string(ase)].Revoke(p.now().Truncate(time.Second), true)
	if err != nil {
		p.t.Fatal(err)
	}
	p.distrust(c)
	revoked.Store(true)
	p.eventually("quarantined at the sender's", func() bool { return p.state(p.at(ase), s.id, parquet).Has(broker.FlagQuarantined) })
	p.release(ctx, s)
}

// release lets it through, with marks in what the person says, twice.
func (p *play) release(ctx context.Context, s *sent) {
	r := broker.Release{
		ID: s.id, Party: parquet, Basis: broker.Declared,
		Actor:  broker.Actor{Name: p.n.word("release: actor's name"), Function: p.n.word("release: actor's function")},
		Reason: p.n.word("release: reason"),
	}
	if _, _, err := p.at(parquet).Release(ctx, r); err != nil {
		p.t.Fatal(err)
	}
	said, err := p.at(parquet).Released(ctx, s.id, parquet)
	if err == nil {
		err = os.WriteFile(filepath.Join(p.root, authorised, "released.json"), said.Encode(), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	r.Reason = p.n.word("release: reason of a second time")
	_, _, err = p.at(parquet).Release(ctx, r)
	p.report("released twice", err)
	p.eventually("released at the sender's", func() bool { return !p.state(p.at(ase), s.id, parquet).Has(broker.FlagQuarantined) })
}

func (p *play) distrust(c *seal.Cert) { p.Ring(justice).AddCert(string(ase), c) }

// purge erases some contents, with the details of their acts, at both ends.
func (p *play) purge(ctx context.Context) {
	for _, s := range p.plis[:3] {
		for _, b := range []broker.BrokerID{nord, justice} {
			if err := p.Nodes[b].Broker.Purge(ctx, s.id); err != nil {
				p.t.Errorf("purge of %s: %v", s.name, err)
			}
		}
		_, err := p.at(s.from).Read(ctx, s.id, s.from)
		p.report("reading what was purged", err)
	}
}
