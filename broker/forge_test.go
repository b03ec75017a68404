package broker_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

// canary is a name that stands in every forged document, and must stand
// nowhere else.
const canary = "CANARI-ZÉPHYRIN"

// part is one part of a forged body.
type part struct {
	name, ctype string
	b           []byte
}

// draft is a pli in the making, with a lie at any place. A zero hook lies
// nowhere.
type draft struct {
	h     broker.Header
	inner broker.Inner
	acte  broker.Acte
	parts []part // filled from inner, acte and the rest before SHA256SUMS

	signer, innerSigner, stamper *seal.Identity
	to                           []string // owners of the certificates encrypted to
	signedAt, innerAt, stampedAt time.Time
	deposit                      broker.Evidence

	onParts  func(d *draft)                // before the digest list is written
	onSums   func([]byte) []byte           // the digest list itself
	onEntity func([]byte) []byte           // the plaintext
	onBody   func([]byte) []byte           // the ciphertext, before its digest is taken
	onHeader func([]byte) []byte           // the bytes of header.json, before signing
	onStamp  func(e *broker.Evidence)      // the deposit, before signing
	onParcel func(p *broker.PliParcel)     // what is carried
	body     []byte                        // the ciphertext, once made
	carried  func() (io.ReadCloser, error) // instead of body
}

// forgery makes a lawful pli but for what change does to the draft.
func (tn *town) forgery(change func(d *draft)) (*broker.PliParcel, *draft) {
	tn.t.Helper()
	now := tn.Plan.Now()
	id := uuid7(now)
	h := broker.Header{V: 1, Notice: "demonstration", ID: id, From: ase, To: []broker.PartyID{parquet}, Cc: []broker.PartyID{juge}, Urgency: broker.U1, SentAt: broker.FormatTime(now)}
	d := &draft{
		h: h, signer: tn.Identities["ase-59"], stamper: tn.Identities["courrier-nord"], to: []string{"parquet-lille", "je-lille"},
		signedAt: now, innerAt: now, stampedAt: now,
	}
	d.inner = broker.Inner{Header: h, Kind: schemas.Signalement, Schema: "signalement/1", Thread: uuid7(now), Salt: salt}
	document := bytes.Replace(readFile(tn.t, "../schemas/testdata/good/signalement_u0_huit_champs.json"), []byte("MODÈLE Alix"), []byte("MODÈLE "+canary), 1)
	piece := []byte("%PDF-1.4 " + canary)
	d.acte = broker.Acte{
		V: 1, Salt: salt, ID: id, To: h.To, Cc: h.Cc, Kind: schemas.Signalement, Basis: broker.Declared,
		Actor: broker.Actor{Name: canary, Function: "cadre"}, DocumentSHA256: broker.Digest(document), PiecesSHA256: []string{broker.Digest(piece)},
	}
	d.parts = []part{
		{"document.txt", "text/plain; charset=utf-8", []byte("texte " + canary)},
		{"inner.json", "application/json", nil}, {"document.json", "application/json", document},
		{"piece-01.pdf", "application/pdf", piece}, {"acte.json", "application/json", nil},
	}
	d.deposit = broker.Evidence{V: 1, Event: broker.Accepted, By: "courrier-nord", Home: nord, Notice: "demonstration", Log: logOf(nord)}
	if change != nil {
		change(d)
	}
	if d.innerSigner == nil {
		d.innerSigner = d.signer
	}
	tn.sealBody(d)
	return tn.sign(d), d
}

const salt = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

var drawn int // ids given so far; tests of this package do not run in parallel

func uuid7(at time.Time) string {
	drawn++
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return fmt.Sprintf("%s-%s-7aaa-8bbb-%012x", ms[:8], ms[8:], drawn)
}

func logOf(b broker.BrokerID) broker.LogHead {
	return broker.LogHead{Broker: b, Origin: string(b) + "/log/" + strings.Repeat("ab", 16), Size: 1, Root: salt}
}

// sealBody makes the entity and seals it.
func (tn *town) sealBody(d *draft) {
	for i := range d.parts {
		switch p := &d.parts[i]; {
		case p.b != nil:
		case p.name == "inner.json":
			p.b = d.inner.Encode()
		case p.name == "acte.json":
			p.b = d.acte.Encode()
		}
	}
	if d.onParts != nil {
		d.onParts(d)
	}
	var sums bytes.Buffer
	for _, p := range d.parts {
		fmt.Fprintf(&sums, "%s  %s\n", broker.Digest(p.b), p.name)
	}
	list := sums.Bytes()
	if d.onSums != nil {
		list = d.onSums(list)
	}
	plain := entity(append(d.parts, part{"SHA256SUMS", "text/plain; charset=us-ascii", list}))
	if d.onEntity != nil {
		plain = d.onEntity(plain)
	}
	d.h.ContentSHA256 = broker.Digest(list)
	d.body = tn.sealFor(d.innerSigner, d.to, plain, d.innerAt)
	if d.onBody != nil {
		d.body = d.onBody(d.body)
	}
	d.h.BodySHA256, d.h.BodySize = broker.Digest(d.body), int64(len(d.body))
}

func (tn *town) sealFor(by *seal.Identity, owners []string, plain []byte, at time.Time) []byte {
	tn.t.Helper()
	var certs []*seal.Cert
	for _, o := range owners {
		certs = append(certs, tn.Identities[o].Cert())
	}
	var out bytes.Buffer
	w, err := seal.Seal(context.Background(), &out, by, certs, at)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		tn.t.Fatal(err)
	}
	return out.Bytes()
}

// entity writes a MIME entity by another hand than the program's.
func entity(parts []part) []byte {
	var b bytes.Buffer
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_vaguemestre_1\"\r\n\r\n")
	for _, p := range parts {
		fmt.Fprintf(&b, "--=_vaguemestre_1\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", p.ctype, p.name)
		for s := base64.StdEncoding.EncodeToString(p.b); s != ""; {
			n := min(76, len(s))
			b.WriteString(s[:n] + "\r\n")
			s = s[n:]
		}
	}
	b.WriteString("--=_vaguemestre_1--\r\n")
	return b.Bytes()
}

// sign makes the header, its signature and the deposit stamp.
func (tn *town) sign(d *draft) *broker.PliParcel {
	p := &broker.PliParcel{Header: d.h.Encode()}
	if d.onHeader != nil {
		p.Header = d.onHeader(p.Header)
	}
	p.HeaderSig = tn.detached(d.signer, p.Header, d.signedAt)
	d.deposit.ID, d.deposit.HeaderSHA256, d.deposit.At = d.h.ID, broker.Digest(p.Header), broker.FormatTime(d.stampedAt)
	if d.onStamp != nil {
		d.onStamp(&d.deposit)
	}
	p.Deposit = d.deposit.Encode()
	p.DepositSig = tn.detached(d.stamper, p.Deposit, d.stampedAt)
	p.Body = func(context.Context) (io.ReadCloser, error) {
		if d.carried != nil {
			return d.carried()
		}
		return io.NopCloser(bytes.NewReader(d.body)), nil
	}
	if d.onParcel != nil {
		d.onParcel(p)
	}
	return p
}

func (tn *town) detached(by *seal.Identity, data []byte, at time.Time) []byte {
	tn.t.Helper()
	sig, err := seal.Sign(context.Background(), by, data, at)
	if err != nil {
		tn.t.Fatal(err)
	}
	return sig
}

// stranger is somebody whom no directory lists.
func (tn *town) stranger() *seal.Identity { return tn.namesake("Inconnu <inconnu@example.test>") }

// namesake is a stranger who calls himself as he likes.
func (tn *town) namesake(userID string) *seal.Identity {
	tn.t.Helper()
	id, err := seal.Generate(userID, seal.Options{Created: tn.Plan.Now().Add(-time.Hour).Truncate(time.Second)})
	if err != nil {
		tn.t.Fatal(err)
	}
	return id
}

// receive brings a pli to the parquet's home.
func (tn *town) receive(p *broker.PliParcel) error {
	return tn.at(justice).Receive(context.Background(), nord, parquet, broker.Parcel{Pli: p})
}

// deliver makes a broker deliver all that is due, without goroutines.
func (tn *town) deliver(from broker.BrokerID) {
	tn.t.Helper()
	for range 200 {
		items := tn.due(from)
		if len(items) == 0 {
			return
		}
		for _, it := range items {
			if err := tn.at(from).Deliver(context.Background(), it); err != nil {
				tn.t.Fatalf("deliver: %v", err)
			}
		}
	}
	tn.t.Fatal("deliveries without end")
}

func (tn *town) due(at broker.BrokerID) (items []journal.Item) {
	_ = tn.Nodes[at].Journal.View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			for _, dest := range v.Dests(topic) {
				items = append(items, v.Heads(topic, dest, tn.Plan.Now(), 64)...)
			}
		}
		return nil
	})
	return items
}

func (tn *town) letters(at broker.BrokerID) (items []journal.Item) {
	_ = tn.Nodes[at].Journal.View(func(v journal.View) error {
		items = v.Letters(0, 100)
		return nil
	})
	return items
}

// alarms lists the causes at a broker for a pair.
func (tn *town) alarms(at broker.BrokerID, id string, p broker.PartyID) (out []broker.Event) {
	tn.t.Helper()
	list, err := tn.at(at).Alarms()
	if err != nil {
		tn.t.Fatal(err)
	}
	for _, a := range list {
		if a.ID == id && a.Recipient == p {
			out = append(out, a.Cause)
		}
	}
	return out
}

// reception is the evidence of the last judgement of a pair, as it waits to
// travel to the sender.
func (tn *town) reception(id string, p broker.PartyID) (out broker.Evidence) {
	for _, it := range tn.due(justice) {
		_ = tn.Nodes[justice].Journal.View(func(v journal.View) error {
			text, _ := v.Object(string(it.Payload))
			if e, err := broker.ParseEvidence(text); err == nil && e.ID == id && e.Recipient == p {
				out = e
			}
			return nil
		})
	}
	return out
}

// keepsNothing checks that a refused pli left neither body nor inbox entry.
func (tn *town) keepsNothing(d *draft) {
	tn.t.Helper()
	_ = tn.Nodes[justice].Journal.View(func(v journal.View) error {
		if v.HasBlob(journal.BodyName(d.h.BodySHA256)) {
			tn.t.Error("the body is kept")
		}
		return nil
	})
	for _, p := range []broker.PartyID{parquet, juge} {
		if _, received, _ := tn.at(justice).Plis(p); slices.Contains(received, d.h.ID) {
			tn.t.Errorf("in the inbox of %s", p)
		}
		if _, err := tn.at(justice).Read(context.Background(), d.h.ID, p); err == nil {
			tn.t.Errorf("%s reads it", p)
		}
	}
	if files := tn.bodyFiles(justice); len(files) > 0 {
		tn.t.Errorf("%d body files are left", len(files))
	}
}

func (tn *town) bodyFiles(at broker.BrokerID) (files []string) {
	_ = filepath.WalkDir(filepath.Join(tn.Dir(at), "bodies"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, path)
		}
		return nil
	})
	return files
}

// discreet checks that no journal and no log holds the canary in clear.
func (tn *town) discreet() {
	tn.t.Helper()
	if strings.Contains(tn.logs.String(), canary) {
		tn.t.Error("a log names a person")
	}
	for _, b := range []broker.BrokerID{nord, justice} {
		if bytes.Contains(readFile(tn.t, filepath.Join(tn.Dir(b), "journal.db")), []byte(canary)) {
			tn.t.Errorf("the journal of %s names a person", b)
		}
	}
}

// refusedAs checks an unsigned refusal and what it leaves.
func refusedAs(t *testing.T, err error, code string) {
	t.Helper()
	var r *broker.Refusal
	if !errors.As(err, &r) || r.Code != code {
		t.Fatalf("got %v, want a refusal %s", err, code)
	}
	if strings.Contains(err.Error(), canary) {
		t.Error("the refusal names a person")
	}
}

// stepped is a town on a stepped clock.
func stepped(t *testing.T) (*town, *steppedClock) {
	t.Helper()
	c := newSteppedClock()
	return newTown(t, func(p *wiring.Plan) { c.plan(p) }), c
}
