package broker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
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
		{"wrong signer", broker.RefusedSignature, func(tn *town, d *draft) { d.signer = tn.stranger() }, nord, parquet},
		{"signed by another party", broker.RefusedSignature, func(tn *town, d *draft) { d.signer = tn.Identities["je-lille"] }, nord, parquet},
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
			tn.discreet()
		})
	}
}

// signedRefusal is an attack that the sender signed: the refusal is signed
// too, and both ends are alarmed.
type signedRefusal struct {
	name, code string
	change     func(tn *town, c *steppedClock, d *draft)
	exact      string // word of the journal, for what is unreadable
	unplanted  bool   // the sender's own broker could not hold such a thing
}

// revoke publishes the revocation of a key at the recipient's.
func (tn *town) revoke(owner string, at time.Time, compromised bool) {
	tn.t.Helper()
	c, err := tn.Identities[owner].Revoke(at, compromised)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.Ring(justice).AddCert(owner, c)
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
	if err := tn.receive(p); err != nil {
		t.Fatalf("judged plis are answered with nil: %v", err)
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
	tn.discreet()
}

func TestDepositAttacks(t *testing.T) {
	for _, c := range []signedRefusal{
		{name: "deposit missing", code: broker.ReasonDeposit, unplanted: true, change: func(_ *town, _ *steppedClock, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.Deposit, p.DepositSig = nil, nil }
		}},
		{name: "deposit unsigned", code: broker.ReasonDeposit, unplanted: true, change: func(_ *town, _ *steppedClock, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.DepositSig = nil }
		}},
		{name: "deposit by another broker", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			d.stamper, d.deposit.By, d.deposit.Home, d.deposit.Log = tn.Identities["courrier-justice-lille"], "courrier-justice-lille", justice, logOf(justice)
		}},
		{name: "deposit by another broker in the name of the right one", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			d.stamper = tn.Identities["courrier-justice-lille"]
		}},
		{name: "deposit that names another home", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) {
			d.deposit.Home, d.deposit.Log = justice, logOf(justice)
		}},
		{name: "deposit that names another signer", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) { d.deposit.By = "ase-59" }},
		{name: "deposit by the sender itself", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			d.stamper, d.deposit.By = tn.Identities["ase-59"], "ase-59"
		}},
		{name: "deposit of another header", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) {
			d.onStamp = func(e *broker.Evidence) { e.HeaderSHA256 = salt }
		}},
		{name: "deposit of another pli", code: broker.ReasonDeposit, unplanted: true, change: func(tn *town, _ *steppedClock, d *draft) {
			other, _ := tn.forgery(nil)
			d.onParcel = func(p *broker.PliParcel) { p.Deposit, p.DepositSig = other.Deposit, other.DepositSig }
		}},
		{name: "another evidence as deposit", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) {
			d.deposit.Event, d.deposit.Recipient = broker.Relayed, parquet
		}},
		{name: "back-dated signature", code: broker.ReasonBackDated, change: func(_ *town, _ *steppedClock, d *draft) {
			d.signedAt = d.signedAt.Add(-6 * time.Minute)
		}},
		{name: "signature after the deposit", code: broker.ReasonBackDated, change: func(_ *town, _ *steppedClock, d *draft) {
			d.stampedAt = d.stampedAt.Add(-6 * time.Minute)
		}},
		{name: "deposit that says another date than its signature", code: broker.ReasonBackDated, change: func(_ *town, _ *steppedClock, d *draft) {
			d.signedAt, d.innerAt = d.signedAt.Add(-10*time.Minute), d.innerAt.Add(-10*time.Minute)
			d.onStamp = func(e *broker.Evidence) { e.At = broker.FormatTime(d.signedAt) }
		}},
		{name: "deposit older than thirty days", code: broker.ReasonBackDated, change: func(_ *town, c *steppedClock, d *draft) {
			c.advance(30*day + time.Hour)
		}},
		{name: "future-dated deposit", code: broker.ReasonBackDated, change: func(_ *town, c *steppedClock, d *draft) {
			d.signedAt, d.stampedAt = d.signedAt.Add(6*time.Minute), d.stampedAt.Add(6*time.Minute)
		}},
		{name: "inner signature of another day", code: broker.ReasonInnerSignature, change: func(_ *town, c *steppedClock, d *draft) {
			c.advance(2 * day)
			d.signedAt, d.stampedAt = d.signedAt.Add(2*day), d.stampedAt.Add(2*day)
		}},
		{name: "future-dated inner signature", code: broker.ReasonInnerSignature, change: func(_ *town, _ *steppedClock, d *draft) {
			d.innerAt = d.innerAt.Add(time.Hour)
		}},
		{name: "key retired before deposit", code: broker.ReasonRetired, change: func(tn *town, _ *steppedClock, d *draft) {
			tn.revoke("ase-59", d.stampedAt.Add(-time.Minute), false)
		}},
		{name: "key revoked as compromised before deposit", code: broker.ReasonRevoked, change: func(tn *town, _ *steppedClock, d *draft) {
			tn.revoke("ase-59", d.stampedAt.Add(-time.Minute), true)
		}},
		{name: "broker's key revoked before deposit", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			tn.revoke("courrier-nord", d.stampedAt.Add(-time.Minute), true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, clock := stepped(t)
			tn.refusesSigned(c, clock)
		})
	}
}

// A key that expired between its signature and the deposit: what a party with
// an old key can do at most.
func TestKeyExpiredBeforeDeposit(t *testing.T) {
	tn, clock := stepped(t)
	now := clock.Now().Truncate(time.Second)
	old := tn.identity(now.Add(-time.Hour), 58*time.Minute)
	for _, b := range []broker.BrokerID{nord, justice} {
		tn.Ring(b).AddCert("ase-59", old.Cert())
	}
	tn.Identities["ase-59"] = old
	tn.refusesSigned(signedRefusal{code: broker.ReasonExpired, change: func(_ *town, _ *steppedClock, d *draft) {
		d.signedAt, d.innerAt = now.Add(-3*time.Minute), now.Add(-3*time.Minute)
	}}, clock)
}

// identity is a fresh one; lifetime 0 is the default.
func (tn *town) identity(created time.Time, lifetime time.Duration) *seal.Identity {
	tn.t.Helper()
	id, err := seal.Generate("ASE <ase@example.test>", seal.Options{Created: created.Truncate(time.Second), Lifetime: lifetime})
	if err != nil {
		tn.t.Fatal(err)
	}
	return id
}

func TestContentAttacks(t *testing.T) {
	replacePart := func(name string, f func([]byte) []byte) func(*draft) {
		return func(d *draft) {
			for i := range d.parts {
				if d.parts[i].name == name {
					d.parts[i].b = f(d.parts[i].b)
				}
			}
		}
	}
	add := func(b []byte) []byte { return append(bytes.Clone(b), ' ') }
	inner := func(f func(*draft)) func(*town, *steppedClock, *draft) {
		return func(_ *town, _ *steppedClock, d *draft) { f(d) }
	}
	rows := []signedRefusal{
		{name: "inner header: notice", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.Notice = "" })},
		{name: "inner header: id", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.ID = uuid7(d.signedAt) })},
		{name: "inner header: from", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.From = "ase-62" })},
		{name: "inner header: to", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.To = []broker.PartyID{"parquet-douai"} })},
		{name: "inner header: cc", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.Cc = nil })},
		{name: "inner header: urgency", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.Urgency = broker.U2 })},
		{name: "inner header: sent_at", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.SentAt = "2026-11-20T00:00:00.000Z" })},
		{name: "inner header: version", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) { d.inner.V = 2 })},
		{name: "inner header: member of the outer one", code: broker.ReasonHeaderDiffers, change: inner(func(d *draft) {
			d.onParts = replacePart("inner.json", func(b []byte) []byte { return bytes.Replace(b, []byte(`{"v":1`), []byte(`{"v":1,"body_size":1`), 1) })
		})},
		{name: "digest list altered", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onSums = func(b []byte) []byte { return bytes.Replace(b, b[:4], []byte("0000"), 1) }
		})},
		{name: "digest list in another order", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onSums = func(b []byte) []byte {
				lines := bytes.SplitAfter(b, []byte("\n"))
				lines[0], lines[1] = lines[1], lines[0]
				return bytes.Join(lines, nil)
			}
		})},
		{name: "digest list with a line more", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onSums = func(b []byte) []byte { return append(b, []byte(salt+"  piece-02.pdf\n")...) }
		})},
		{name: "digest list of another content", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onHeader = func(b []byte) []byte { return bytes.Replace(b, []byte(d.h.ContentSHA256), []byte(salt), 1) }
		})},
		{name: "part altered after the digest list", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onSums = func(b []byte) []byte { replacePart("piece-01.pdf", add)(d); return b }
		})},
		{name: "part added after the digest list", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onSums = func(b []byte) []byte {
				d.parts = slices.Insert(d.parts, 4, part{"piece-02.pdf", "application/pdf", []byte("%PDF-")})
				return b
			}
		})},
		{name: "parts in another order", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onParts = func(d *draft) { d.parts[0], d.parts[1] = d.parts[1], d.parts[0] }
		})},
		{name: "part missing", code: broker.ReasonAltered, change: inner(func(d *draft) { d.parts = d.parts[1:] })},
		{name: "part twice", code: broker.ReasonAltered, change: inner(func(d *draft) { d.parts = slices.Insert(d.parts, 3, d.parts[2]) })},
		{name: "unknown part", code: broker.ReasonAltered, change: inner(func(d *draft) { d.parts = append(d.parts, part{"script.sh", "text/plain", []byte("x")}) })},
		{name: "piece numbered from two", code: broker.ReasonAltered, change: inner(func(d *draft) { d.parts[3].name = "piece-02.pdf" })},
		{name: "epilogue", code: broker.ReasonAltered, change: inner(func(d *draft) { d.onEntity = add })},
		{name: "preamble", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onEntity = func(b []byte) []byte { return bytes.Replace(b, []byte("\r\n\r\n"), []byte("\r\n\r\nBonjour\r\n"), 1) }
		})},
		{name: "header injected in a part", code: broker.ReasonAltered, change: inner(func(d *draft) { d.parts[3].ctype = "application/pdf\r\nX-Injected: 1" })},
		{name: "bare line feeds", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onEntity = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
		})},
		{name: "acte: another document", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.DocumentSHA256 = salt })},
		{name: "acte: another piece", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.PiecesSHA256 = []string{salt} })},
		{name: "acte: a piece less", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.PiecesSHA256 = nil })},
		{name: "acte: another id", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.ID = uuid7(d.signedAt) })},
		{name: "acte: other recipients", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.Cc = nil })},
		{name: "acte: another kind", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.Kind = schemas.OPP })},
		{name: "acte: a passkey without assertion", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.Basis = broker.Passkey })},
		{name: "acte: no such basis", code: broker.ReasonActe, change: inner(func(d *draft) { d.acte.Basis = "notarial" })},
		{name: "policy forbidden at reception", code: broker.ReasonForbidden, change: inner(func(d *draft) {
			d.inner.Kind, d.inner.Schema, d.acte.Kind = schemas.Decision, "decision/1", schemas.Decision
		})},
		{name: "U1 with an invalid document", code: broker.ReasonInvalid, change: inner(func(d *draft) {
			d.parts[2].b = []byte(`{"auteur":{"nom":"` + canary + `"}}`)
			d.acte.DocumentSHA256 = broker.Digest(d.parts[2].b)
		})},
		{name: "a piece that the document does not list", code: broker.ReasonInvalid, change: inner(func(d *draft) {
			d.parts = slices.Insert(d.parts, 4, part{"piece-02.pdf", "application/pdf", []byte("%PDF-")})
			d.acte.PiecesSHA256 = append(d.acte.PiecesSHA256, broker.Digest([]byte("%PDF-")))
		})},
		{name: "a piece of another type", code: broker.ReasonInvalid, change: inner(func(d *draft) { d.parts[3].ctype = "text/html" })},
		{name: "a piece under another extension", code: broker.ReasonInvalid, change: inner(func(d *draft) { d.parts[3].name = "piece-01.html" })},
		{name: "another schema", code: broker.ReasonInvalid, change: inner(func(d *draft) { d.inner.Schema = "signalement/9" })},
		{name: "inner signature by another of the sender's keys", code: broker.ReasonInnerSignature, change: func(tn *town, c *steppedClock, d *draft) {
			d.innerSigner = tn.identity(c.Now().Add(-time.Hour), 0)
			tn.Ring(justice).AddCert("ase-59", d.innerSigner.Cert())
			tn.Ring(nord).AddCert("ase-59", d.innerSigner.Cert())
		}},
	}
	for _, c := range rows {
		t.Run(c.name, func(t *testing.T) {
			tn, clock := stepped(t)
			tn.refusesSigned(c, clock)
		})
	}
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
func TestTooLarge(t *testing.T) {
	clock := newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) { clock.plan(p); p.MaxBody = 10_000 })
	tn.refusesSigned(signedRefusal{code: broker.ReasonTooLarge, change: func(_ *town, _ *steppedClock, d *draft) {
		d.parts[3].b = make([]byte, 20_000)
		d.carried = func() (io.ReadCloser, error) {
			t.Error("the body was asked for")
			return nil, io.ErrUnexpectedEOF
		}
	}}, clock)
}

// A U0 whose document fails its schema is shown to a person, never dropped;
// the person then says what becomes of it.
func TestU0InvalidDocumentIsQuarantined(t *testing.T) {
	tn, _ := stepped(t)
	p, d := tn.forgery(func(d *draft) {
		d.h.Urgency, d.inner.Urgency = broker.U0, broker.U0
		d.parts[2].b = []byte(`{"auteur":{"nom":"` + canary + `"}}`)
		d.acte.DocumentSHA256 = broker.Digest(d.parts[2].b)
	})
	tn.quarantines(p, d, broker.ReasonInvalid)
}

// quarantines checks that a pli is kept for a person, at both ends.
func (tn *town) quarantines(p *broker.PliParcel, d *draft, code string) {
	t, ctx := tn.t, context.Background()
	t.Helper()
	if err := tn.at(nord).Plant(ctx, p, d.body); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again: the same answer
		if err := tn.receive(p); err != nil {
			t.Fatal(err)
		}
	}
	if e := tn.reception(d.h.ID, parquet); e.Event != broker.Quarantined || e.ReasonCode != code {
		t.Fatalf("signed %s %s", e.Event, e.ReasonCode)
	}
	tn.deliver(justice)
	for _, b := range []broker.BrokerID{nord, justice} {
		if !slices.Equal(tn.alarms(b, d.h.ID, parquet), []broker.Event{broker.Quarantined}) || !tn.progress(b, d.h.ID, parquet).Has(broker.FlagQuarantined) {
			t.Errorf("nobody is shown it at %s", b)
		}
	}
	c, err := tn.at(justice).Read(ctx, d.h.ID, parquet)
	if err != nil {
		t.Fatalf("a person must see it: %v", err)
	}
	c.Close()
	if tn.Ring(justice).Usable("ase-59", tn.Plan.Now(), true) != nil { // the sender takes another key
		_, err := tn.at(justice).Acknowledge(ctx, broker.Act{ID: d.h.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: canary}, Basis: broker.Declared})
		var r *broker.Refusal
		if !errors.As(err, &r) || r.Code != broker.RefusedKey || r.Hint == "" {
			t.Errorf("an act sealed to a stolen key: %v", err)
		}
		next := tn.identity(tn.Plan.Now().Add(-time.Minute), 0)
		tn.Ring(justice).AddCert("ase-59", next.Cert())
		tn.Ring(nord).AddIdentity("ase-59", next)
	}
	if _, err := tn.at(justice).Acknowledge(ctx, broker.Act{ID: d.h.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: canary}, Basis: broker.Declared}); err != nil {
		t.Fatalf("the person who telephoned cannot say so: %v", err)
	}
	tn.deliver(justice)
	for _, b := range []broker.BrokerID{nord, justice} {
		if a := tn.alarms(b, d.h.ID, parquet); len(a) != 0 {
			t.Errorf("alarms at %s after the act: %v", b, a)
		}
	}
	tn.discreet()
}

// Revoked as compromised between deposit and reception: the sender may have
// written it, or the thief.
func TestKeyRevokedBetweenDepositAndReception(t *testing.T) {
	for _, owner := range []string{"ase-59", "courrier-nord"} {
		t.Run(owner, func(t *testing.T) {
			tn, clock := stepped(t)
			p, d := tn.forgery(nil)
			clock.advance(time.Hour)
			at := clock.Now().Add(-time.Minute)
			c, err := tn.Identities[owner].Revoke(at, true)
			if err != nil {
				t.Fatal(err)
			}
			tn.Ring(justice).AddCert(owner, c)
			tn.quarantines(p, d, broker.ReasonRevoked)
		})
	}
}

// A key retired after the deposit was good when it was used.
func TestKeyRetiredAfterDeposit(t *testing.T) {
	tn, clock := stepped(t)
	p, d := tn.forgery(nil)
	clock.advance(time.Hour)
	tn.revoke("ase-59", clock.Now().Add(-time.Minute), false)
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	if st := tn.progress(justice, d.h.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 {
		t.Errorf("%+v", st)
	}
}

// The same bytes again: the stored receipt, one consigned. Other bytes under
// the same id: rejeu, and the first stays.
func TestReplay(t *testing.T) {
	tn, clock := stepped(t)
	ctx := context.Background()
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
	for range 3 {
		if err := tn.receive(p); err != nil || size() != once {
			t.Fatalf("the same bytes: %v, %d events more", err, size()-once)
		}
	}
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
	tn.discreet()
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
