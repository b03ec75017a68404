package serving

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Every way of not being ready, each with its cause, and the process alive all
// the while.
func TestReadiness(t *testing.T) {
	p := newPlace(t)
	st, _ := p.started(t)
	admin := "http://" + st.Admin
	if code, b := fetched(t, admin+"/readyz"); code != 200 || !strings.Contains(b, `"ready":true`) {
		t.Errorf("%d %s", code, b)
	}
	q, err := http.NewRequest(http.MethodGet, admin+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Host = "attaque.example"
	if r, err := http.DefaultClient.Do(q); err != nil || r.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("by another name: %v, %v", r, err)
	}
	h := &health{data: p.Data, node: p.Node, pulse: &pulse{j: p.Node.Journal}, draining: func() bool { return false }}

	p.store.mu.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r := h.ready(ctx); r.Ready || r.Journal.OK || r.Journal.Detail == "" {
		t.Errorf("a committer that hangs: %+v", r)
	}
	if code, _ := fetched(t, admin+"/healthz"); code != 200 {
		t.Errorf("alive: %d", code)
	}
	p.store.mu.Unlock()
	if r := h.ready(t.Context()); !r.Ready {
		t.Errorf("it answers again: %+v", r)
	}

	h.draining = func() bool { return true }
	if r := h.ready(t.Context()); r.Ready || r.Draining.OK {
		t.Errorf("draining: %+v", r)
	}
	h.draining = func() bool { return false }

	locked, err := wiring.Load(p.Data.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	h.data = locked
	if r := h.ready(t.Context()); r.Ready || r.Keys.OK || len(r.Keys.Unusable) != 3 {
		t.Errorf("locked keys: %+v", r)
	}
}

// The disk is too full: not ready, and said so.
func TestReadinessOfTheDisk(t *testing.T) {
	p := newPlace(t)
	j, err := journal.New(p.store, journal.Options{MinFree: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	n := *p.Node
	n.Journal = j
	h := &health{data: p.Data, node: &n, pulse: &pulse{j: p.Node.Journal}, draining: func() bool { return false }}
	if r := h.ready(t.Context()); r.Ready || r.Space.OK || r.Space.FreeBytes == nil {
		t.Errorf("%+v", r)
	}
}

var sampleLine = regexp.MustCompile(`^[a-z_]+(\{[a-z]+="[^"\\\n]*"(,[a-z]+="[^"\\\n]*")*\})? -?[0-9.e+-]+$`)

// What is scraped has the form that is promised, counts what was journaled, and
// names no pli.
func TestMetrics(t *testing.T) {
	p := newPlace(t)
	st, _ := p.started(t)
	p.accept(t)
	_, received, err := p.Node.Broker.Plis("ase-59")
	for err == nil && len(received) == 0 { // the delivery is under way
		_, received, err = p.Node.Broker.Plis("ase-59")
	}
	if err != nil {
		t.Fatal(err)
	}
	code, text := fetched(t, "http://"+st.Admin+"/metrics")
	if code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	families := map[string]bool{}
	current := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "# HELP "):
			current = strings.Fields(line)[2]
			if families[current] {
				t.Errorf("%s stands twice", current)
			}
			families[current] = true
		case strings.HasPrefix(line, "# TYPE "):
		case !sampleLine.MatchString(line) || !strings.HasPrefix(line, current):
			t.Errorf("under %s: %q", current, line)
		}
	}
	for _, want := range []string{
		`vaguemestre_events_total{type="accepted"} 1`, `vaguemestre_events_total{type="consigned"} 1`, `vaguemestre_overdue 0`,
		`vaguemestre_alarms{cause="overdue"} 0`, `vaguemestre_dead_letters 0`, `version="test"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	if regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}`).MatchString(text) {
		t.Error("an id is in the metrics")
	}
}

func TestExpositionEscapes(t *testing.T) {
	var e exposition
	e.sample("x", 1.5, "a", "b\"\\\nc", "d", "e")
	if got := e.b.String(); got != `x{a="b\"\\\nc",d="e"} 1.5`+"\n" {
		t.Errorf("%q", got)
	}
}

// One question at a time, however many ask, and each of them is answered.
func TestPulse(t *testing.T) {
	p := newPlace(t)
	beat := &pulse{j: p.Node.Journal}
	p.store.mu.Lock()
	ctx, cancel := context.WithCancel(t.Context())
	answers := make(chan error, 10)
	for range 10 {
		go func() { answers <- beat.beat(ctx) }()
	}
	cancel()
	for range 10 {
		if err := <-answers; !errors.Is(err, context.Canceled) {
			t.Errorf("without an answer: %v", err)
		}
	}
	p.store.mu.Unlock()
	if err := beat.beat(t.Context()); err != nil {
		t.Error(err)
	}
}

// A handler that panics answers, or cuts its answer; what it panicked with is
// nowhere.
func TestGate(t *testing.T) {
	var log lockedBuffer
	g := &gate{log: slog.New(slog.NewTextHandler(&log, nil))}
	begun := false
	c := &http.Client{Transport: InProcess(g.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if begun {
			io.WriteString(w, "half")
		}
		panic("Camille MARQUE")
	})))}
	r, err := c.Get("http://vaguemestre/")
	if err != nil || r.StatusCode != http.StatusInternalServerError {
		t.Fatalf("%v, %v", r, err)
	}
	if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), "MARQUE") {
		t.Error("the answer quotes the panic")
	}
	begun = true
	if r, err = c.Get("http://vaguemestre/"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Body); err == nil {
		t.Error("half an answer looks whole")
	}
	if s := log.String(); strings.Contains(s, "MARQUE") || !strings.Contains(s, "a handler panicked") {
		t.Errorf("logged: %s", s)
	}
	if g.within.Load() != 0 || g.answered[5].Load() != 2 {
		t.Errorf("%d within, %d failed", g.within.Load(), g.answered[5].Load())
	}
}
