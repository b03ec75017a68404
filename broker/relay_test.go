package broker_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

const relais = broker.BrokerID("relais-essai")

// relayed is a town whose two homes are reached through a relay only.
func relayed(t *testing.T, change func(*wiring.Plan)) (*town, *steppedClock) {
	t.Helper()
	c := newSteppedClock()
	return newTown(t, func(p *wiring.Plan) {
		c.plan(p)
		for i := range p.Brokers {
			p.Brokers[i].Via = relais
		}
		p.Brokers = append(p.Brokers, directory.Broker{ID: relais, Libelle: "Relais (démonstration)", Relay: true})
		if change != nil {
			change(p)
		}
	}), c
}

// drain delivers at every broker until nothing is due anywhere.
func (tn *town) drain() {
	tn.t.Helper()
	for range 50 {
		due := 0
		for _, b := range []broker.BrokerID{nord, relais, justice} {
			due += len(tn.due(b))
			tn.deliver(b)
		}
		if due == 0 {
			return
		}
	}
	tn.t.Fatal("deliveries without end")
}

// carriesNothing checks that a relay is done with all that it took.
func (tn *town) carriesNothing() {
	tn.t.Helper()
	if files := tn.bodyFiles(relais); len(files) > 0 {
		tn.t.Errorf("%d body files are left at the relay", len(files))
	}
	_ = tn.Nodes[relais].Journal.View(func(v journal.View) error {
		v.Scan("transit", "", "", func(key string, _ []byte) bool { tn.t.Error("in transit:", key); return true })
		if n := v.Pending(broker.TopicPli) + v.Pending(broker.TopicEvidence); n > 0 {
			tn.t.Errorf("%d items are pending at the relay", n)
		}
		for n := range v.Head().Size {
			e, err := v.Record(n)
			if err != nil {
				tn.t.Fatal(err)
			}
			for _, b := range e.Blobs {
				if v.HasBlob(b.Name) {
					tn.t.Errorf("the relay keeps %s", b.Name)
				}
			}
		}
		return nil
	})
}

// takeInCharge is the act of the parquet.
func takeInCharge(id string) broker.Act {
	return broker.Act{ID: id, Party: parquet, Event: broker.TakenInCharge, Reason: canary,
		Actor: broker.Actor{Name: "SPÉCIMEN " + canary, Function: "substitut"}, Basis: broker.Declared}
}

// The lawful way through a relay: plis one way, evidences of machines and of
// persons the other, an overdue with the plis; then nothing is left there.
func TestRelayedBothWays(t *testing.T) {
	for _, size := range []int{1000, 200_000} { // in the journal, in a file
		tn, clock := relayed(t, nil)
		sub := signalement(t, "k")
		sub.Pieces = []io.Reader{bytes.NewReader(noise(size))}
		r := accept(t, tn.at(nord), sub)
		tn.deliver(nord)
		if files := len(tn.bodyFiles(relais)); size > 100_000 && files != 1 {
			t.Errorf("%d body files at the relay for two recipients", files)
		}
		tn.drain()
		clock.advance(16 * time.Minute)
		if _, err := tn.at(nord).FireDue(context.Background()); err != nil {
			t.Fatal(err)
		}
		tn.drain()
		if st := tn.progress(justice, r.ID, parquet); !st.Has(broker.FlagOverdue) {
			t.Errorf("the overdue did not come through the relay: %+v", st)
		}
		if _, err := tn.at(justice).Acknowledge(context.Background(), takeInCharge(r.ID)); err != nil {
			t.Fatal(err)
		}
		tn.drain()
		if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.TakenInCharge || st.Flags != 0 {
			t.Errorf("%+v; refused: %v", st, tn.at(nord).Refusals())
		}
		if st := tn.progress(nord, r.ID, juge); st.Progress != broker.Consigned {
			t.Errorf("copy: %+v", st)
		}
		tn.saysRelayed(r.ID)
		for _, b := range []broker.BrokerID{nord, relais, justice} {
			if refused := tn.at(b).Refusals(); len(refused) > 0 {
				t.Errorf("%s refused %v", b, refused)
			}
			if len(tn.letters(b)) > 0 {
				t.Errorf("dead letters at %s", b)
			}
		}
		tn.carriesNothing()
	}
}

// saysRelayed wants the signed passage of each pair at the sender's, and the
// state to be what the evidences say.
func (tn *town) saysRelayed(id string) {
	tn.t.Helper()
	d, err := tn.at(nord).Dossier(id)
	if err != nil {
		tn.t.Fatal(err)
	}
	for _, p := range []broker.PartyID{parquet, juge} {
		if !slices.ContainsFunc(d.Evidences, func(e broker.DossierEvidence) bool {
			return e.Evidence.Event == broker.Relayed && e.Evidence.Recipient == p && e.Evidence.By == string(relais)
		}) {
			tn.t.Errorf("no relayed for %s", p)
		}
		if fold, st := tn.at(nord).Fold(d, p), tn.progress(nord, id, p); !equal(fold, st) {
			tn.t.Errorf("fold %+v, stored %+v", fold, st)
		}
	}
}

// What the relay holds on disk while everything waits there: no name, no kind,
// no thread, no act; and it has no key that opens anything.
func TestRelayCannotRead(t *testing.T) {
	tn, _ := relayed(t, nil)
	sub := signalement(t, "k")
	sub.Actor.Name = canary
	sub.Pieces = []io.Reader{bytes.NewReader([]byte("%PDF-1.4 " + canary))}
	r := accept(t, tn.at(nord), sub)
	tn.deliver(nord)
	tn.deliver(relais)
	if _, err := tn.at(justice).Acknowledge(context.Background(), takeInCharge(r.ID)); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice) // the sealed act waits at the relay
	words := []string{canary, "signalement/1", "taken_in_charge", r.Thread, "SPÉCIMEN", "substitut", "MODÈLE"}
	err := filepath.WalkDir(tn.Dir(relais), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				t.Errorf("%s holds %q", filepath.Base(path), w)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := tn.Nodes[nord].Journal.Bodies().Open(tn.bodyOf(r.ID))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	for _, p := range []broker.PartyID{ase, parquet, juge} {
		if _, err := tn.Ring(relais).Open(context.Background(), body, body.Size(), string(p), string(ase)); err == nil {
			t.Errorf("the relay opens as %s", p)
		}
		if c, err := tn.at(relais).Read(context.Background(), r.ID, p); err == nil {
			c.Close()
			t.Errorf("the relay reads as %s", p)
		}
	}
}

func (tn *town) bodyOf(id string) string {
	d, err := tn.at(nord).Dossier(id)
	if err != nil {
		tn.t.Fatal(err)
	}
	return d.Header.BodySHA256
}

// One transfer of a body on each leg for two recipients at one home, which
// wait at the relay together.
func TestRelayTakesABodyOnce(t *testing.T) {
	var transfers atomic.Int32
	tn, _ := relayed(t, func(p *wiring.Plan) {
		p.Wrap = func(_ broker.BrokerID, c broker.Carrier) broker.Carrier { return counting{c, &transfers} }
	})
	accept(t, tn.at(nord), transmission(t, "k", noise(200_000), parquet, juge))
	tn.drain()
	if n := transfers.Load(); n != 2 {
		t.Errorf("%d transfers on two legs", n)
	}
	tn.carriesNothing()
}

// A home that is down for five days gets everything once it is back; one that
// never comes back makes a dead letter, a signed failure and an alarm, and the
// relay keeps no body.
func TestRelayHoldsForAHomeThatIsDown(t *testing.T) {
	for _, c := range []struct {
		days int
		lost bool
	}{{5, false}, {9, true}} {
		tn, clock := relayed(t, nil)
		tn.Net.Join(justice, nil)
		r := accept(t, tn.at(nord), transmission(t, "k", noise(200_000), parquet))
		tn.drain()
		if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Relayed || st.Flags != 0 {
			t.Errorf("while it waits: %+v", st)
		}
		for range c.days * 24 {
			clock.advance(time.Hour)
			tn.drain()
		}
		tn.Net.Join(justice, tn.at(justice))
		clock.advance(2 * time.Hour) // the longest backoff
		tn.drain()
		st := tn.progress(nord, r.ID, parquet)
		alarms := tn.alarms(nord, r.ID, parquet)
		if delivered := st.Progress == broker.Consigned && len(alarms) == 0; delivered == c.lost {
			t.Errorf("%d days: %+v %v", c.days, st, alarms)
		}
		if c.lost && (!st.Has(broker.FlagRelayFailed) || !slices.Equal(alarms, []broker.Event{broker.RelayFailed}) || len(tn.letters(relais)) != 1) {
			t.Errorf("given up, and the sender sees %+v %v", st, alarms)
		}
		tn.carriesNothing()
	}
}

// Once more what was settled: the sender's journal was restored from an older
// backup, and wants to hear again what was said, through the relay too.
func TestRelayCarriesAgain(t *testing.T) {
	var last broker.Parcel
	tn, _ := relayed(t, func(p *wiring.Plan) {
		p.Wrap = func(from broker.BrokerID, c broker.Carrier) broker.Carrier {
			return &brokertest.Carrier{Next: c, OnCarry: func(to broker.PartyID, p broker.Parcel) (bool, error) {
				if from == nord && to == parquet && p.Pli != nil {
					last = p
				}
				return true, nil
			}}
		}
	})
	r := accept(t, tn.at(nord), transmission(t, "k", noise(200_000), parquet))
	tn.drain()
	before := tn.heard(r.ID)
	if err := tn.at(relais).Receive(context.Background(), nord, parquet, last); err != nil {
		t.Fatal(err)
	}
	if err := tn.at(relais).Receive(context.Background(), nord, parquet, last); err != nil {
		t.Fatal("the second time while it waits:", err)
	}
	if n := len(tn.due(relais)); n != 2 { // the pli, and relayed
		t.Errorf("%d items at the relay", n)
	}
	tn.deliver(relais)
	if n := len(tn.due(justice)); n != 1 { // consigned
		t.Errorf("%d items at the home", n)
	}
	tn.drain()
	if after := tn.heard(r.ID); before != after || before != 2 {
		t.Errorf("%d evidences, then %d", before, after)
	}
	tn.carriesNothing()
}

func (tn *town) heard(id string) int {
	d, err := tn.at(nord).Dossier(id)
	if err != nil {
		tn.t.Fatal(err)
	}
	return len(d.Evidences)
}
