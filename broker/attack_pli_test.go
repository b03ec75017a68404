package broker_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/seal"
)

const day = 24 * time.Hour

// A forgery that does not lie is consigned: the tests below refuse lies, not
// the forger's hand.
func TestLawfulForgery(t *testing.T) {
	tn, _ := stepped(t)
	p, d := tn.forgery(nil)
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	if st := tn.progress(justice, d.h.ID, parquet); st.Progress != broker.Consigned {
		t.Fatalf("%+v, exactly %q", st, tn.at(justice).Exact(d.h.ID, parquet))
	}
	tn.discreet()
}

// Whatever comes without a good signature of its sender over the header, or by
// somebody who may not bring it, is refused without a word that is signed.
func TestUnsignedRefusals(t *testing.T) {
	for _, c := range []struct {
		name, code string
		change     func(tn *town, d *draft)
		peer       broker.BrokerID
		to         broker.PartyID
	}{
		{"unsigned header", broker.RefusedSignature, func(_ *town, d *draft) { d.onParcel = func(p *broker.PliParcel) { p.HeaderSig = nil } }, nord, parquet},
		{"03_unknown_signer", broker.RefusedSignature, func(tn *town, d *draft) { d.signer = tn.stranger() }, nord, parquet},
		{"08_signer_is_not_the_sender", broker.RefusedSignature, func(tn *town, d *draft) { d.signer = tn.Identities["je-lille"] }, nord, parquet},
		{"26_forged_user_id", broker.RefusedSignature, func(tn *town, d *draft) {
			d.signer = tn.namesake(tn.Identities["ase-59"].Cert().UserID())
		}, nord, parquet},
		{"armor header injected before the signature", broker.RefusedSignature, func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) {
				p.HeaderSig = append([]byte("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"+canary+"\n"), p.HeaderSig...)
			}
		}, nord, parquet},
		{"signed by the sender's broker", broker.RefusedSignature, func(tn *town, d *draft) {
			d.signer = tn.Identities["courrier-nord"]
			d.innerSigner = tn.Identities["ase-59"]
		}, nord, parquet},
		{"header changed after signing", broker.RefusedSignature, func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.Header = bytes.Replace(p.Header, []byte(`"U1"`), []byte(`"U2"`), 1) }
		}, nord, parquet},
		{"two signatures of the header", broker.RefusedSignature, func(tn *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) {
				p.HeaderSig = append(p.HeaderSig, tn.detached(tn.Identities["je-lille"], p.Header, d.signedAt)...)
			}
		}, nord, parquet},
		{"header signature cut", broker.RefusedSignature, func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.HeaderSig = p.HeaderSig[:len(p.HeaderSig)-30] }
		}, nord, parquet},
		{"bytes after the header signature", broker.RefusedSignature, func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.HeaderSig = append(p.HeaderSig, 'x') }
		}, nord, parquet},
		{"white space in the header", broker.RefusedFormat, func(_ *town, d *draft) {
			d.onHeader = func(b []byte) []byte { return bytes.Replace(b, []byte(`:`), []byte(`: `), 1) }
		}, nord, parquet},
		{"member given twice", broker.RefusedFormat, func(_ *town, d *draft) {
			d.onHeader = func(b []byte) []byte { return bytes.Replace(b, []byte(`"v":1,`), []byte(`"v":1,"v":1,`), 1) }
		}, nord, parquet},
		{"member in another case", broker.RefusedFormat, func(_ *town, d *draft) {
			d.onHeader = func(b []byte) []byte { return bytes.Replace(b, []byte(`"id"`), []byte(`"Id"`), 1) }
		}, nord, parquet},
		{"unknown member", broker.RefusedFormat, func(_ *town, d *draft) {
			d.onHeader = func(b []byte) []byte { return bytes.Replace(b, []byte(`{`), []byte(`{"x":1,`), 1) }
		}, nord, parquet},
		{"recipients not sorted", broker.RefusedFormat, func(_ *town, d *draft) { d.h.To, d.h.Cc = []broker.PartyID{parquet, juge}, nil }, nord, parquet},
		{"the sender among the recipients", broker.RefusedFormat, func(_ *town, d *draft) { d.h.Cc = []broker.PartyID{ase} }, nord, parquet},
		{"200 recipients in the header", broker.RefusedFormat, func(_ *town, d *draft) {
			for i := range 200 {
				d.h.To = append(d.h.To, broker.PartyID("p"+strings.Repeat("a", i%30)+string(rune('a'+i%26))))
			}
		}, nord, parquet},
		{"wrong peer", broker.RefusedPeer, nil, justice, parquet},
		{"unknown peer", broker.RefusedPeer, nil, "courrier-inconnu", parquet},
		{"unknown sender", broker.RefusedParty, func(_ *town, d *draft) { d.h.From = "ase-00" }, nord, parquet},
		{"party that does not live here", broker.RefusedDestination, nil, nord, ase},
		{"unknown destination", broker.RefusedDestination, nil, nord, "je-ailleurs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, _ := stepped(t)
			p, d := tn.forgery(func(d *draft) {
				if c.change != nil {
					c.change(tn, d)
				}
			})
			before := len(tn.at(justice).Refusals())
			err := tn.at(justice).Receive(context.Background(), c.peer, c.to, broker.Parcel{Pli: p})
			refusedAs(t, err, c.code)
			if _, err := tn.at(justice).Status(d.h.ID); !errors.Is(err, broker.ErrNotFound) {
				t.Errorf("the journal knows the pli: %v", err)
			}
			if e := tn.reception(d.h.ID, parquet); e.Event != "" {
				t.Errorf("a signed %s about what nobody signed", e.Event)
			}
			if got := tn.at(justice).Refusals(); c.code != broker.RefusedDestination && (len(got) != before+1 || !strings.HasSuffix(got[len(got)-1], " "+c.code)) {
				t.Errorf("journaled refusals: %q", got)
			}
			tn.keepsNothing(d)
			tn.lawfulNeighbour()
			tn.discreet()
			verdict(t, "refused", c.code)
		})
	}
}

// verdict is the line that the table of attacks is made of.
func verdict[S ~string](t *testing.T, event S, code string) {
	t.Helper()
	t.Logf("verdict: %s %s", event, code)
}

// lawfulNeighbour checks that an honest pli passes where an attack did not. A
// sender whose key was stolen takes another first.
func (tn *town) lawfulNeighbour() {
	tn.t.Helper()
	now := tn.Plan.Now()
	for _, owner := range []string{"ase-59", "courrier-nord"} {
		if tn.Ring(justice).Usable(owner, now, false) == nil && tn.Identities[owner].Cert().Standing(now, seal.ToSign) == seal.Usable {
			continue
		}
		next := tn.identity(now.Add(-time.Minute), 0)
		tn.Ring(justice).AddCert(owner, next.Cert())
		tn.Identities[owner] = next
	}
	p, d := tn.forgery(nil)
	if err := tn.receive(p); err != nil {
		tn.t.Fatalf("a lawful neighbour: %v", err)
	}
	if st := tn.progress(justice, d.h.ID, parquet); !st.Delivered() || st.Flags != 0 {
		tn.t.Errorf("a lawful neighbour: %+v, exactly %q", st, tn.at(justice).Exact(d.h.ID, parquet))
	}
}

// leaves lists the types of the events of a journal, from one on.
func (tn *town) leaves(at broker.BrokerID, from uint64) (types []string) {
	tn.t.Helper()
	err := tn.Nodes[at].Journal.View(func(v journal.View) error {
		for n := from; n < v.Size(); n++ {
			text, err := v.Leaf(n)
			if err != nil {
				return err
			}
			l, err := journal.ParseLeaf(text)
			if err != nil {
				return err
			}
			types = append(types, l.Type)
		}
		return nil
	})
	if err != nil {
		tn.t.Fatal(err)
	}
	return types
}

// signedRefusal is an attack that the sender signed: the refusal is signed
// too, and both ends are alarmed.
type signedRefusal struct {
	name, code string
	change     func(tn *town, c *steppedClock, d *draft)
	exact      string // word of the journal, for what is unreadable
	unplanted  bool   // the sender's own broker could not hold such a thing
}

func (tn *town) refusesSigned(c signedRefusal, clock *steppedClock) {
	t := tn.t
	t.Helper()
	p, d := tn.forgery(func(d *draft) { c.change(tn, clock, d) })
	if !c.unplanted {
		if err := tn.at(nord).Plant(context.Background(), p, d.body); err != nil {
			t.Fatal(err)
		}
	}
	size := tn.Nodes[justice].Journal.Head().Size
	if err := tn.receive(p); err != nil {
		t.Fatalf("judged plis are answered with nil: %v", err)
	}
	// What was signed is a fact, refused or not; nothing else is written.
	if got := strings.Join(tn.leaves(justice, size), " "); got != "pli consign_failed" && got != "pli accepted consign_failed" {
		t.Errorf("events for one refusal: %s", got)
	}
	e := tn.reception(d.h.ID, parquet)
	if e.Event != broker.ConsignFailed || e.ReasonCode != c.code || e.By != string(parquet) || e.HeaderSHA256 != broker.Digest(p.Header) {
		t.Fatalf("signed %s %s by %s, want consign_failed %s (exactly %q)", e.Event, e.ReasonCode, e.By, c.code, tn.at(justice).Exact(d.h.ID, parquet))
	}
	if got := tn.at(justice).Exact(d.h.ID, parquet); got != c.exact {
		t.Errorf("the journal says %q, want %q", got, c.exact)
	}
	if st := tn.progress(justice, d.h.ID, parquet); d.h.Addresses(parquet) && (st.Delivered() || !st.Has(broker.FlagConsignFailed)) {
		t.Errorf("state: %+v", st)
	}
	if got := tn.alarms(justice, d.h.ID, parquet); !slices.Equal(got, []broker.Event{broker.ConsignFailed}) {
		t.Errorf("alarms here: %v", got)
	}
	tn.keepsNothing(d)
	if err := tn.receive(p); err != nil {
		t.Errorf("carried again: %v", err)
	}
	if !c.unplanted {
		tn.deliver(justice)
		if got := tn.alarms(nord, d.h.ID, parquet); !slices.Equal(got, []broker.Event{broker.ConsignFailed}) {
			t.Errorf("alarms at the sender's: %v; refused there: %v", got, tn.at(nord).Refusals())
		}
		if st := tn.progress(nord, d.h.ID, parquet); d.h.Addresses(parquet) && !st.Has(broker.FlagConsignFailed) {
			t.Errorf("the sender does not see it: %+v", st)
		}
	}
	tn.lawfulNeighbour()
	tn.discreet()
	verdict(t, e.Event, strings.TrimSpace(e.ReasonCode+" "+c.exact))
}

// A pli that was misled: its header does not name the party to which it comes.
func TestNotAddressee(t *testing.T) {
	tn, clock := stepped(t)
	tn.refusesSigned(signedRefusal{code: broker.ReasonNotAddressee, change: func(_ *town, _ *steppedClock, d *draft) {
		d.h.To, d.h.Cc = []broker.PartyID{juge}, nil
		d.inner.To, d.inner.Cc = d.h.To, d.h.Cc
	}}, clock)
}

// A body beyond the limit is refused before it is stored, or even asked for.
func TestTooLarge(t *testing.T) { t.Run("17_oversize_literal", tooLarge) }

func tooLarge(t *testing.T) {
	clock := newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) { clock.plan(p); p.MaxBody = 10_000 })
	tn.refusesSigned(signedRefusal{code: broker.ReasonTooLarge, change: func(_ *town, _ *steppedClock, d *draft) {
		d.parts[3].b = make([]byte, 8<<20) // more than a sender with the same limit could make
		d.carried = func() (io.ReadCloser, error) {
			t.Error("the body was asked for")
			return nil, io.ErrUnexpectedEOF
		}
	}}, clock)
}
