package load

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/internal/served"
)

// patience is for whatever must come in the end on a machine that is busy.
const patience = 2 * time.Minute

// site is one served broker and those who call it.
type site struct {
	*served.House
	p      *served.Process
	tokens map[string]string // by party
	http   *http.Client
	admin  *http.Client // over DATA/admin.sock
}

// TestMain removes what the tests built.
func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := sound(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program)) // nothing is lost if it stays
	}
	os.Exit(code)
}

// sound builds the program once for all tests.
var sound = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "load-program-")
	if err != nil {
		return "", err
	}
	return compile(dir)
})

// compile builds the program in a folder, with faults or without.
func compile(dir string, edits ...sabotage.Edit) (string, error) {
	root, err := sabotage.Root()
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "vaguemestre")
	return program, sabotage.Build(context.Background(), root, edits, "./cmd/vaguemestre", program)
}

// build is the program, with a fault or without.
func build(t *testing.T, edits ...sabotage.Edit) string {
	t.Helper()
	program, err := "", error(nil)
	if len(edits) == 0 {
		program, err = sound()
	} else {
		program, err = compile(t.TempDir(), edits...)
	}
	if errors.Is(err, sabotage.ErrNoTool) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// serve makes a data directory and serves it until the test ends.
func serve(t *testing.T, program string) *site {
	t.Helper()
	root, err := os.MkdirTemp("", "load-") // short, since it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	h, err := served.New(program, root)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{House: h, tokens: map[string]string{}}
	if s.p, err = h.Start(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // nothing to do where the test stopped it
		_ = s.p.Cmd.Process.Kill()
		_, _ = s.p.Wait()
	})
	select {
	case <-s.p.Ready:
	case <-s.p.Gone:
		t.Fatalf("the broker ended while it started:\n%s", s.p.Said())
	case <-time.After(patience):
		t.Fatalf("the broker is never ready:\n%s", s.p.Said())
	}
	for _, party := range []string{served.ASE, served.Parquet} {
		if s.tokens[party], err = h.Token(t.Context(), party, "logiciel-"+party, "send", "read"); err != nil {
			t.Fatal(err)
		}
	}
	s.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}, Timeout: patience}
	s.admin = &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(h.Data, "admin.sock"))
	}}}
	return s
}

// connections is as many as the pool of a busy application would hold.
const connections = 64

// call sends one request as a party.
func (s *site) call(ctx context.Context, party, method, path string, body io.Reader, head map[string]string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.p.API()+path, body)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+s.tokens[party])
	for name, v := range head {
		if name == "Content-Length" {
			if r.ContentLength, err = strconv.ParseInt(v, 10, 64); err != nil {
				return nil, err
			}
			continue
		}
		r.Header.Set(name, v)
	}
	return s.http.Do(r)
}

// metrics reads what the broker says of itself: sample with labels -> value.
func (s *site) metrics() (map[string]float64, error) {
	resp, err := http.Get("http://" + s.p.Admin() + "/metrics")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = v
		}
	}
	return out, nil
}

// idle waits until nothing is to be delivered.
func (s *site) idle(t *testing.T, patience time.Duration) map[string]float64 {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		m, err := s.metrics()
		if err != nil {
			t.Fatal(err)
		}
		if m[`vaguemestre_queue_items{topic="pli"}`]+m[`vaguemestre_queue_items{topic="evidence"}`] == 0 {
			return m
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are still deliveries to be made: %v pli, %v evidences",
				m[`vaguemestre_queue_items{topic="pli"}`], m[`vaguemestre_queue_items{topic="evidence"}`])
		}
	}
}

// stop ends the broker in order, and has its journal verified.
func (s *site) stop(t *testing.T) {
	t.Helper()
	if err := s.p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit, err := s.p.Wait(); exit != 0 || err != nil {
		t.Errorf("the broker ends with %d, %v:\n%s", exit, err, s.p.Said())
	}
	if out, err := s.Call(t.Context(), "journal", "verify", "--data", s.Data); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
