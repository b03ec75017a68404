package broker_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// scripted puts one script between every broker and the net.
func scripted(script func(from broker.BrokerID, to broker.PartyID, p broker.Parcel) (bool, error)) func(*wiring.Plan) {
	return func(p *wiring.Plan) {
		p.Wrap = func(from broker.BrokerID, next broker.Carrier) broker.Carrier {
			return &brokertest.Carrier{Next: next, OnCarry: func(to broker.PartyID, parcel broker.Parcel) (bool, error) {
				return script(from, to, parcel)
			}}
		}
	}
}

// A recipient whose home does not answer, or hangs, delays nobody else.
func TestDeadRecipientDelaysNoOther(t *testing.T) {
	hang := make(chan struct{})
	for _, c := range []struct {
		name string
		dead func() error
	}{
		{"does not answer", func() error { return brokertest.ErrLost }},
		{"hangs", func() error { <-hang; return brokertest.ErrLost }},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn := newTown(t, scripted(func(_ broker.BrokerID, to broker.PartyID, p broker.Parcel) (bool, error) {
				if to == parquet && p.Pli != nil {
					return false, c.dead()
				}
				return true, nil
			}))
			tn.run()
			var ids []string
			thread := ""
			for i := range 24 { // of one thread, and of several
				s := signalement(t, fmt.Sprint("k", i))
				s.Urgency = []broker.Urgency{broker.U0, broker.U1, broker.U2}[i%3]
				if i%2 == 0 {
					s.Thread = thread
				}
				r := accept(t, tn.at(nord), s)
				thread = r.Thread
				ids = append(ids, r.ID)
			}
			eventually(t, "everything for the judge", func() bool {
				return !slices.ContainsFunc(ids, func(id string) bool { return tn.progress(nord, id, juge).Progress != broker.Consigned })
			})
			for _, id := range ids {
				if st := tn.progress(nord, id, parquet); st.Delivered() {
					t.Errorf("%s was delivered to the dead", id)
				}
			}
			if c.name == "hangs" {
				close(hang)
			}
		})
	}
}

// U0 overtakes: every lane of the recipient but one is taken by plis that
// hang, and the head of its own thread is among them.
func TestU0Overtakes(t *testing.T) {
	urgent := make(chan struct{})
	var once sync.Once
	tn := newTown(t, scripted(func(_ broker.BrokerID, to broker.PartyID, p broker.Parcel) (bool, error) {
		if p.Pli == nil || to != parquet {
			return true, nil
		}
		h, err := broker.ParseHeader(p.Pli.Header)
		if err != nil {
			return false, err
		}
		if h.Urgency == broker.U0 {
			once.Do(func() { close(urgent) })
			return true, nil
		}
		<-urgent
		return true, nil
	}))
	thread := ""
	for i := range 20 {
		s := signalement(t, fmt.Sprint("k", i))
		s.Urgency = broker.U1
		r := accept(t, tn.at(nord), s)
		thread = r.Thread
	}
	t.Cleanup(func() { once.Do(func() { close(urgent) }) })
	s := signalement(t, "urgent")
	s.Thread = thread
	tn.run()
	r := accept(t, tn.at(nord), s)
	eventually(t, "the U0, before the twenty others", func() bool { return tn.progress(nord, r.ID, parquet).Progress == broker.Consigned })
}

// An evidence that is refused for ever blocks no pli and no other evidence; it
// is a dead letter with an alarm, and goes once it is taken up again.
func TestEvidenceRefusedForEver(t *testing.T) {
	var mu sync.Mutex
	bad, repaired := "", false
	tn := newTown(t, scripted(func(_ broker.BrokerID, to broker.PartyID, p broker.Parcel) (bool, error) {
		if p.Evidence == nil || p.Evidence.Evidence == nil {
			return true, nil
		}
		e, err := broker.ParseEvidence(p.Evidence.Evidence)
		mu.Lock()
		defer mu.Unlock()
		if bad == "" && e.Recipient == parquet {
			bad = e.ID
		}
		if err == nil && e.ID == bad && e.Recipient == parquet && !repaired {
			return false, &broker.Refusal{Code: broker.RefusedSigner, Field: "by"}
		}
		return true, err
	}))
	tn.run()
	var ids []string
	for i := range 6 {
		ids = append(ids, accept(t, tn.at(nord), signalement(t, fmt.Sprint("k", i))).ID)
	}
	eventually(t, "all but one evidence", func() bool {
		n := 0
		for _, id := range ids {
			for _, p := range []broker.PartyID{parquet, juge} {
				if tn.progress(nord, id, p).Progress == broker.Consigned {
					n++
				}
			}
		}
		return n == 11 && len(tn.letters(justice)) == 1
	})
	mu.Lock()
	id := bad
	repaired = true
	mu.Unlock()
	letter := tn.letters(justice)[0]
	if letter.Topic != broker.TopicEvidence || letter.Reason != broker.RefusedSigner || letter.Dest != string(ase) {
		t.Errorf("the letter does not explain itself: %+v", letter)
	}
	if a := tn.alarms(justice, id, ase); !slices.Equal(a, []broker.Event{broker.RelayFailed}) {
		t.Errorf("alarms: %v", a)
	}
	if err := tn.at(justice).Requeue(context.Background(), letter.Seq); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the evidence, taken up again", func() bool { return tn.progress(nord, id, parquet).Progress == broker.Consigned })
	eventually(t, "no letter nor alarm", func() bool {
		return len(tn.letters(justice)) == 0 && len(tn.alarms(justice, id, ase)) == 0
	})
}

// A pli that its recipient's home refuses, unsigned: dead letter, relay_failed
// signed by the sender's broker, alarm; requeued, it is consigned and they go.
func TestDeadLetterOfAPli(t *testing.T) {
	refuse := true
	clock := newSteppedClock()
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		scripted(func(_ broker.BrokerID, to broker.PartyID, p broker.Parcel) (bool, error) {
			if refuse && to == parquet {
				return false, &broker.Refusal{Code: broker.RefusedPeer, Field: "peer"}
			}
			return true, nil
		})(p)
	})
	r := accept(t, tn.at(nord), signalement(t, "k"))
	for range 2 { // twice given up is once signed
		tn.deliver(nord)
		letters := tn.letters(nord)
		if len(letters) != 1 || letters[0].Reason != broker.RefusedPeer {
			t.Fatalf("letters: %+v", letters)
		}
		if st := tn.progress(nord, r.ID, parquet); !st.Has(broker.FlagRelayFailed) || !slices.Equal(tn.alarms(nord, r.ID, parquet), []broker.Event{broker.RelayFailed}) {
			t.Errorf("%+v, alarms %v", st, tn.alarms(nord, r.ID, parquet))
		}
		d, err := tn.at(nord).Dossier(r.ID)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range d.Evidences {
			if e.Evidence.Event == broker.RelayFailed {
				n++
				if e.Evidence.By != string(nord) || e.Evidence.ReasonCode != broker.ReasonRefused || e.Evidence.Recipient != parquet {
					t.Errorf("%+v", e.Evidence)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d relay_failed", n)
		}
		if err := tn.at(nord).Requeue(context.Background(), letters[0].Seq); err != nil {
			t.Fatal(err)
		}
	}
	refuse = false
	tn.deliver(nord)
	tn.deliver(justice)
	if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 || len(tn.letters(nord)) != 0 || len(tn.alarms(nord, r.ID, parquet)) != 0 {
		t.Errorf("%+v, %d letters, alarms %v", st, len(tn.letters(nord)), tn.alarms(nord, r.ID, parquet))
	}
}

// Seven days of retries, the first of a U0 after a second, then given up.
func TestSevenDaysThenGivenUp(t *testing.T) {
	clock := newSteppedClock()
	var tries []time.Time
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		scripted(func(_ broker.BrokerID, to broker.PartyID, _ broker.Parcel) (bool, error) {
			if to == parquet {
				tries = append(tries, clock.Now())
				return false, brokertest.ErrLost
			}
			return true, nil
		})(p)
	})
	r := accept(t, tn.at(nord), signalement(t, "k"))
	begun := clock.Now()
	for len(tn.letters(nord)) == 0 && len(tries) < 5000 {
		tn.deliver(nord)
		_ = tn.Nodes[nord].Journal.View(func(v journal.View) error {
			if due, ok := v.NextDue(broker.TopicPli, string(parquet)); ok {
				clock.advance(max(0, due.Sub(clock.Now())))
			}
			return nil
		})
	}
	letters := tn.letters(nord)
	if len(letters) != 1 || letters[0].Reason != broker.ReasonGivenUp {
		t.Fatalf("letters: %+v", letters)
	}
	if took := tries[len(tries)-1].Sub(begun); took < 7*day || took > 7*day+time.Hour {
		t.Errorf("given up after %s", took)
	}
	if first, second := tries[1].Sub(tries[0]), tries[2].Sub(tries[1]); first > 1200*time.Millisecond || second < 2*time.Second || second > 4*time.Second {
		t.Errorf("first retries after %s, then %s", first, second)
	}
	if st := tn.progress(nord, r.ID, parquet); !st.Has(broker.FlagRelayFailed) {
		t.Errorf("%+v", st)
	}
	d, _ := tn.at(nord).Dossier(r.ID)
	if !slices.ContainsFunc(d.Evidences, func(e broker.DossierEvidence) bool {
		return e.Evidence.Event == broker.RelayFailed && e.Evidence.ReasonCode == broker.ReasonGivenUp
	}) {
		t.Error("not signed")
	}
	if st := tn.progress(nord, r.ID, juge); st.Flags != 0 {
		t.Errorf("the other recipient: %+v", st)
	}
}

// A carrier that loses messages and answers, doubles, delays and reorders:
// everything arrives once, and both ends agree.
func TestBadWeather(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { badWeather(t, seed) })
	}
}

func badWeather(t *testing.T, seed uint64) {
	clock := newSteppedClock()
	var carriers []*brokertest.Carrier
	tn := newTown(t, func(p *wiring.Plan) {
		clock.plan(p)
		for i := range p.Parties {
			p.Parties[i].Patience = directory.Patience{U0: day, U1: 7 * day}
		}
		p.Wrap = func(from broker.BrokerID, next broker.Carrier) broker.Carrier {
			c := &brokertest.Carrier{Next: next, Weather: brokertest.NewWeather(seed + uint64(len(from)))}
			carriers = append(carriers, c)
			return c
		}
	})
	ctx := context.Background()
	var ids []string
	for i := range 10 {
		s := signalement(t, fmt.Sprint("k", i))
		s.Urgency = []broker.Urgency{broker.U0, broker.U1}[i%2]
		ids = append(ids, accept(t, tn.at(nord), s).ID)
	}
	acts := []broker.Event{broker.Opened, broker.TakenInCharge}
	for range 200 {
		clock.advance(7 * time.Minute) // all of them less than the patience for a U0
		for _, b := range []broker.BrokerID{nord, justice} {
			tn.deliver(b)
		}
		for _, c := range carriers {
			c.Arrive()
		}
		for _, id := range ids {
			for _, e := range acts {
				_, err := tn.at(justice).Acknowledge(ctx, broker.Act{ID: id, Party: parquet, Event: e, Actor: broker.Actor{Name: "SPÉCIMEN"}, Basis: broker.Declared})
				if err != nil && !errors.Is(err, broker.ErrAlready) && !errors.Is(err, broker.ErrNotFound) {
					t.Fatal(err)
				}
			}
		}
		if tn.pending(nord)+tn.pending(justice) == 0 {
			break
		}
	}
	for _, id := range ids {
		near, err := tn.at(nord).Dossier(id)
		if err != nil {
			t.Fatal(err)
		}
		far, err := tn.at(justice).Dossier(id)
		if err != nil {
			t.Fatal(err)
		}
		if len(near.Evidences) != 4 || len(far.Evidences) != 4 {
			t.Errorf("%d evidences here and %d there, want consigned twice, opened, taken_in_charge", len(near.Evidences), len(far.Evidences))
		}
		for _, p := range []broker.PartyID{parquet, juge} {
			a, b := tn.progress(nord, id, p), tn.progress(justice, id, p)
			if !equal(a, b) || !equal(a, tn.at(nord).Fold(near, p)) || !equal(b, tn.at(justice).Fold(far, p)) || a.Flags != 0 {
				t.Errorf("%s: %+v here, %+v there", p, a, b)
			}
		}
	}
	if _, received, _ := tn.at(justice).Plis(parquet); len(received) != len(ids) {
		t.Errorf("%d plis in the inbox, want %d", len(received), len(ids))
	}
	if n := len(tn.letters(nord)) + len(tn.letters(justice)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// pending counts what a broker has still to deliver.
func (tn *town) pending(at broker.BrokerID) (n int) {
	_ = tn.Nodes[at].Journal.View(func(v journal.View) error {
		n = v.Pending(broker.TopicPli) + v.Pending(broker.TopicEvidence)
		return nil
	})
	return n
}
