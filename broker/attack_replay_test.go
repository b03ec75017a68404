package broker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"testing"

	"vaguemestre/broker"
)

// The same bytes again: the stored receipt, one consigned. Other bytes under
// the same id: rejeu, and the first stays.
func TestReplay(t *testing.T) {
	tn, clock := stepped(t)
	ctx := context.Background()
	in := func(name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) { tn.t = t; f(t) })
		tn.t = t
	}
	p, d := tn.forgery(nil)
	if err := tn.at(nord).Plant(ctx, p, d.body); err != nil {
		t.Fatal(err)
	}
	size := func() uint64 { return tn.Nodes[justice].Journal.Head().Size }
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	once := size()
	clock.advance(40 * day) // the memory of receptions has no end
	in("10_replay", func(t *testing.T) {
		for range 3 {
			if err := tn.receive(p); err != nil || size() != once {
				t.Fatalf("the same bytes: %v, %d events more", err, size()-once)
			}
		}
		verdict(t, "the stored receipt,", "no event")
	})
	in("11_replay_in_altered_envelope", func(t *testing.T) { tn.replayAltered(p, d) })
}

// replayAltered: the content that the parquet holds comes again, in another
// envelope: under its id, and what its signer sealed under another.
func (tn *town) replayAltered(p *broker.PliParcel, d *draft) {
	t, ctx := tn.t, context.Background()
	t.Helper()
	again, e := tn.forgery(func(e *draft) {
		e.onBody = func(b []byte) []byte {
			fresh := takeApart(t, b, tn.Identities["parquet-lille"], tn.Identities["ase-59"].Cert())
			held := takeApart(t, d.body, tn.Identities["parquet-lille"], tn.Identities["ase-59"].Cert())
			return fresh.wrap(held.inside...) // another session key, the old signed content
		}
	})
	if err := errors.Join(tn.at(nord).Plant(ctx, again, e.body), tn.receive(again)); err != nil {
		t.Fatal(err)
	}
	if r := tn.reception(e.h.ID, parquet); r.Event != broker.ConsignFailed || r.ReasonCode != broker.ReasonInnerSignature {
		t.Errorf("old content under a new id: %s %s", r.Event, r.ReasonCode)
	}
	tn.keepsNothingButOf(e, d)
	other, _ := tn.forgery(func(e *draft) {
		e.h.ID, e.inner.ID, e.acte.ID = d.h.ID, d.h.ID, d.h.ID
		e.h.Urgency, e.inner.Urgency = broker.U2, broker.U2
	})
	for range 2 {
		if err := tn.receive(other); err != nil {
			t.Fatal(err)
		}
	}
	tn.deliver(justice)
	if st := tn.progress(justice, d.h.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 {
		t.Errorf("the first does not stand: %+v", st)
	}
	c, err := tn.at(justice).Read(ctx, d.h.ID, parquet)
	if err != nil || c.Header.Urgency != broker.U1 {
		t.Fatalf("the first is not read: %v", err)
	}
	c.Close()
	for _, b := range []broker.BrokerID{nord, justice} {
		if a := tn.alarms(b, d.h.ID, parquet); !slices.Equal(a, []broker.Event{broker.ConsignFailed}) {
			t.Errorf("alarms at %s: %v; refused there: %v", b, a, tn.at(b).Refusals())
		}
	}
	if n := len(tn.letters(justice)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
	if st := tn.progress(nord, d.h.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 {
		t.Errorf("state at the sender's: %+v", st)
	}
	tn.lawfulNeighbour()
	tn.discreet()
	verdict(t, broker.ConsignFailed, broker.ReasonReplay)
}

// keepsNothingButOf checks that of two plis only the second can be read.
func (tn *town) keepsNothingButOf(refused, held *draft) {
	tn.t.Helper()
	_, received, err := tn.at(justice).Plis(parquet)
	if err != nil || slices.Contains(received, refused.h.ID) || !slices.Contains(received, held.h.ID) {
		tn.t.Errorf("received: %d plis, %v", len(received), err)
	}
}

// Bytes of the body that are not those of the signed header are the fault of
// the carriage: nothing is judged nor kept, and nothing that is held is lost,
// even when the bytes are those of another pli.
func TestBodyNotThatOfTheHeader(t *testing.T) {
	tn, _ := stepped(t)
	ctx := context.Background()
	large := func(d *draft) {
		d.parts[3].b = make([]byte, 200_000)
		rand.Read(d.parts[3].b)
		d.acte.PiecesSHA256 = []string{broker.Digest(d.parts[3].b)}
	}
	held, first := tn.forgery(large)
	if err := tn.receive(held); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		body func(*draft) []byte
	}{
		{"body of another pli", func(*draft) []byte { return first.body }},
		{"one bit", func(d *draft) []byte { b := bytes.Clone(d.body); b[len(b)/2] ^= 1; return b }},
		{"truncated", func(d *draft) []byte { return d.body[:len(d.body)-1] }},
		{"trailing bytes", func(d *draft) []byte { return append(bytes.Clone(d.body), 0) }},
		{"empty", func(*draft) []byte { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, d := tn.forgery(func(d *draft) {
				large(d)
				d.onBody = func(b []byte) []byte { return b }
			})
			d.carried = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(c.body(d))), nil }
			if c.name == "body of another pli" { // of the same length, so that only the digest tells
				d.h.BodySize = int64(len(first.body))
				p = tn.sign(d)
			}
			if err := tn.receive(p); !errors.Is(err, broker.ErrTemporary) {
				t.Fatalf("got %v, want to be asked again", err)
			}
			if _, err := tn.at(justice).Status(d.h.ID); !errors.Is(err, broker.ErrNotFound) {
				t.Error("the pli is known")
			}
			if n := len(tn.bodyFiles(justice)); n != 1 {
				t.Errorf("%d body files, want the one that is held", n)
			}
		})
	}
	got, err := tn.at(justice).Read(ctx, first.h.ID, parquet)
	if err != nil {
		t.Fatalf("the pli that was held: %v", err)
	}
	got.Close()
	nobody, d := tn.forgery(func(d *draft) { d.onParcel = func(p *broker.PliParcel) { p.Body = nil } })
	if err := tn.receive(nobody); !errors.Is(err, broker.ErrTemporary) {
		t.Errorf("no body at all: %v", err)
	}
	tn.keepsNothingOf(d.h.ID)
}

func (tn *town) keepsNothingOf(id string) {
	tn.t.Helper()
	if _, err := tn.at(justice).Status(id); !errors.Is(err, broker.ErrNotFound) {
		tn.t.Errorf("the journal knows %s: %v", id, err)
	}
}
