package canary

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"vaguemestre/broker"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

// part is one part of a body that another program made.
type part struct{ name, ctype, text string }

// forgery is what another program, or somebody, sends to the parquet's home in
// the name of the ASE, with true keys: it says marks where the form allows
// none.
type forgery struct {
	header   broker.Header
	inner    broker.Inner
	acte     broker.Acte
	document string
	onParts  func([]part) []part
	onHeader func([]byte) []byte
	onStamp  func([]byte) []byte
	peer     broker.BrokerID
	to       broker.PartyID
}

// salt is that of everything forged.
var salt = strings.Repeat("5a", 32)

// outcomes are the flags that some of the forgeries get: they reach the judge
// that they are meant for, and are not turned away before.
var outcomes = map[string]broker.Flag{
	"lawful":           0,
	"document of a U0": broker.FlagQuarantined,
	"document of a U1": broker.FlagConsignFailed,
	"inner header":     broker.FlagConsignFailed,
	"acte":             broker.FlagConsignFailed,
	"type of a part":   broker.FlagConsignFailed,
	"assertion":        broker.FlagConsignFailed,
}

// forgeries are received, each with marks in another place. Whatever becomes
// of them, no mark may stay: neither in what is signed, nor in what is said.
func (p *play) forgeries(ctx context.Context) {
	w := func(where string) string { return p.n.word("bad parcel, " + where) }
	member := func(text, where string) string { return `{"` + w(where) + `":"` + w(where+", value") + `",` + text[1:] }
	add := func(i int, where string) func([]part) []part {
		return func(list []part) []part { list[i].text = member(list[i].text, where); return list }
	}
	named := func(f func(*part)) func([]part) []part {
		return func(list []part) []part { f(&list[3]); return list }
	}
	cases := map[string]func(*forgery){
		"lawful": func(*forgery) {},
		"document of a U0": func(f *forgery) {
			f.header.Urgency, f.document = broker.U0, member(f.document, "document of a U0")
		},
		"assertion": func(f *forgery) {
			f.acte.Basis = broker.Passkey
			f.onParts = func(list []part) []part { return append(list, assertion(w("assertion"))) }
		},
		"document of a U1":     func(f *forgery) { f.document = member(f.document, "document of a U1") },
		"document, no JSON":    func(f *forgery) { f.document = w("document, no JSON") },
		"inner header":         func(f *forgery) { f.onParts = add(1, "inner header") },
		"acte":                 func(f *forgery) { f.onParts = add(4, "acte") },
		"kind":                 func(f *forgery) { f.inner.Kind = schemas.Kind(w("kind")) },
		"schema":               func(f *forgery) { f.inner.Schema = w("schema") },
		"thread":               func(f *forgery) { f.inner.Thread = w("thread") },
		"basis":                func(f *forgery) { f.acte.Basis = broker.Basis(w("basis")) },
		"digest of the acte":   func(f *forgery) { f.acte.DocumentSHA256 = w("digest") },
		"name of a part":       func(f *forgery) { f.onParts = named(func(x *part) { x.name = "piece-01." + w("name of a part") }) },
		"any name of a part":   func(f *forgery) { f.onParts = named(func(x *part) { x.name = w("any name of a part") }) },
		"type of a part":       func(f *forgery) { f.onParts = named(func(x *part) { x.ctype = w("type of a part") }) },
		"altered piece":        func(f *forgery) { f.onParts = named(func(x *part) { x.text = w("altered piece") }) },
		"member of the header": func(f *forgery) { f.onHeader = func(b []byte) []byte { return []byte(member(string(b), "header")) } },
		"id":                   func(f *forgery) { f.header.ID = w("id") },
		"sender":               func(f *forgery) { f.header.From = broker.PartyID(w("sender")) },
		"recipient":            func(f *forgery) { f.header.To = []broker.PartyID{broker.PartyID(w("recipient"))} },
		"urgency":              func(f *forgery) { f.header.Urgency = broker.Urgency(w("urgency")) },
		"date":                 func(f *forgery) { f.header.SentAt = w("date") },
		"notice":               func(f *forgery) { f.header.Notice = w("notice") },
		"peer":                 func(f *forgery) { f.peer = broker.BrokerID(w("peer")) },
		"destination":          func(f *forgery) { f.to = broker.PartyID(w("destination")) },
		"deposit":              func(f *forgery) { f.onStamp = func(b []byte) []byte { return []byte(member(string(b), "deposit")) } },
		"deposit, no JSON":     func(f *forgery) { f.onStamp = func([]byte) []byte { return []byte(w("deposit, no JSON")) } },
	}
	for what, change := range cases {
		f, parcel := p.forge(ctx, what, change)
		err := p.Nodes[justice].Broker.Receive(ctx, f.peer, f.to, broker.Parcel{Pli: parcel})
		p.told("parcel, "+what, err)
		st := p.state(p.at(parquet), f.header.ID, parquet)
		if flag, judged := outcomes[what]; judged && (err != nil || st.Flags != flag) || st.Delivered() != (what == "lawful") {
			p.t.Errorf("forged, %s: %+v, %v", what, st, err)
		}
		p.strange = append(p.strange, f.header.ID)
	}
	p.forgedEvidences(ctx)
}

// assertion is one that is none.
func assertion(mark string) part {
	return part{"assertion.json", "application/json", `{"credential_id":"` + mark + `"}`}
}

// told reports an error where there is one: a judged parcel has none.
func (p *play) told(what string, err error) {
	if err != nil {
		p.report(what, err)
	}
}

// forge makes a lawful pli but for what change does.
func (p *play) forge(ctx context.Context, what string, change func(*forgery)) (*forgery, *broker.PliParcel) {
	now := p.now()
	path := examples(p.t, "good")[0]
	for _, e := range examples(p.t, "good") {
		if strings.HasSuffix(e, "signalement_u0_huit_champs.json") {
			path = e
		}
	}
	d := p.n.fill(p.t, "bad parcel, "+what, schemas.Signalement, readFile(p.t, path))
	h := broker.Header{V: 1, Notice: "demonstration", ID: p.n.uuid(), From: ase, To: []broker.PartyID{parquet}, Cc: []broker.PartyID{juge}, Urgency: broker.U1, SentAt: broker.FormatTime(now)}
	f := &forgery{header: h, document: string(d.bytes), peer: nord, to: parquet, inner: broker.Inner{Kind: schemas.Signalement, Schema: "signalement/1", Thread: p.n.uuid(), Salt: salt}}
	piece := "%PDF-1.4 " + p.n.word("bad parcel, piece")
	f.acte = broker.Acte{
		V: 1, Salt: salt, Kind: schemas.Signalement, Basis: broker.Declared, PiecesSHA256: []string{broker.Digest([]byte(piece))},
		Actor: broker.Actor{Name: p.n.word("bad parcel, name"), Function: p.n.word("bad parcel, function")},
	}
	change(f)
	if f.acte.DocumentSHA256 == "" {
		f.acte.DocumentSHA256 = broker.Digest([]byte(f.document))
	}
	f.inner.Header, f.acte.ID, f.acte.To, f.acte.Cc = f.header, f.header.ID, f.header.To, f.header.Cc
	parts := []part{
		{"document.txt", "text/plain; charset=utf-8", p.n.word("bad parcel, text")}, {"inner.json", "application/json", string(f.inner.Encode())},
		{"document.json", "application/json", f.document}, {"piece-01.pdf", "application/pdf", piece}, {"acte.json", "application/json", string(f.acte.Encode())},
	}
	if f.onParts != nil {
		parts = f.onParts(parts)
	}
	var sums strings.Builder
	for _, x := range parts {
		fmt.Fprintf(&sums, "%s  %s\n", broker.Digest([]byte(x.text)), x.name)
	}
	f.header.ContentSHA256 = broker.Digest([]byte(sums.String()))
	body := p.sealed(ctx, ase, parquet, append(parts, part{"SHA256SUMS", "text/plain; charset=us-ascii", sums.String()}))
	f.header.BodySHA256, f.header.BodySize = broker.Digest(body), int64(len(body))
	return f, p.signed(ctx, f, body)
}

// signed makes header, deposit and their signatures.
func (p *play) signed(ctx context.Context, f *forgery, body []byte) *broker.PliParcel {
	out := &broker.PliParcel{Header: f.header.Encode(), Body: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }}
	if f.onHeader != nil {
		out.Header = f.onHeader(out.Header)
	}
	out.HeaderSig = p.signature(ctx, string(ase), out.Header)
	out.Deposit = broker.Evidence{
		V: 1, Event: broker.Accepted, ID: f.header.ID, At: broker.FormatTime(p.now()), By: string(nord), Home: nord, Notice: "demonstration",
		HeaderSHA256: broker.Digest(out.Header), Log: broker.LogHead{Broker: nord, Origin: string(nord) + "/log/" + salt[:32], Size: 1, Root: salt},
	}.Encode()
	if f.onStamp != nil {
		out.Deposit = f.onStamp(out.Deposit)
	}
	out.DepositSig = p.signature(ctx, string(nord), out.Deposit)
	return out
}

// sealed writes a MIME entity and seals it.
func (p *play) sealed(ctx context.Context, by, to broker.PartyID, parts []part) []byte {
	const boundary = "--=_vaguemestre_1"
	var plain, out bytes.Buffer
	fmt.Fprintf(&plain, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"%s\"\r\n\r\n", boundary[2:])
	for _, x := range parts {
		fmt.Fprintf(&plain, "%s\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, x.ctype, x.name)
		for s := base64.StdEncoding.EncodeToString([]byte(x.text)); s != ""; {
			n := min(76, len(s))
			plain.WriteString(s[:n] + "\r\n")
			s = s[n:]
		}
	}
	plain.WriteString(boundary + "--\r\n")
	dst, err := seal.Seal(ctx, &out, p.Identities[string(by)], []*seal.Cert{p.Identities[string(to)].Cert()}, p.now())
	if err == nil {
		_, err = dst.Write(plain.Bytes())
	}
	if err == nil {
		err = dst.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return out.Bytes()
}

func (p *play) signature(ctx context.Context, by string, data []byte) []byte {
	sig, err := seal.Sign(ctx, p.Identities[by], data, p.now())
	if err != nil {
		p.t.Fatal(err)
	}
	return sig
}

// forgedEvidences says marks in evidences of an act that its party never
// said, and about plis that are not.
func (p *play) forgedEvidences(ctx context.Context) {
	w := func(where string) string { return p.n.word("bad evidence, " + where) }
	s := p.plis[0]
	dossier, err := p.at(s.from).Dossier(s.id)
	if err != nil {
		p.t.Fatal(err)
	}
	header, home := broker.Digest(dossier.HeaderBytes), p.at(s.to[0]).ID()
	for what, change := range map[string]func(e *broker.Evidence, d *broker.Detail, detail *string){
		"another act": func(*broker.Evidence, *broker.Detail, *string) {},
		"member":      func(_ *broker.Evidence, _ *broker.Detail, x *string) { *x = `{"` + w("member") + `":1,` + (*x)[1:] },
		"no JSON":     func(_ *broker.Evidence, _ *broker.Detail, x *string) { *x = w("no JSON") },
		"pli":         func(e *broker.Evidence, _ *broker.Detail, _ *string) { e.ID = w("pli") },
		"reason code": func(e *broker.Evidence, _ *broker.Detail, _ *string) { e.ReasonCode = w("reason code") },
		"signer":      func(e *broker.Evidence, _ *broker.Detail, _ *string) { e.By = w("signer") },
		"event":       func(e *broker.Evidence, _ *broker.Detail, _ *string) { e.Event = broker.Event(w("event")) },
		"log":         func(e *broker.Evidence, _ *broker.Detail, _ *string) { e.Log.Origin = w("log") },
		"assertion": func(_ *broker.Evidence, d *broker.Detail, x *string) {
			d.Basis = broker.Passkey
			*x = string(d.Encode())
		},
	} {
		e := broker.Evidence{
			V: 1, Event: broker.Opened, ID: s.id, Recipient: s.to[0], At: broker.FormatTime(p.now()), By: string(s.to[0]), Home: home,
			Notice: "demonstration", HeaderSHA256: header, Log: broker.LogHead{Broker: home, Origin: string(home) + "/log/" + salt[:32], Size: 1, Root: salt},
		}
		d := broker.Detail{V: 1, Salt: salt, Event: e.Event, ID: e.ID, Recipient: e.Recipient, HeaderSHA256: header, Actor: broker.Actor{Name: w("name")}, Basis: broker.Declared, Reason: w("reason")}
		detail := string(d.Encode())
		change(&e, &d, &detail)
		e.DetailSHA256 = broker.Digest([]byte(detail))
		text := e.Encode()
		sig := p.signature(ctx, string(s.to[0]), text)
		parts := []part{{"evidence.json", "application/json", string(text)}, {"evidence.json.asc", "application/pgp-signature", string(sig)}, {"detail.json", "application/json", detail}}
		if d.Basis == broker.Passkey {
			parts = append(parts, assertion(w("assertion")))
		}
		box := p.sealed(ctx, s.to[0], s.from, parts)
		p.told("sealed evidence, "+what, p.at(s.from).Receive(ctx, home, s.from, broker.Parcel{Evidence: &broker.EvidenceParcel{Digest: broker.Digest(text), Sealed: box}}))
		p.told("clear evidence, "+what, p.at(s.from).Receive(ctx, home, s.from, broker.Parcel{Evidence: &broker.EvidenceParcel{Digest: broker.Digest(text), Evidence: text, Sig: sig}}))
	}
}
