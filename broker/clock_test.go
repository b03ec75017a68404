package broker_test

import (
	"sync"
	"testing"
	"time"

	"vaguemestre/cmd/vaguemestre/wiring"
)

// steppedClock is a clock that moves when told, and by a millisecond at each
// look so that two events are never at the same instant.
type steppedClock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func newSteppedClock() *steppedClock {
	return &steppedClock{now: time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)}
}

func (c *steppedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(time.Millisecond)
	return c.now
}

func (c *steppedClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// years advances beyond the life of every key, until the test is over: a
// journal is closed with a key that serves.
func (c *steppedClock) years(t *testing.T, n int) {
	c.advance(time.Duration(n) * 365 * 24 * time.Hour)
	t.Cleanup(func() { c.advance(-time.Duration(n) * 365 * 24 * time.Hour) })
}

func (c *steppedClock) plan(p *wiring.Plan) { p.Now = c.Now }
