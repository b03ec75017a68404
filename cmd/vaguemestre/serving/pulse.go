package serving

import (
	"context"
	"sync"

	"vaguemestre/broker/journal"
)

// pulse asks the committer of the journal whether it answers: an operation
// that changes nothing still waits for its turn, and for the disk if something
// is being written. One question at a time, however many ask it.
type pulse struct {
	j *journal.Journal

	mu    sync.Mutex
	asked *asked // guarded by mu; nil when none is on its way
}

type asked struct {
	done chan struct{}
	err  error // once done is closed
}

// beat returns nil once the committer has answered, its error, or that of the
// context.
func (p *pulse) beat(ctx context.Context) error {
	p.mu.Lock()
	a := p.asked
	if a == nil {
		a = &asked{done: make(chan struct{})}
		p.asked = a
		go p.ask(a)
	}
	p.mu.Unlock()
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask has no end of its own: a committer that hangs keeps it, and no other is
// begun beside it.
func (p *pulse) ask(a *asked) {
	_, a.err = p.j.Commit(context.Background(), func(journal.View) (journal.Batch, error) { return journal.Batch{}, nil })
	p.mu.Lock()
	p.asked = nil
	p.mu.Unlock()
	close(a.done)
}
