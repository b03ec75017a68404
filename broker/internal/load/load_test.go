package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker/internal/served"
)

const (
	smallText = 5 << 10 // bytes of a document
	largePDF  = 2 << 20
	oneIn     = 10 // messages that carry one

	// keepLarge is how long a large body is kept after its deposit.
	keepLarge = 15 * time.Second
)

// plan is one run.
type plan struct {
	rate      int           // messages a second
	calm      time.Duration // at that rate
	storm     time.Duration // at ten times as many
	anonBound int64         // bytes
	settle    time.Duration // at most, until descriptors are what they were
}

// phase is what came of the messages of one pace.
type phase struct {
	sent, accepted, refused, broken atomic.Int64
	mute                            atomic.Int64 // refusals that do not say when to come back

	mu   sync.Mutex
	took []time.Duration // of accepted ones; guarded by mu
}

// outcome is a whole run.
type outcome struct {
	calm, storm phase
	watch       *watched
	idle        footprint // before
	rested      footprint // once all was delivered
	routines    [2]float64
	journal     [2]float64 // bytes, before and after
	purged      atomic.Int64
	consigned   float64

	mu  sync.Mutex
	ids map[string]bool // accepted; guarded by mu
}

// letter is the i-th message.
func letter(i int) (body []byte, ctype string) {
	pieces, n := "", 0
	if i%oneIn == 0 {
		pieces, n = `{"titre":"Pièce fictive","type_mime":"application/pdf","role":"rapport","communication":"communicable"}`, 1
	}
	text := strings.Repeat("Rien de vrai ici. ", smallText/18)
	message := fmt.Sprintf(`{"kind":"transmission","to":["%s"],"urgency":"%s","actor":{"name":"MODÈLE Alix","function":"cadre"},"document":`+
		`{"objet":"Complément fictif %d","texte":"%s","auteur":{"nom":"MODÈLE Alix","telephone":"03 00 00 00 01"},"pieces":[%s]}}`,
		served.Parquet, []string{"U2", "U1", "U0"}[i%3], i, text, pieces)
	if n == 0 {
		return []byte(message), "application/json"
	}
	const edge = "limite-fictive"
	var b bytes.Buffer
	b.WriteString("--" + edge + "\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n" + message +
		"\r\n--" + edge + "\r\nContent-Disposition: form-data; name=\"piece\"\r\n\r\n")
	fmt.Fprintf(&b, "%%PDF-1.4 fictif %d\n", i)
	b.Write(pdf)
	b.WriteString("\r\n--" + edge + "--\r\n")
	return b.Bytes(), "multipart/form-data; boundary=" + edge
}

var pdf = bytes.Repeat([]byte("page blanche\n"), largePDF/13)

// send sends one message once, and notes what came of it.
func (o *outcome) send(ctx context.Context, s *site, p *phase, i int, large chan<- string) {
	body, ctype := letter(i)
	p.sent.Add(1)
	began := time.Now()
	resp, err := s.call(ctx, served.ASE, http.MethodPost, "/v1/messages", bytes.NewReader(body),
		map[string]string{"Content-Type": ctype, "Idempotency-Key": fmt.Sprintf("charge-%d", i)})
	if err != nil {
		p.broken.Add(1)
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		p.broken.Add(1)
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable:
		p.refused.Add(1)
		if resp.Header.Get("Retry-After") == "" {
			p.mute.Add(1)
		}
	case resp.StatusCode != http.StatusCreated:
		p.broken.Add(1)
	default:
		p.accepted.Add(1)
		p.mu.Lock()
		p.took = append(p.took, time.Since(began))
		p.mu.Unlock()
		var r receipt
		if json.Unmarshal(text, &r) == nil {
			o.mu.Lock()
			o.ids[r.ID] = true
			o.mu.Unlock()
			if i%oneIn == 0 {
				large <- r.ID
			}
		}
	}
}

// pace sends at an even pace for a while, whatever the answers take, and waits
// for the last answer.
func (o *outcome) pace(ctx context.Context, s *site, p *phase, first, rate int, d time.Duration, large chan<- string) (next int) {
	var all sync.WaitGroup
	began := time.Now()
	total := int(d.Seconds() * float64(rate))
	for i := range total {
		time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		all.Go(func() { o.send(ctx, s, p, first+i, large) })
	}
	all.Wait()
	return first + total
}

// purge erases large bodies some time after their deposit, until the channel is
// closed. Those that are still needed are left for the next round.
func (o *outcome) purge(ctx context.Context, s *site, large <-chan string) {
	type due struct {
		id string
		at time.Time
	}
	var queue []due
	for open := true; open || len(queue) > 0; {
		select {
		case id, ok := <-large:
			if !ok {
				return // what is left may stay
			}
			queue = append(queue, due{id, time.Now().Add(keepLarge)})
			continue
		case <-time.After(100 * time.Millisecond):
		}
		for n := len(queue); n > 0 && time.Now().After(queue[0].at); n-- {
			d := queue[0]
			queue = queue[1:]
			if s.erase(ctx, d.id) {
				o.purged.Add(1)
			} else {
				queue = append(queue, due{d.id, time.Now().Add(keepLarge)})
			}
		}
	}
}

func (s *site) erase(ctx context.Context, id string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://broker/admin/v1/messages/"+id+"/purge", nil)
	if err != nil {
		return false
	}
	resp, err := s.admin.Do(r)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

// run is the calm and the storm, until everything is delivered.
func run(t *testing.T, s *site, pl plan) *outcome {
	t.Helper()
	pid := s.p.Cmd.Process.Pid
	o := &outcome{ids: map[string]bool{}}
	before := s.idle(t, patience)
	var err error
	if o.idle, err = look(pid); err != nil {
		t.Fatal(err)
	}
	o.watch = watch(pid, max(pl.calm/2000, 50*time.Millisecond))
	large := make(chan string, 1<<20)
	var purging sync.WaitGroup
	purging.Go(func() { o.purge(t.Context(), s, large) })
	next := o.pace(t.Context(), s, &o.calm, 1, pl.rate, pl.calm, large)
	o.pace(t.Context(), s, &o.storm, next, 10*pl.rate, pl.storm, large)
	after := s.idle(t, 10*patience)
	close(large)
	purging.Wait()
	o.watch.end(t)
	s.http.CloseIdleConnections()
	s.admin.CloseIdleConnections()
	for deadline := time.Now().Add(pl.settle); ; time.Sleep(100 * time.Millisecond) {
		if o.rested, err = look(pid); err != nil {
			t.Fatal(err)
		}
		if o.rested.fds <= o.idle.fds+2 || time.Now().After(deadline) {
			break
		}
	}
	now, err := s.metrics()
	if err != nil {
		t.Fatal(err)
	}
	o.routines = [2]float64{before["go_goroutines"], now["go_goroutines"]}
	o.journal = [2]float64{before["vaguemestre_journal_bytes"], now["vaguemestre_journal_bytes"]}
	o.consigned = after[`vaguemestre_events_total{type="consigned"}`]
	return o
}
