// Package queue moves the durable work of a journal to whoever handles it, as
// a Watermill Publisher and Subscriber.
//
// # Where work comes from
//
// Work born of an event is enqueued by the Batch of that event
// (journal.Changes.Enqueue): the event and its work are one commit. Publish is
// for the rest: it is a Batch of its own, durable when it returns. Whatever is
// published stays in the records of the journal for ever: no personal data.
//
// # What a subscriber receives
//
// Of an enqueued item: the payload as it is, the number of the item as UUID.
// Of a published message: its own UUID, metadata and payload. ItemOf gives the
// item behind either. Each item goes to one of the subscribers of its topic,
// whichever Handle they came through; what is in flight is shared by them all,
// so a program has one Queue for one Journal.
//
// # Ack and Nack
//
//   - A handler settles its item in a Batch (done, retry at a time, or dead,
//     with the event that says so) and then acks: Ack only frees the lane.
//   - An item that nobody settled is settled by Ack: done, with an event
//     journal.TypeDelivered. It is never delivered again.
//   - Nack delivers the item again, now, before the rest of its lane, and
//     counts no attempt. It is for shutdown and panics; the failure of a
//     carrier is a retry, settled and acked. An item nacked again and again is
//     slowed down (nackPause), so that a handler which always panics does not
//     take a whole core.
//   - A crash before the settlement delivers again what is not settled, and
//     nothing else. A handler must bear to see an item twice.
//
// If an ack cannot be made durable the journal has failed and the process must
// end; until then the item stays withheld, so that no acked message comes back.
//
// # Order, slots and fairness
//
// Of each lane only the head is ever in flight: the rest waits for the ack or
// the nack, and behind a retry until it is due. Destinations take turns, one
// item each; urgent items of all destinations go before. Slots bounds what is
// in flight and keeps room for what is urgent. An urgent item even replaces one
// that was offered to a subscriber and not yet taken.
//
// # Breaker
//
// There is one breaker per topic and destination, in memory only. When an item
// is settled as a retry, the other lanes of its destination wait until that
// item is due, but never longer than Slots.Hold; then one item goes as a probe.
// A delivery closes the breaker, another retry holds it again. So a destination
// that is down costs one attempt at a time, nothing is rewritten in the
// journal, and an item that fails alone cannot hold its neighbours for hours.
// Urgent items are not held: they try on their own schedule, and close the
// breaker when they get through.
//
// # Reads
//
// The dispatcher reads several items of a destination at once (find), and they
// go one after the other until a commit touches that destination or the end of
// a flight may have freed another: then it reads again. So what is taken is
// what the journal holds, without a read for each.
//
// # Wake-ups
//
// Commits wake the queue (journal.Watch); it never polls the store. One timer
// a topic sleeps until the next item is due, at most clockCheck, because the
// wall clock may jump.
package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker/journal"
)

// ErrClosed answers whoever uses a queue, or a handle, that was closed.
var ErrClosed = errors.New("queue: closed")

// DefaultGrace is how long Close lets the handlers in flight finish.
const DefaultGrace = 10 * time.Second

// Options of a Queue. The zero value is usable.
type Options struct {
	Slots  func(topic string) Slots // nil: Serial for every topic
	Logger watermill.LoggerAdapter  // nil: none. Sees numbers and names, never a payload
	Now    func() time.Time         // nil: time.Now
	Grace  time.Duration            // 0: DefaultGrace
}

// Queue is the durable Publisher and Subscriber of one journal. It is safe for
// concurrent use.
type Queue struct {
	journal *journal.Journal
	options Options
	root    *Handle
	unwatch func()
	once    sync.Once
	stop    chan struct{}  // closed when nobody subscribes any more
	running sync.WaitGroup // the dispatchers

	mu      sync.Mutex
	closed  bool
	topics  map[string]*topic    // those with a subscriber, ever; guarded by mu
	handles map[*Handle]struct{} // not closed yet; guarded by mu
}

var (
	_ message.Publisher  = (*Queue)(nil)
	_ message.Subscriber = (*Queue)(nil)
)

// New returns the queue of j. The caller closes the queue before the journal.
func New(j *journal.Journal, o Options) *Queue {
	if o.Slots == nil {
		o.Slots = func(string) Slots { return Serial() }
	}
	if o.Logger == nil {
		o.Logger = watermill.NopLogger{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grace <= 0 {
		o.Grace = DefaultGrace
	}
	q := &Queue{
		journal: j,
		options: o,
		stop:    make(chan struct{}),
		topics:  map[string]*topic{},
		handles: map[*Handle]struct{}{},
	}
	q.root = q.Handle()
	q.unwatch = j.Watch(q.changed)
	return q
}

// Publish makes the messages durable, in order, in one lane of the topic: all
// or none. Errors: ErrClosed, ErrTooLarge, and those of Journal.Commit.
func (q *Queue) Publish(topic string, messages ...*message.Message) error {
	return q.root.Publish(topic, messages...)
}

// Subscribe receives the items of a topic until ctx ends or the queue is
// closed; then the channel is closed, and what was received and is neither
// acked nor nacked has Options.Grace to end before its context is cancelled.
// The context of a message carries the values of ctx. Error: ErrClosed.
func (q *Queue) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return q.root.Subscribe(ctx, topic)
}

// Close ends all subscriptions, of all handles, waits for what is in flight
// (Options.Grace, then a short while after the contexts of the messages are
// cancelled) and for the publications under way. What is not settled by then
// is delivered after the next start. It never fails.
func (q *Queue) Close() error {
	q.once.Do(func() {
		q.mu.Lock()
		q.closed = true
		handles := make([]*Handle, 0, len(q.handles))
		for h := range q.handles {
			handles = append(handles, h)
		}
		q.mu.Unlock()

		var all sync.WaitGroup
		for _, h := range handles {
			all.Go(h.end)
		}
		all.Wait()
		q.unwatch()
		close(q.stop)
		q.running.Wait()
	})
	return nil
}

// Held lists the destinations of a topic that their breaker holds now, and
// until when. Urgent items are not held.
func (q *Queue) Held(topic string) map[string]time.Time {
	q.mu.Lock()
	t := q.topics[topic]
	q.mu.Unlock()
	if t == nil {
		return nil
	}
	return t.held()
}

// Handle is one user's part of a queue: closing it ends only what went through
// it. Watermill's router closes the publisher and the subscriber that it was
// given, so each handler gets a handle of its own.
type Handle struct {
	queue   *Queue
	ctx     context.Context // ends with the handle
	cancel  context.CancelFunc
	once    sync.Once
	running sync.WaitGroup // subscriptions, messages in flight, publications

	mu     sync.Mutex
	closed bool // guarded by mu; running grows only while it is false
}

var (
	_ message.Publisher  = (*Handle)(nil)
	_ message.Subscriber = (*Handle)(nil)
)

// Handle opens a handle. On a closed queue it is closed from the start.
func (q *Queue) Handle() *Handle {
	h := &Handle{queue: q}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		h.closed = true
		h.cancel()
		return h
	}
	q.handles[h] = struct{}{}
	return h
}

// Publish is Queue.Publish.
func (h *Handle) Publish(topic string, messages ...*message.Message) error {
	if !h.begin() {
		return ErrClosed
	}
	defer h.running.Done()
	if len(messages) == 0 {
		return nil
	}
	batch, err := publication(topic, h.queue.options.Now(), messages)
	if err != nil {
		return fmt.Errorf("publish on %s: %w", topic, err)
	}
	_, err = h.queue.journal.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
		return batch, nil
	})
	if err != nil {
		return fmt.Errorf("publish on %s: %w", topic, err)
	}
	return nil
}

// Subscribe is Queue.Subscribe.
func (h *Handle) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	if !h.begin() {
		return nil, ErrClosed
	}
	t := h.queue.topic(topic)
	s := &subscription{
		topic:   t,
		grace:   h.queue.options.Grace,
		running: &h.running,
		out:     make(chan *message.Message),
	}
	ctx, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(h.ctx, cancel)
	go func() {
		defer h.running.Done()
		defer cancel()
		defer detach()
		s.run(ctx)
	}()
	return s.out, nil
}

// Close ends the subscriptions of this handle, as Queue.Close does for all.
func (h *Handle) Close() error {
	h.end()
	return nil
}

// begin enters one more activity that end waits for; false when it is too late.
func (h *Handle) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.running.Add(1)
	return true
}

func (h *Handle) end() {
	h.once.Do(func() {
		h.mu.Lock()
		h.closed = true
		h.mu.Unlock()
		h.cancel()
		h.running.Wait()
		h.queue.mu.Lock()
		delete(h.queue.handles, h)
		h.queue.mu.Unlock()
	})
}

// topic returns the topic of that name, and starts its dispatcher the first
// time. Its caller is an activity of a handle, so Close cannot be past its
// wait for the handles.
func (q *Queue) topic(name string) *topic {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.topics[name]
	if t == nil {
		t = newTopic(name, q.journal, q.options)
		q.topics[name] = t
		q.running.Go(func() { t.run(q.stop) })
	}
	return t
}
