package serving

import (
	"fmt"
	"sync"
	"sync/atomic"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// countPage is how many leaves are read in one transaction, which must be short.
const countPage = 256

// counts are what the journal has taken since this process began, read from its
// leaves: what is counted is what is durable, no more and no less.
type counts struct {
	j *journal.Journal

	mu       sync.Mutex
	next     uint64            // first leaf that is not counted; guarded by mu
	events   map[string]uint64 // by type; guarded by mu
	refusals map[string]uint64 // by code; guarded by mu

	groups groups
}

func newCounts(j *journal.Journal) *counts {
	size := j.Head().Size
	c := &counts{j: j, next: size, events: map[string]uint64{}, refusals: map[string]uint64{}}
	c.groups.last.Store(size)
	return c
}

// read counts what is new.
func (c *counts) read() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for more := true; more; {
		err := c.j.View(func(v journal.View) error {
			end := min(c.next+countPage, v.Size())
			for ; c.next < end; c.next++ {
				if err := c.leaf(v, c.next); err != nil {
					return fmt.Errorf("counting leaf %d: %w", c.next, err)
				}
			}
			more = c.next < v.Size()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *counts) leaf(v journal.View, n uint64) error {
	b, err := v.Leaf(n)
	if err != nil {
		return err
	}
	l, err := journal.ParseLeaf(b)
	if err != nil {
		return err
	}
	c.events[l.Type]++
	if l.Type != journal.TypeNoted {
		return nil
	}
	e, err := v.Record(n)
	if err != nil {
		return err
	}
	for _, p := range e.Puts {
		if code, ok := broker.RefusalCode(p); ok {
			c.refusals[code]++
		}
	}
	return nil
}

// groups are the sizes of the commits: how many events shared an fsync.
type groups struct {
	last    atomic.Uint64 // size of the log
	commits atomic.Uint64
	events  atomic.Uint64
	below   [len(groupBounds)]atomic.Uint64 // commits of at most so many events
}

var groupBounds = [...]uint64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// committed is called by the committer, one commit after the other.
func (g *groups) committed(c journal.Change) {
	n := c.Head.Size - g.last.Swap(c.Head.Size)
	g.commits.Add(1)
	g.events.Add(n)
	for i, bound := range groupBounds {
		if n <= bound {
			g.below[i].Add(1)
		}
	}
}
