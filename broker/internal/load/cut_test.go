package load

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/served"
)

// errCut is the line that breaks.
var errCut = errors.New("cut")

// cutAt gives up once so much is left.
type cutAt struct {
	*paper
	left int64
}

func (c cutAt) Read(b []byte) (int, error) {
	if c.paper.left <= c.left {
		return 0, errCut
	}
	return c.paper.Read(b)
}

// TestCutUpload breaks uploads off at several places: nothing of them is kept,
// no file, no event, and the same key is free for the same message.
func TestCutUpload(t *testing.T) {
	t.Parallel()
	s := serve(t, build(t))
	const size = 8 << 20
	s.deposit(t, "entier", newPaper(size)) // what is made once is made
	before := s.idle(t, patience)
	kept := s.kept(t)
	for _, left := range []int64{size - 1, size / 2, 100, 0} {
		p := newPaper(size)
		body, head := upload(p)
		head["Idempotency-Key"] = "coupe"
		parts := io.MultiReader(cutAt{p, left}, failing{})
		if left > 0 {
			body = io.MultiReader(prefixOf(body, p), parts)
		} else { // the whole piece came, but not the end of the form
			body = io.LimitReader(body, length(head)-3)
		}
		resp, err := s.call(t.Context(), served.ASE, http.MethodPost, "/v1/messages", body, head)
		if err == nil {
			resp.Body.Close()
			t.Errorf("an upload cut %d bytes before the end of its piece is answered %d", left, resp.StatusCode)
		}
	}
	deadline := time.Now().Add(patience)
	for m := before; ; time.Sleep(20 * time.Millisecond) {
		var err error
		if m, err = s.metrics(); err != nil {
			t.Fatal(err)
		}
		if m["vaguemestre_http_calls"] == 0 || time.Now().After(deadline) {
			if m["vaguemestre_journal_events"] != before["vaguemestre_journal_events"] {
				t.Errorf("the journal has %v events, had %v", m["vaguemestre_journal_events"], before["vaguemestre_journal_events"])
			}
			break
		}
	}
	if now := s.kept(t); !slices.Equal(now, kept) {
		t.Errorf("files after the cuts:\n%v\nbefore:\n%v", now, kept)
	}
	s.deposit(t, "coupe", newPaper(size))
	s.idle(t, patience)
	s.stop(t)
}

// failing is a body that ends with an error.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errCut }

// prefixOf is what an upload holds before its piece.
func prefixOf(body io.Reader, p *paper) io.Reader {
	var head strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(head.String(), "fictif...\n"); {
		if _, err := body.Read(b); err != nil {
			return failing{}
		}
		head.Write(b)
	}
	return strings.NewReader(head.String())
}

func length(head map[string]string) (n int64) {
	for _, c := range head["Content-Length"] {
		n = 10*n + int64(c-'0')
	}
	return n
}

// kept lists the files of a broker, but for what every life makes.
func (s *site) kept(t *testing.T) []string {
	t.Helper()
	names, err := files(s.p.Cmd.Process.Pid, s.Data, s.Tmp)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(names))
}

// TestSlowUpload pauses for longer than any time-out of a small request, twice,
// and is not cut.
func TestSlowUpload(t *testing.T) {
	if testing.Short() {
		t.Skip("waits: not with -short")
	}
	t.Parallel()
	s := serve(t, build(t))
	const size, pause = 4 << 20, 8 * time.Second
	p := newPaper(size)
	pauses := 0
	p.wait = func(left int64) {
		if pauses < 2 && left <= size-int64(pauses+1)*size/3 {
			pauses++
			time.Sleep(pause)
		}
	}
	r := s.deposit(t, "lent", p)
	s.idle(t, patience)
	for _, fault := range s.fetch(t, r.ID, p) {
		t.Error(fault)
	}
	if pauses != 2 {
		t.Errorf("%d pauses", pauses)
	}
	s.stop(t)
}
