package crash

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
)

// stepped is a clock that moves when told, and by a millisecond at each look.
type stepped struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *stepped) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *stepped) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// play is one exchange in this process, with brokers that crash.
type play struct {
	*town
	t     *testing.T
	clock *stepped
	fuses fuses
	book  *ledger
	// rearm may plan the next crash of a broker that was opened again.
	rearm func(broker.BrokerID)
	roads []*brokertest.Carrier // of every life of a broker
	late  int                   // parcels that they brought late
}

var dawn = time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)

// maxTries bounds every loop: an exchange that does not end is a fault.
const maxTries = 500

func newPlay(t *testing.T, seed uint64) *play {
	t.Helper()
	p := &play{t: t, clock: &stepped{now: dawn}, book: newLedger()}
	tn, err := newTown(t.TempDir(), seed, dawn.Add(-time.Hour), p.clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	p.town, p.fuses = tn, newFuses(tn)
	if err := tn.create(); err != nil {
		t.Fatal(err)
	}
	return p
}

// start opens both brokers, which may crash in it.
func (p *play) start(ctx context.Context) {
	for _, b := range both {
		p.reopen(ctx, b)
	}
}

// reopen abandons a broker that crashed, and opens it until it stands.
func (p *play) reopen(ctx context.Context, b broker.BrokerID) {
	for range maxTries {
		_ = p.leave(ctx, b) // it crashed: what it says now means nothing
		if p.fuses[b].isBlown() {
			p.fuses[b].mend()
			if p.rearm != nil {
				p.rearm(b)
			}
		}
		err := p.open(ctx, b)
		if err == nil {
			return
		}
		if !p.fuses[b].isBlown() {
			p.t.Fatalf("opening %s: %v", b, err)
		}
	}
	p.t.Fatalf("%s never stands", b)
}

// heal opens again whatever crashed, and says whether something had.
func (p *play) heal(ctx context.Context) (crashed bool) {
	for _, b := range both {
		if p.fuses[b].isBlown() {
			crashed = true
			p.reopen(ctx, b)
		}
	}
	return crashed
}

// until repeats a call, as a client does, until it is answered. A crashed
// broker is asked once more before it is opened again: it must not answer.
func (p *play) until(ctx context.Context, b broker.BrokerID, what string, call func(*broker.Broker) error) {
	for range maxTries {
		err := call(p.Nodes[b].Broker)
		if p.fuses[b].isBlown() && err != nil {
			if again := call(p.Nodes[b].Broker); again == nil {
				p.book.fault(broken, "%s answered %s after its journal failed", b, what)
			}
		}
		crashed := p.heal(ctx)
		switch {
		case err == nil:
			return
		case crashed:
		case errors.Is(err, broker.ErrTemporary), errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrNotYet):
			p.deliver(ctx)
		default:
			p.t.Fatalf("%s at %s: %v", what, b, err)
		}
	}
	p.t.Fatalf("%s at %s is never answered", what, b)
}

func (p *play) accept(ctx context.Context, l letter) {
	p.until(ctx, homeOf(l.from), "a submission", func(b *broker.Broker) error {
		s, err := l.submission()
		if err != nil {
			p.t.Fatal(err)
		}
		r, err := b.Accept(ctx, s)
		if err == nil {
			p.book.accepted(l, receipt{r.ID, r.Deposit, r.DepositSig})
		}
		return err
	})
}

func (p *play) act(ctx context.Context, l letter) {
	id := p.book.entries[l.number].receipts[0].ID
	p.until(ctx, homeOf(l.acting()), "an act", func(b *broker.Broker) error {
		a, err := b.Acknowledge(ctx, l.act(id))
		if err != nil && !errors.Is(err, broker.ErrAlready) {
			return err
		}
		p.book.did(l, a.Digest)
		return nil
	})
}

func (p *play) purge(ctx context.Context, l letter) {
	e := p.book.entries[l.number]
	for _, at := range l.homes() {
		p.until(ctx, at, "a purge", func(b *broker.Broker) error {
			err := b.Purge(ctx, e.receipts[0].ID)
			if errors.Is(err, broker.ErrAlready) {
				return nil
			}
			return err
		})
	}
	e.purged = true
}

// deliver carries all pending work of both brokers, in a fixed order, and lets
// the time pass to the next attempt.
func (p *play) deliver(ctx context.Context) {
	for range maxTries {
		done, next := 0, time.Time{}
		for _, b := range both {
			n, due, err := p.round(ctx, b)
			if err != nil && !p.fuses[b].isBlown() {
				p.t.Fatalf("delivering at %s: %v", b, err)
			}
			if p.heal(ctx) {
				n = 1 // look again
			}
			done += n
			if !due.IsZero() && (next.IsZero() || due.Before(next)) {
				next = due
			}
		}
		if done += p.arrive(ctx); done > 0 {
			continue
		}
		if next.IsZero() {
			return
		}
		p.clock.advance(max(0, next.Sub(p.clock.Now())) + time.Millisecond)
	}
	p.t.Fatal("deliveries never end")
}

// arrive brings what the carriers had kept, also from before a crash, and says
// how much it was.
func (p *play) arrive(ctx context.Context) (n int) {
	for _, road := range p.roads {
		n += road.Arrive()
		p.heal(ctx)
	}
	p.late += n
	return n
}

// round delivers what is due at one broker, until a crash. It says how much it
// did and when the rest is due.
func (p *play) round(ctx context.Context, b broker.BrokerID) (done int, next time.Time, err error) {
	n := p.Nodes[b]
	var due []journal.Item
	err = n.Journal.View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			for _, dest := range v.Dests(topic) {
				due = append(due, v.Heads(topic, dest, p.clock.Now(), 16)...)
				if at, ok := v.NextDue(topic, dest); ok && (next.IsZero() || at.Before(next)) {
					next = at
				}
			}
		}
		return nil
	})
	if err != nil {
		return 0, next, err
	}
	for _, it := range due {
		if err := n.Broker.Deliver(ctx, it); err != nil {
			return done, next, err
		}
		done++
		if p.fuses[nord].isBlown() || p.fuses[justice].isBlown() {
			return done, next, nil
		}
	}
	return done, next, nil
}

// fire lets the timers of both brokers run until none is due, through Run.
func (p *play) fire(ctx context.Context) {
	for _, b := range both {
		for range maxTries {
			p.runOnce(ctx, b)
			if !p.heal(ctx) {
				break
			}
		}
	}
}

func (p *play) runOnce(ctx context.Context, b broker.BrokerID) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	n := p.Nodes[b]
	ended := make(chan error, 1)
	go func() { ended <- n.Broker.Run(ctx) }()
	for {
		var next time.Time
		var set bool
		err := n.Journal.View(func(v journal.View) error {
			next, set = v.NextTimer()
			return nil
		})
		if err != nil || !set || next.After(p.clock.Now()) {
			break
		}
		time.Sleep(time.Millisecond) // Run is at work on another goroutine
	}
	stop()
	if err := <-ended; err != nil && !p.fuses[b].isBlown() {
		p.t.Fatalf("timers of %s: %v", b, err)
	}
}

// exchange is the fixed one: letters in all directions, a silence that becomes
// overdue, acts, a purge.
func (p *play) exchange(ctx context.Context) {
	p.start(ctx)
	letters := make([]letter, 6)
	for i := range letters {
		letters[i] = newLetter(i)
		p.accept(ctx, letters[i])
	}
	p.accept(ctx, letters[0]) // a client that lost a receipt
	p.deliver(ctx)
	for _, l := range letters[1:] {
		p.act(ctx, l)
	}
	p.deliver(ctx)
	p.clock.advance(16 * time.Minute)
	p.fire(ctx)
	p.deliver(ctx)
	p.act(ctx, letters[0])
	p.deliver(ctx)
	p.purge(ctx, letters[5])
	p.deliver(ctx)
}

// conclude checks everything, and returns what was counted and found.
func (p *play) conclude(ctx context.Context) (figures, []string) {
	for _, b := range both {
		p.fuses[b].disarm()
	}
	f := p.book.check(ctx, p.town)
	if err := p.Close(ctx); err != nil {
		p.book.fault(broken, "closing: %v", err)
	}
	p.book.checkFiles(ctx, p.town)
	return f, p.book.faults
}
