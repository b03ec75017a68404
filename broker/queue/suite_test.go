package queue

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
)

// TestOfficialSuite runs what Watermill asks of every Pub/Sub. One Queue serves
// a journal, as in production; each Publisher and Subscriber is a handle of
// its own.
func TestOfficialSuite(t *testing.T) {
	d := newDisk(t)
	q := New(d.open(t), Options{Grace: 200 * time.Millisecond})
	t.Cleanup(func() { _ = q.Close() })
	tests.TestPubSub(t, tests.Features{
		Persistent:                          true,
		GuaranteedOrder:                     true,
		GuaranteedOrderWithSingleSubscriber: true,
		ExactlyOnceDelivery:                 true,
	}, func(*testing.T) (message.Publisher, message.Subscriber) {
		return q.Handle(), q.Handle()
	}, nil)
}

// The suite skips two of its tests for a Pub/Sub that claims exactly once.
// They hold here all the same, since what is not settled comes back.
func TestOfficialCloseTests(t *testing.T) {
	d := newDisk(t)
	q := New(d.open(t), Options{Grace: 200 * time.Millisecond})
	t.Cleanup(func() { _ = q.Close() })
	features := tests.Features{Persistent: true, GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true}
	handles := func(*testing.T) (message.Publisher, message.Subscriber) { return q.Handle(), q.Handle() }
	t.Run("ContinueAfterSubscribeClose", func(t *testing.T) {
		tests.TestContinueAfterSubscribeClose(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, handles)
	})
	t.Run("ConcurrentClose", func(t *testing.T) {
		tests.TestConcurrentClose(t, tests.TestContext{TestID: tests.NewTestID(), Features: features}, handles)
	})
}
