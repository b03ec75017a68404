package queue

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker/journal"
)

func TestReceivedItem(t *testing.T) {
	j, q := start(t, Options{})
	enqueue(t, j, urgent(item("plis", "parquet-lille", "l1", "charge")))
	c := subscribe(t, q, "plis")
	m := expect(t, c, "charge")
	it, ok := ItemOf(m)
	if !ok || it.Dest != "parquet-lille" || it.Lane != "l1" || !it.Urgent || it.Seq == 0 || it.Entered.IsZero() {
		t.Fatalf("item %+v, %v", it, ok)
	}
	if m.UUID == "" || m.Metadata.Get("correlation_id") != m.UUID {
		t.Fatalf("UUID %q, metadata %v", m.UUID, m.Metadata)
	}
	if _, ok := ItemOf(message.NewMessage("1", nil)); ok {
		t.Fatal("an item behind a message that was not received")
	}
}

// Ack settles what nobody settled, once, and with one event.
func TestAckSettles(t *testing.T) {
	j, q := start(t, Options{})
	enqueue(t, j, item("plis", "a", "l", "1"))
	before := j.Head().Size
	c := subscribe(t, q, "plis")
	m := receive(t, c)
	m.Ack()
	<-m.Context().Done()
	if n := pending(t, j, "plis"); n != 0 {
		t.Fatalf("%d pending after the ack", n)
	}
	if n := j.Head().Size - before; n != 1 {
		t.Fatalf("%d events, want 1", n)
	}
	nothing(t, c)
}

// Ack of what the handler settled writes nothing.
func TestAckAfterSettlement(t *testing.T) {
	for _, o := range []journal.Outcome{journal.Done, journal.Retry, journal.Dead} {
		t.Run(string(o), func(t *testing.T) {
			j, q := start(t, Options{})
			enqueue(t, j, item("plis", "a", "l", "1"))
			c := subscribe(t, q, "plis")
			m := receive(t, c)
			settle(t, j, m, o, time.Now().Add(time.Hour))
			before := j.Head().Size
			m.Ack()
			<-m.Context().Done()
			if j.Head().Size != before {
				t.Fatal("the ack wrote an event")
			}
			nothing(t, c)
			if want := map[journal.Outcome]int{journal.Retry: 1}[o]; pending(t, j, "plis") != want {
				t.Fatalf("%d pending, want %d", pending(t, j, "plis"), want)
			}
		})
	}
}

// A settlement that is committed between the ack and its own commit stands.
func TestAckMeetsASettlement(t *testing.T) {
	j, q := start(t, Options{})
	enqueue(t, j, item("plis", "a", "l", "1"))
	c := subscribe(t, q, "plis")
	m := receive(t, c)
	release := make(chan struct{})
	go func() {
		_, _ = j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
			<-release // the committer is busy: what follows waits for it, in order
			return journal.Batch{}, nil
		})
	}()
	time.Sleep(moment)
	settled := make(chan struct{})
	go func() {
		settle(t, j, m, journal.Retry, time.Now().Add(time.Hour))
		close(settled)
	}()
	time.Sleep(moment)
	m.Ack()
	time.Sleep(moment)
	close(release)
	<-settled
	<-m.Context().Done()
	if n := pending(t, j, "plis"); n != 1 {
		t.Fatal("the ack took away what waits for its retry")
	}
}

// A requeue between the settlement and the ack is not lost to the ack.
func TestAckAfterRequeue(t *testing.T) {
	j, q := start(t, Options{})
	enqueue(t, j, item("plis", "a", "l", "1"))
	c := subscribe(t, q, "plis")
	m := receive(t, c)
	settle(t, j, m, journal.Dead, time.Time{})
	settle(t, j, m, journal.Requeue, time.Time{})
	m.Ack()
	expect(t, c, "1").Ack()
}

func TestNackIsAgainNowInOrder(t *testing.T) {
	j, q := start(t, Options{})
	enqueue(t, j, item("plis", "a", "l", "1"), item("plis", "a", "l", "2"))
	c := subscribe(t, q, "plis")
	for range patience + 4 { // also when it is slowed down
		m := expect(t, c, "1")
		if it, _ := ItemOf(m); it.Attempts != 0 {
			t.Fatalf("a nack counted as attempt %d", it.Attempts)
		}
		m.Nack()
	}
	expect(t, c, "1").Ack()
	expect(t, c, "2").Ack()
}

func TestLaneOrderUnderRetry(t *testing.T) {
	j, q := start(t, Options{Slots: plisSlots})
	enqueue(t, j, item("plis", "a", "l", "1"), item("plis", "a", "l", "2"))
	c := subscribe(t, q, "plis")
	for attempt := range 3 {
		m := expect(t, c, "1")
		if it, _ := ItemOf(m); it.Attempts != attempt {
			t.Fatalf("attempts %d, want %d", it.Attempts, attempt)
		}
		due := time.Now().Add(moment)
		settle(t, j, m, journal.Retry, due)
		m.Ack()
		if attempt < 2 {
			m = expect(t, c, "1")
			if time.Now().Before(due) {
				t.Fatal("again before its time")
			}
			m.Nack() // changes nothing: still the head
		}
	}
	expect(t, c, "1").Ack()
	expect(t, c, "2").Ack()
}

// While a lane is in flight its next item waits, even though the handler has
// settled the first: the carrier may still be at work.
func TestLaneWithheldUntilAck(t *testing.T) {
	j, q := start(t, Options{Slots: plisSlots})
	enqueue(t, j, item("plis", "a", "l", "1"), item("plis", "a", "l", "2"))
	c := subscribe(t, q, "plis")
	m := expect(t, c, "1")
	settle(t, j, m, journal.Done, time.Time{})
	nothing(t, c)
	m.Ack()
	expect(t, c, "2").Ack()
}

func TestDeadLetterReleasesItsLaneAndStaysVisible(t *testing.T) {
	j, q := start(t, Options{Slots: plisSlots})
	enqueue(t, j, item("plis", "a", "l", "1"), item("plis", "a", "l", "2"))
	c := subscribe(t, q, "plis")
	m := expect(t, c, "1")
	settle(t, j, m, journal.Dead, time.Time{})
	m.Ack()
	expect(t, c, "2").Ack()
	err := j.View(func(v journal.View) error {
		l := v.Letters(0, 10)
		if len(l) != 1 || string(l[0].Payload) != "1" || l[0].Reason != "injoignable" {
			t.Errorf("letters: %+v", l)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDueTimesAndUnsettledSurviveARestart(t *testing.T) {
	d := newDisk(t)
	j, q := startOn(t, d, Options{Slots: plisSlots})
	for _, p := range payloads(8) {
		enqueue(t, j, item("plis", "dest"+p, "l", p))
	}
	if err := q.Publish("plis", message.NewMessage("id", []byte("published"))); err != nil {
		t.Fatal(err)
	}
	c := subscribe(t, q, "plis")
	got := map[string]*message.Message{}
	for range 9 {
		m := receive(t, c)
		got[string(m.Payload)] = m
	}
	due := time.Now().Add(2 * time.Second)
	settle(t, j, got["0"], journal.Done, time.Time{}) // and no ack: the crash is before it
	settle(t, j, got["1"], journal.Dead, time.Time{})
	settle(t, j, got["2"], journal.Retry, due)
	got["3"].Ack()
	<-got["3"].Context().Done()
	settle(t, j, got["4"], journal.Done, time.Time{})
	got["4"].Ack()
	got["5"].Nack()
	expect(t, c, "5")
	// The crash: the journal stops first, nothing else reaches it.
	if err := j.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	got["6"].Ack()
	_ = q.Close()

	_, q = startOn(t, d, Options{Slots: plisSlots})
	c = subscribe(t, q, "plis")
	var again []string
	for range 4 {
		m := receive(t, c)
		again = append(again, string(m.Payload))
		m.Ack()
	}
	slices.Sort(again)
	if s := strings.Join(again, " "); s != "5 6 7 published" {
		t.Fatalf("delivered again: %s", s)
	}
	m := expect(t, c, "2")
	if time.Now().Before(due) {
		t.Fatal("before its time")
	}
	m.Ack()
	nothing(t, c)
}

var errRefused = errors.New("refused")

// failing is a store whose writes can be refused, while reads go on.
type failing struct {
	journal.Store
	broken atomic.Bool
}

func (f *failing) Update(g func(journal.Tx) error) error {
	if f.broken.Load() {
		return errRefused
	}
	return f.Store.Update(g)
}

// An ack that cannot be made durable does not bring the message back in this
// process, whatever else happens.
func TestAckThatFailsIsNotRedelivered(t *testing.T) {
	f := &failing{Store: newDisk(t).store(t)}
	j, err := journal.New(f, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := New(j, Options{Slots: plisSlots, Grace: time.Millisecond})
	defer q.Close()
	enqueue(t, j, item("plis", "a", "l", "1"), item("plis", "a", "l", "2"))
	c := subscribe(t, q, "plis")
	m := expect(t, c, "1")
	f.broken.Store(true)
	m.Ack()
	<-m.Context().Done()
	q.changed(journal.Change{Work: []journal.Work{{Topic: "plis", Dest: "a"}}})
	nothing(t, c)
	if err := q.Publish("plis", message.NewMessage("", nil)); !errors.Is(err, errRefused) {
		t.Fatalf("publish on a store that refuses: %v", err)
	}
}
