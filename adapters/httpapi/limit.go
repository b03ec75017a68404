package httpapi

import (
	"math"
	"sync"
	"time"
)

// Default rate of one token: enough for a software that files and polls for a
// whole institution, little enough that one that loops is noticed.
const (
	DefaultRate  = 50.0 // requests a second, in the long run
	DefaultBurst = 200  // requests at once
)

// limiter is one bucket of requests for each caller.
type limiter struct {
	rate  float64
	burst float64
	now   func() time.Time

	mu      sync.Mutex
	buckets map[string]*bucket // by digest of the token, or by address; guarded by mu
}

type bucket struct {
	left float64
	at   time.Time
}

func newLimiter(rate float64, burst int, now func() time.Time) *limiter {
	return &limiter{rate: rate, burst: float64(burst), now: now, buckets: map[string]*bucket{}}
}

// maxBuckets bounds the memory. Tokens that exist are fewer. Who has as many
// addresses has as many rates as well: forgetting them then gives nothing away.
const maxBuckets = 4096

// take counts one request, or says after how long to come back.
func (l *limiter) take(caller string) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[caller]
	if b == nil {
		if len(l.buckets) >= maxBuckets {
			clear(l.buckets)
		}
		b = &bucket{left: l.burst, at: now}
		l.buckets[caller] = b
	}
	if past := now.Sub(b.at).Seconds(); past > 0 { // a clock set back gives nothing
		b.left = min(l.burst, b.left+past*l.rate)
	}
	b.at = now
	if b.left >= 1 {
		b.left--
		return 0, true
	}
	return time.Duration((1 - b.left) / l.rate * float64(time.Second)), false
}

// maxCourses is how many requests of one token are served at once: far below
// what a listener takes, so that slow uploads of one application, or of whoever
// stole its token, never keep the others out.
const maxCourses = 64

// retryCourse is told to who has that many.
const retryCourse = time.Second

// courses counts the requests in course of each token.
type courses struct {
	mu   sync.Mutex
	open map[string]int // by digest of the token; guarded by mu
}

func newCourses() *courses { return &courses{open: map[string]int{}} }

// enter counts a request until leave. Who has no token is counted elsewhere: by
// address, or not at all on Local.
func (c *courses) enter(token string) (leave func(), ok bool) {
	if token == "" {
		return func() {}, true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[token] >= maxCourses {
		return nil, false
	}
	c.open[token]++
	return func() { c.leave(token) }, true
}

func (c *courses) leave(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[token]--; c.open[token] == 0 {
		delete(c.open, token)
	}
}

// seconds is a delay as Retry-After takes it, rounded up.
func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }
