package serving

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
)

// Whoever waits is answered as soon as the journal grows, and when the broker is
// about to stop; a size that is none is refused.
func TestChanges(t *testing.T) {
	p := newPlace(t)
	var draining atomic.Bool
	o := &Operator{Journal: p.Node.Journal, Explain: p.Explain, Status: func() Status { return Status{Draining: draining.Load()} }}
	h := o.Handler(p.Local)
	ask := func(after string) (int, uint64) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/admin/v1/journal/changes?after="+after, nil))
		var c Changes
		_ = json.Unmarshal(w.Body.Bytes(), &c)
		return w.Code, c.Size
	}
	if code, _ := ask("-1"); code != 400 {
		t.Errorf("no size: %d", code)
	}
	code, size := ask("0")
	if code != 200 || size != p.Node.Journal.Head().Size {
		t.Fatalf("%d, size %d", code, size)
	}
	grown := make(chan uint64, 1)
	go func() {
		_, now := ask(strconv.FormatUint(size, 10))
		grown <- now
	}()
	p.accept(t)
	if now := <-grown; now <= size {
		t.Errorf("woken at %d, was %d", now, size)
	}
	draining.Store(true)
	size = p.Node.Journal.Head().Size
	if code, now := ask(strconv.FormatUint(size, 10)); code != 200 || now != size {
		t.Errorf("about to stop: %d, size %d", code, now)
	}
}
