package demo

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// bell tells waiters that some journal grew. It is rung on the committer's
// goroutine, so ringing never blocks.
type bell struct {
	mu     sync.Mutex
	next   chan struct{} // closed at the next ring
	closed bool          // the brokers stopped
}

func newBell() *bell { return &bell{next: make(chan struct{})} }

func (b *bell) ring(journal.Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		close(b.next)
		b.next = make(chan struct{})
	}
}

// close rings for good.
func (b *bell) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		close(b.next)
		b.closed = true
	}
}

func (b *bell) wait() (<-chan struct{}, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next, b.closed
}

var errStopped = errors.New("the brokers stopped")

// await waits until a condition on the journals holds. It returns a
// *MissingError, or the error of the context.
func (d *Demo) await(ctx context.Context, step string, holds func() (bool, error)) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		rung, stopped := d.bell.wait()
		if err := d.refresh(); err != nil {
			return &MissingError{Step: step, Cause: err}
		}
		ok, err := holds()
		switch {
		case err != nil:
			return &MissingError{Step: step, Cause: err}
		case ok:
			return nil
		case stopped:
			return &MissingError{Step: step, Cause: errStopped}
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return &MissingError{Step: step}
		}
	}
}

// arrived says whether an evidence is in the journal of the home of the
// sender. An overdue is waited for at the recipient's home too: it is the one
// evidence that must be seen on both sides.
func (d *Demo) arrived(f fact) (bool, error) {
	p := d.plis[f.pli-1]
	at := []*broker.Broker{d.at(p.letter.from)}
	if row, _ := broker.LookupEvent(f.event); row.ToParty {
		at = append(at, d.at(f.recipient))
	}
	for _, b := range at {
		if f.event == broker.Accepted {
			continue // the deposit is what Accept answered with
		}
		dossier, err := b.Dossier(p.id)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(dossier.Evidences, func(e broker.DossierEvidence) bool {
			return e.Evidence.Event == f.event && e.Evidence.Recipient == f.recipient
		}) {
			return false, nil
		}
	}
	return true, nil
}

// quiet says whether nothing is left to carry, and nobody is waited for.
func (d *Demo) quiet() (bool, error) {
	for _, n := range d.world.Nodes {
		pending := 0
		err := n.Journal.View(func(v journal.View) error {
			pending = v.Pending(broker.TopicPli) + v.Pending(broker.TopicEvidence)
			return nil
		})
		if err != nil || pending > 0 {
			return false, err
		}
		alarms, err := n.Broker.Alarms()
		if err != nil || len(alarms) > 0 {
			return false, err
		}
	}
	return true, nil
}
