package queue

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// goroutines counts those that run code of this package, tests excepted.
func goroutines() (n int) {
	buf := make([]byte, 4<<20)
	buf = buf[:runtime.Stack(buf, true)]
	for g := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.Contains(g, "queue.(*subscription)") || strings.Contains(g, "queue.(*topic)") ||
			strings.Contains(g, "queue.(*Handle)") {
			n++
		}
	}
	return n
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	before := goroutines()
	j, q := start(t, Options{Slots: plisSlots})
	for _, p := range payloads(30) {
		enqueue(t, j, item("plis", "d"+p, "l", p))
	}
	kept := subscribe(t, q.Handle(), "plis")
	unread := subscribe(t, q, "plis")
	ctx, cancel := context.WithCancel(context.Background())
	ended, err := q.Subscribe(ctx, "other")
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, ok := <-ended; ok {
		t.Fatal("a message on a topic without work")
	}
	m := receive(t, kept) // never acked
	if goroutines() <= before {
		t.Fatal("the count of goroutines sees nothing")
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if n := goroutines(); n > before {
		t.Fatalf("%d goroutines left", n-before)
	}
	if m.Context().Err() == nil {
		t.Fatal("the context of a message outlives the queue")
	}
	for _, c := range []<-chan *message.Message{kept, unread} {
		if _, ok := <-c; ok {
			t.Fatal("a message after Close")
		}
	}
	if n := pending(t, j, "plis"); n != 30 {
		t.Fatalf("%d pending, want all 30", n)
	}
}

func TestClosedRefuses(t *testing.T) {
	_, q := start(t, Options{})
	h := q.Handle()
	_ = q.Close()
	_ = q.Close()
	for _, p := range []interface {
		message.Publisher
		message.Subscriber
	}{q, h, q.Handle()} {
		if err := p.Publish("t", message.NewMessage("1", nil)); !errors.Is(err, ErrClosed) {
			t.Errorf("publish: %v", err)
		}
		if _, err := p.Subscribe(context.Background(), "t"); !errors.Is(err, ErrClosed) {
			t.Errorf("subscribe: %v", err)
		}
	}
}

// Closing a handle ends what went through it, and nothing else.
func TestHandleEndsItsOwn(t *testing.T) {
	_, q := start(t, Options{})
	one, other := q.Handle(), q.Handle()
	c, d := subscribe(t, one, "t"), subscribe(t, other, "t")
	_ = one.Close()
	if _, ok := <-c; ok {
		t.Fatal("a message from nowhere")
	}
	if err := other.Publish("t", message.NewMessage("1", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	expect(t, d, "x").Ack()
}

// Close lets a handler in flight finish: its ack counts, its context lives.
func TestCloseWaitsForTheHandler(t *testing.T) {
	j, q := start(t, Options{Grace: time.Minute})
	enqueue(t, j, item("plis", "a", "l", "1"))
	c := subscribe(t, q, "plis")
	m := receive(t, c)
	closed := make(chan struct{})
	go func() { _ = q.Close(); close(closed) }()
	if _, ok := <-c; ok {
		t.Fatal("a message after Close")
	}
	select {
	case <-closed:
		t.Fatal("Close did not wait")
	case <-m.Context().Done():
		t.Fatal("the context was cut before the grace was over")
	case <-time.After(moment):
	}
	m.Ack()
	<-closed
	if n := pending(t, j, "plis"); n != 0 {
		t.Fatal("the ack did not count")
	}
}

// A subscription that ends puts back what it holds, for the others.
func TestEndedSubscriptionPutsBack(t *testing.T) {
	j, q := start(t, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	c, err := q.Subscribe(ctx, "plis")
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, j, item("plis", "a", "l", "1"), item("plis", "a", "l", "2"))
	expect(t, c, "1") // taken, and forgotten
	cancel()
	d := subscribe(t, q, "plis")
	expect(t, d, "1").Ack()
	expect(t, d, "2").Ack()
}
