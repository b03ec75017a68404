package broker_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// replacePart changes the bytes of one part.
func replacePart(name string, f func([]byte) []byte) func(*draft) {
	return func(d *draft) {
		for i := range d.parts {
			if d.parts[i].name == name {
				d.parts[i].b = f(d.parts[i].b)
			}
		}
	}
}

// inner is a change that needs only the draft.
func inner(f func(*draft)) func(*town, *steppedClock, *draft) {
	return func(_ *town, _ *steppedClock, d *draft) { f(d) }
}

// otherHeaders: the inner header is not the outer one.
func otherHeaders() []signedRefusal {
	return []signedRefusal{
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
	}
}

// otherParts: the parts are not those of the digest list, or not in the one
// form of entity.
func otherParts() []signedRefusal {
	add := func(b []byte) []byte { return append(bytes.Clone(b), ' ') }
	return []signedRefusal{
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
		{name: "27_cleartext_header_injection", code: broker.ReasonAltered, change: inner(func(d *draft) { d.parts[3].ctype = "application/pdf\r\nX-Injected: 1" })},
		{name: "bare line feeds", code: broker.ReasonAltered, change: inner(func(d *draft) {
			d.onEntity = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")) }
		})},
	}
}

// otherContents: what the parts say does not agree, or is not admitted.
func otherContents() []signedRefusal {
	return []signedRefusal{
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
}

func TestContentAttacks(t *testing.T) {
	for _, c := range slices.Concat(otherHeaders(), otherParts(), otherContents()) {
		t.Run(c.name, func(t *testing.T) {
			tn, clock := stepped(t)
			tn.refusesSigned(c, clock)
		})
	}
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
