package journal

import (
	"maps"
	"slices"
)

// Work names where items entered or were settled.
type Work struct{ Topic, Dest string }

// Change is what became durable in one commit, of one or of several
// operations.
type Change struct {
	Head          Head
	Types         []string // of the events, each once, sorted
	IDs           []string // of the plis concerned, each once, sorted
	Work          []Work   // each once, in order of first appearance
	TimersChanged bool
}

// changes gathers a Change over a group.
type changes struct {
	any    bool  // something was appended
	head   *Head // after it
	types  map[string]struct{}
	ids    map[string]struct{}
	work   []Work
	seen   map[Work]struct{}
	timers bool
}

func (c *changes) add(events []Event, settled []Work) {
	if !c.any {
		c.types, c.ids, c.seen = map[string]struct{}{}, map[string]struct{}{}, map[Work]struct{}{}
	}
	c.any = true
	for _, w := range settled {
		c.addWork(w)
	}
	for i := range events {
		e := &events[i]
		c.types[e.Type] = struct{}{}
		if e.ID != "" {
			c.ids[e.ID] = struct{}{}
		}
		for k := range e.Enqueue {
			c.addWork(Work{Topic: e.Enqueue[k].Topic, Dest: e.Enqueue[k].Dest})
		}
		c.timers = c.timers || len(e.Timers) > 0
	}
}

func (c *changes) addWork(w Work) {
	if _, ok := c.seen[w]; !ok {
		c.seen[w] = struct{}{}
		c.work = append(c.work, w)
	}
}

// Change is what the watchers are told.
func (c *changes) Change(head Head) Change {
	return Change{
		Head:          head,
		Types:         slices.Sorted(maps.Keys(c.types)),
		IDs:           slices.Sorted(maps.Keys(c.ids)),
		Work:          c.work,
		TimersChanged: c.timers,
	}
}

// Watch calls f after each commit that appended something, once it is durable
// and before the Commit calls of its group return, on the committer's
// goroutine: f must not block, nor call the Journal, and must not change what
// it gets. After stop, f is called at most once more.
func (j *Journal) Watch(f func(Change)) (stop func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	id := j.nextID
	j.nextID++
	j.watchers[id] = f
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.watchers, id)
	}
}

func (j *Journal) tell(c Change) {
	j.mu.Lock()
	watchers := make([]func(Change), 0, len(j.watchers))
	for _, f := range j.watchers {
		watchers = append(watchers, f)
	}
	j.mu.Unlock()
	for _, f := range watchers {
		f(c)
	}
}
