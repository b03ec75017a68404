package queue

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// A subscription that ends at the very moment when it is woken passes the
// wake-up on: another one takes the item, long before clockCheck.
func TestWakeUpOfAnEndingSubscription(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the woken one runs after cancel
	j := newDisk(t).open(t)
	q := New(j, Options{Slots: plisSlots})
	t.Cleanup(func() { _ = q.Close(); _ = j.Close(context.Background()) })
	tp := newTopic("plis", j, q.options)
	q.topics["plis"] = tp // its dispatcher is this test
	if err := tp.start(); err != nil {
		t.Fatal(err)
	}
	subscribe := func() (out chan *message.Message, cancel func()) {
		ctx, cancel := context.WithCancel(context.Background())
		s := &subscription{topic: tp, running: &sync.WaitGroup{}, out: make(chan *message.Message)}
		go s.run(ctx)
		time.Sleep(20 * time.Millisecond) // it waits
		return s.out, cancel
	}
	_, end := subscribe()
	stays, stop := subscribe()
	defer stop()
	enqueue(t, j, item("plis", "d", "", "x"))
	if _, err := tp.dispatch(); err != nil { // wakes the first that waits
		t.Fatal(err)
	}
	end()
	select {
	case m := <-stays:
		m.Ack()
	case <-time.After(2 * time.Second):
		t.Error("an item may go, a subscriber waits, and nobody was woken")
	}
}
