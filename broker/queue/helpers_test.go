package queue

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// patienceOfTests bounds a wait for what must happen; moment is long enough for
// what must not happen to show.
const (
	patienceOfTests = 20 * time.Second
	moment          = 80 * time.Millisecond
)

func plisSlots(string) Slots { return Plis() }

// disk is a directory with a journal: what a crash leaves.
type disk struct{ dir string }

func newDisk(t testing.TB) *disk {
	t.Helper()
	d := &disk{t.TempDir()}
	if err := boltstore.Create(d.dir, "broker-fictif"); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *disk) store(t testing.TB) journal.Store {
	t.Helper()
	s, err := boltstore.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (d *disk) open(t testing.TB) *journal.Journal {
	t.Helper()
	j, err := journal.New(d.store(t), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// start opens a journal and a queue that end with the test.
func start(t testing.TB, o Options) (*journal.Journal, *Queue) {
	t.Helper()
	return startOn(t, newDisk(t), o)
}

func startOn(t testing.TB, d *disk, o Options) (*journal.Journal, *Queue) {
	t.Helper()
	j := d.open(t)
	if o.Grace == 0 {
		o.Grace = 20 * time.Millisecond
	}
	q := New(j, o)
	t.Cleanup(func() {
		_ = q.Close()
		_ = j.Close(context.Background()) // ErrClosed where the test did it
	})
	return j, q
}

// enqueue commits one event with the items.
func enqueue(t testing.TB, j *journal.Journal, items ...journal.Item) {
	t.Helper()
	commit(t, j, journal.Event{Type: journal.TypePli, Changes: journal.Changes{Enqueue: items}})
}

func commit(t testing.TB, j *journal.Journal, events ...journal.Event) {
	t.Helper()
	for i := range events {
		events[i].At = time.Now()
	}
	_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
		return journal.Batch{Events: events}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// settle ends the item behind msg as a handler does, with its own event.
func settle(t testing.TB, j *journal.Journal, msg *message.Message, o journal.Outcome, at time.Time) {
	t.Helper()
	it, ok := ItemOf(msg)
	if !ok {
		t.Fatal("a message without its item")
	}
	s := journal.Settlement{Seq: it.Seq, Outcome: o, At: at}
	if o != journal.Done {
		s.Reason = "injoignable"
	}
	commit(t, j, journal.Event{Type: journal.TypeNoted, Changes: journal.Changes{Settle: []journal.Settlement{s}}})
}

func item(topic, dest, lane, payload string) journal.Item {
	return journal.Item{Topic: topic, Dest: dest, Lane: lane, Payload: []byte(payload)}
}

func urgent(it journal.Item) journal.Item { it.Urgent = true; return it }

func subscribe(t testing.TB, s message.Subscriber, topic string) <-chan *message.Message {
	t.Helper()
	c, err := s.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func receive(t testing.TB, c <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case m, ok := <-c:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return m
	case <-time.After(patienceOfTests):
		t.Fatal("nothing came")
	}
	return nil
}

// expect receives one message with that payload.
func expect(t testing.TB, c <-chan *message.Message, payload string) *message.Message {
	t.Helper()
	m := receive(t, c)
	if string(m.Payload) != payload {
		t.Fatalf("came %q, want %q", m.Payload, payload)
	}
	return m
}

func nothing(t testing.TB, c <-chan *message.Message) {
	t.Helper()
	select {
	case m, ok := <-c:
		if ok {
			t.Fatalf("%q came", m.Payload)
		}
	case <-time.After(moment):
	}
}

// eventually waits until f holds.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patienceOfTests); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func pending(t testing.TB, j *journal.Journal, topic string) (n int) {
	t.Helper()
	if err := j.View(func(v journal.View) error { n = v.Pending(topic); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func payloads(n int) []string {
	p := make([]string, n)
	for i := range p {
		p[i] = fmt.Sprint(i)
	}
	return p
}
