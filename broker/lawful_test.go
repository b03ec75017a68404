package broker_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/directory"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// transmission is a submission that any party may send.
func transmission(t *testing.T, key string, piece []byte, to ...broker.PartyID) broker.Submission {
	s := broker.Submission{
		From: ase, Kind: schemas.Transmission, To: to, Urgency: broker.U2,
		Document: schemas.NewPlain(readFile(t, "../schemas/testdata/good/transmission_complement.json")),
		Actor:    broker.Actor{Name: "MODÈLE Alix"}, Basis: broker.Declared, Key: key,
	}
	doc, err := schemas.Parse(s.Kind, s.Document)
	if err != nil {
		t.Fatal(err)
	}
	for range doc.Pieces() {
		s.Pieces = append(s.Pieces, bytes.NewReader(piece))
	}
	return s
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Two recipients and a copy at one home, which is also the sender's: three
// receptions, one body.
func TestThreeRecipientsAtTheSendersHome(t *testing.T) {
	clock := newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		p.Demonstration = false
		p.Brokers[0].Hosting, p.Brokers[1].Hosting = directory.HostingShared, directory.HostingShared
		for i := range p.Parties {
			p.Parties[i].Home = nord
		}
		p.Parties = append(p.Parties, directory.Party{ID: "je-douai", Role: directory.RoleJuge, Institution: "Tribunal judiciaire de Douai", Departement: "59", Home: nord})
	})
	s := transmission(t, "k", noise(200_000), parquet, juge)
	s.Cc = []broker.PartyID{"je-douai"}
	r := accept(t, tn.at(nord), s)
	tn.deliver(nord)
	for _, p := range []broker.PartyID{parquet, juge, "je-douai"} {
		if st := tn.progress(nord, r.ID, p); st.Progress != broker.Consigned {
			t.Errorf("%s: %+v", p, st)
		}
		if _, received, _ := tn.at(nord).Plis(p); !slices.Equal(received, []string{r.ID}) {
			t.Errorf("inbox of %s: %v", p, received)
		}
	}
	if n := len(tn.bodyFiles(nord)); n != 1 {
		t.Errorf("%d body files", n)
	}
	d, err := tn.at(nord).Dossier(r.ID)
	if err != nil || len(d.Evidences) != 3 || d.Header.Notice != broker.NoticeShared {
		t.Errorf("%d evidences, %v", len(d.Evidences), err)
	}
}

// Two recipients at one distant home, at once: the body is carried once, and
// kept across a restart.
func TestOneTransferForAHome(t *testing.T) {
	var transfers atomic.Int32
	count := func(_ broker.BrokerID, c broker.Carrier) broker.Carrier { return counting{c, &transfers} }
	tn := newTown(t, func(p *wiring.Plan) { p.Wrap = count })
	r := accept(t, tn.at(nord), transmission(t, "k", noise(300_000), parquet, juge))
	items := tn.due(nord)
	var all sync.WaitGroup
	for _, it := range items {
		all.Go(func() {
			if err := tn.at(nord).Deliver(context.Background(), it); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := transfers.Load(); len(items) != 2 || n != 1 {
		t.Errorf("%d transfers for %d recipients", n, len(items))
	}
	tn.restart(justice)
	for _, p := range []broker.PartyID{parquet, juge} {
		c, err := tn.at(justice).Read(context.Background(), r.ID, p)
		if err != nil {
			t.Fatalf("%s, after a restart: %v", p, err)
		}
		c.Close()
	}
}

type counting struct {
	broker.Carrier
	n *atomic.Int32
}

func (c counting) Carry(ctx context.Context, to broker.PartyID, p broker.Parcel) error {
	if p.Pli != nil {
		pli := *p.Pli
		whole := p.Pli.Body
		pli.Body = func(ctx context.Context) (io.ReadCloser, error) { c.n.Add(1); return whole(ctx) }
		p.Pli = &pli
	}
	return c.Carrier.Carry(ctx, to, p)
}

// restart closes a node and opens it again, with the sweep of start-up.
func (tn *town) restart(id broker.BrokerID) {
	tn.t.Helper()
	ctx := context.Background()
	if err := tn.Nodes[id].Close(ctx); err != nil {
		tn.t.Fatal(err)
	}
	n, err := tn.OpenNode(ctx, id)
	if err != nil {
		tn.t.Fatal(err)
	}
	if _, err := n.Journal.Bodies().Sweep(); err != nil {
		tn.t.Fatal(err)
	}
}

// A body file that a failed attempt left is no body that is held: the pli is
// kept by its own transfer, or the next start would sweep it.
func TestBodyLeftByAFailure(t *testing.T) {
	tn, _ := stepped(t)
	p, d := tn.forgery(func(d *draft) {
		d.parts[3].b = noise(200_000)
		d.acte.PiecesSHA256 = []string{broker.Digest(d.parts[3].b)}
	})
	w, err := tn.Nodes[justice].Journal.Bodies().Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(d.body); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	tn.restart(justice)
	c, err := tn.at(justice).Read(context.Background(), d.h.ID, parquet)
	if err != nil {
		t.Fatalf("consigned, and lost at the next start: %v", err)
	}
	c.Close()
}

// A message held four days while the sender rotated its key.
func TestHeldFourDaysWhileTheSenderRotated(t *testing.T) {
	clock := newSteppedClock()
	ctx := context.Background()
	closed := true
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		p.Wrap = func(_ broker.BrokerID, next broker.Carrier) broker.Carrier {
			return &brokertest.Carrier{Next: next, OnCarry: func(broker.PartyID, broker.Parcel) (bool, error) {
				if closed {
					return false, brokertest.ErrLost
				}
				return true, nil
			}}
		}
	})
	r := accept(t, tn.at(nord), transmission(t, "k", []byte("%PDF-"), parquet))
	tn.deliver(nord)
	clock.advance(2 * day)
	next := tn.identity(clock.Now(), 0)
	old, err := tn.Identities["ase-59"].Revoke(clock.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	tn.Ring(nord).AddIdentity("ase-59", next)
	tn.Ring(justice).AddCert("ase-59", next.Cert())
	for _, b := range []broker.BrokerID{nord, justice} {
		tn.Ring(b).AddCert("ase-59", old)
	}
	clock.advance(2 * day)
	closed = false
	tn.deliver(nord)
	if _, err := tn.at(justice).Acknowledge(ctx, broker.Act{ID: r.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: "SPÉCIMEN Dominique"}, Basis: broker.Declared}); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.TakenInCharge || st.Flags != 0 {
		t.Errorf("%+v; refused: %v", st, tn.at(nord).Refusals())
	}
	for b, p := range map[broker.BrokerID]broker.PartyID{nord: ase, justice: parquet} {
		c, err := tn.at(b).Read(ctx, r.ID, p)
		if err != nil {
			t.Fatalf("%s reads again: %v", p, err)
		}
		c.Close()
	}
}

// The recipient's key was retired between deposit and reception, and kept to
// read: its new one signs.
func TestRecipientRotatedMeanwhile(t *testing.T) {
	tn, clock := stepped(t)
	r := accept(t, tn.at(nord), transmission(t, "k", []byte("%PDF-"), parquet))
	clock.advance(time.Hour)
	next := tn.identity(clock.Now(), 0)
	old, err := tn.Identities["parquet-lille"].Revoke(clock.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	tn.Ring(justice).AddIdentity("parquet-lille", next)
	tn.Ring(nord).AddCert("parquet-lille", next.Cert())
	for _, b := range []broker.BrokerID{nord, justice} {
		tn.Ring(b).AddCert("parquet-lille", old)
	}
	tn.deliver(nord)
	tn.deliver(justice)
	if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 {
		t.Errorf("%+v", st)
	}
}

// No key of the recipient signs any more: the sender learns it at once, signed
// by the recipient's broker; once a new key is there the pli is consigned, and
// alarm and flag go.
func TestRecipientWithoutKeyThenWith(t *testing.T) {
	tn, clock := stepped(t)
	r := accept(t, tn.at(nord), transmission(t, "k", []byte("%PDF-"), parquet))
	old, err := tn.Identities["parquet-lille"].Revoke(clock.Now(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []broker.BrokerID{nord, justice} {
		tn.Ring(b).AddCert("parquet-lille", old)
	}
	clock.advance(time.Minute)
	tn.deliver(nord)
	e := tn.reception(r.ID, parquet)
	if e.Event != broker.ConsignFailed || e.ReasonCode != broker.ReasonNoKey || e.By != string(justice) {
		t.Fatalf("%s %s by %s", e.Event, e.ReasonCode, e.By)
	}
	tn.deliver(justice)
	for _, b := range []broker.BrokerID{nord, justice} {
		if a := tn.alarms(b, r.ID, parquet); !slices.Equal(a, []broker.Event{broker.ConsignFailed}) {
			t.Errorf("alarms at %s: %v", b, a)
		}
	}
	next := tn.identity(clock.Now(), 0)
	tn.Ring(justice).AddIdentity("parquet-lille", next)
	tn.Ring(nord).AddCert("parquet-lille", next.Cert())
	clock.advance(2 * time.Hour)
	tn.deliver(nord)
	tn.deliver(justice)
	for _, b := range []broker.BrokerID{nord, justice} {
		if st := tn.progress(b, r.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 || len(tn.alarms(b, r.ID, parquet)) != 0 {
			t.Errorf("at %s: %+v %v", b, st, tn.alarms(b, r.ID, parquet))
		}
	}
}
