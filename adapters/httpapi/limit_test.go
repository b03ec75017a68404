package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// Who asks too often is told when to come back, and others are not slowed.
func TestRateOfOneToken(t *testing.T) {
	clock := atomic.Int64{}
	clock.Store(time.Now().UnixNano())
	tn := newTown(t, func(o *httpapi.Options) {
		o.Rate, o.Burst = 0.5, 3
		o.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	})
	ask := func(p broker.PartyID) answer { return tn.get(p, "/v1/messages") }
	for i := range 3 {
		if a := ask(parquet); a.status != 200 {
			t.Fatalf("request %d: %d", i, a.status)
		}
	}
	a := ask(parquet)
	if a.status != 429 || a.header.Get("Retry-After") != "2" || a.code(t) != httpapi.CodeRate {
		t.Errorf("the fourth: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	if a := ask(juge); a.status != 200 {
		t.Errorf("another token: %d", a.status)
	}
	clock.Add(int64(2 * time.Second))
	if a := ask(parquet); a.status != 200 {
		t.Errorf("after the wait: %d", a.status)
	}
}

// One token cannot hold the broker by requests that never end: it has a bounded
// number in course, others are served, and its own place is free again after.
func TestCoursesOfOneToken(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) { o.Rate, o.Burst = 1000, 1000 })
	const most = 64
	ends := make([]*io.PipeWriter, most)
	var busy sync.WaitGroup
	for i := range ends {
		r, w := io.Pipe()
		ends[i] = w
		busy.Go(func() {
			q, err := http.NewRequest(http.MethodPost, tn.servers[nord].URL+"/v1/messages", r)
			if err != nil {
				t.Error(err)
				return
			}
			q.ContentLength = 1000
			for name, v := range map[string]string{"Authorization": "Bearer " + tn.secrets[ase], "Content-Type": "application/json", "Idempotency-Key": fmt.Sprint("lent-", i)} {
				q.Header.Set(name, v)
			}
			if resp, err := http.DefaultClient.Do(q); err == nil {
				resp.Body.Close()
			}
		})
		if _, err := w.Write([]byte("{")); err != nil {
			t.Fatal(err)
		}
	}
	full := func() answer {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
			if a := tn.get(ase, "/v1/messages"); a.status == http.StatusTooManyRequests || time.Now().After(deadline) {
				return a
			}
		}
	}
	if a := full(); a.status != http.StatusTooManyRequests || a.code(t) != httpapi.CodeRate || a.header.Get("Retry-After") == "" {
		t.Errorf("one more request: %d %s", a.status, a.body)
	}
	if a := tn.as(parquet, request{method: "GET", path: "/v1/messages"}); a.status != http.StatusOK {
		t.Errorf("another token: %d", a.status)
	}
	for _, w := range ends {
		w.CloseWithError(io.ErrUnexpectedEOF)
	}
	busy.Wait()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		a := tn.get(ase, "/v1/messages")
		if a.status == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after they ended: %d", a.status)
		}
	}
}
