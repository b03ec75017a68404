package queue

import (
	"context"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker/journal"
)

const (
	// lastGrace is what a handler has at most, once its context is cancelled,
	// to nack.
	lastGrace = time.Second
	// patience is how many nacks in a row of one item are free of nackPause.
	patience = 16
	// nackPause slows down an item that is nacked again and again.
	nackPause = 50 * time.Millisecond
)

// subscription is one channel of messages.
type subscription struct {
	topic   *topic
	grace   time.Duration
	running *sync.WaitGroup // of the handle: messages in flight
	out     chan *message.Message
}

// run offers items until ctx ends.
func (s *subscription) run(ctx context.Context) {
	defer signal(s.topic.kick) // it may have been woken for another one
	defer close(s.out)
	for ctx.Err() == nil {
		rush := s.topic.rushed() // before take: what shows up between is seen
		f := s.topic.take()
		if f == nil {
			select {
			case <-s.topic.kick:
			case <-ctx.Done():
			}
			continue
		}
		if f.item.Urgent {
			rush = nil
		}
		s.offer(ctx, f, rush)
	}
}

// offer hands f to the subscriber, or puts it back when ctx ends or something
// urgent comes first.
func (s *subscription) offer(ctx context.Context, f *flight, rush <-chan struct{}) {
	// The end of ctx must not cut short a handler in flight: that is what
	// the grace is for.
	msgCtx, cancel := context.WithCancel(withItem(context.WithoutCancel(ctx), f.item))
	msg := received(f.item)
	msg.SetContext(msgCtx)
	select {
	case s.out <- msg:
		s.running.Go(func() { s.await(ctx, f, msg, cancel) })
		return
	case <-ctx.Done():
	case <-rush:
	}
	cancel()
	s.topic.finish(f, unsettled, time.Time{})
}

// await ends f as the subscriber says, or when its time is over.
func (s *subscription) await(ctx context.Context, f *flight, msg *message.Message, cancel context.CancelFunc) {
	defer cancel()
	select {
	case <-msg.Acked():
	case <-msg.Nacked():
	case <-ctx.Done():
		s.lastChance(msg, cancel)
	}
	// Whatever ended the wait, an ack that was given counts.
	select {
	case <-msg.Acked():
		s.topic.acked(f)
		return
	default:
	}
	select {
	case <-msg.Nacked():
		s.topic.nacked(ctx, f)
	default:
		s.topic.finish(f, unsettled, time.Time{})
	}
}

// lastChance waits for an ack or a nack while the subscription is over.
func (s *subscription) lastChance(msg *message.Message, cancel context.CancelFunc) {
	timer := time.NewTimer(s.grace)
	defer timer.Stop()
	for range 2 {
		select {
		case <-msg.Acked():
			return
		case <-msg.Nacked():
			return
		case <-timer.C:
			cancel()
			timer.Reset(min(s.grace, lastGrace))
		}
	}
}

// acked ends a flight that the subscriber acked.
func (t *topic) acked(f *flight) {
	v, due, err := t.settle(f.item)
	if err != nil {
		// Withheld from now on: redelivering it would break the promise of the
		// ack, and a journal that cannot commit ends the process.
		t.logger.Error("queue: an ack is not durable", err,
			watermill.LogFields{"topic": t.name, "item": f.item.Seq})
		return
	}
	t.finish(f, v, due)
}

// nacked ends a flight that the subscriber nacked: at once or, when it keeps
// doing so, after a short pause of its lane. A handler may also nack what it
// settled: that stays settled.
func (t *topic) nacked(ctx context.Context, f *flight) {
	v, due := unsettled, time.Time{}
	err := t.journal.View(func(view journal.View) error {
		v, due = standing(view, f.item)
		return nil
	})
	if err != nil {
		t.logger.Error("queue: cannot read a nacked item", err,
			watermill.LogFields{"topic": t.name, "item": f.item.Seq})
	}
	if v == unsettled && t.countNack(f) > patience {
		pause := time.NewTimer(nackPause)
		defer pause.Stop()
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
	t.finish(f, v, due)
}

// countNack says how often in a row f was nacked.
func (t *topic) countNack(f *flight) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.nacks[f.item.Seq]++
	return t.nacks[f.item.Seq]
}
