package canary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/internal/served"
)

// opened are edits of the program that is searched: its log says all it can,
// and it panics where it is asked to, in a handler of the API and in one that
// only the library's own server guards. As it is, the program has no level of
// log to choose, and no known way to panic.
var opened = []sabotage.Edit{
	{File: "cmd/vaguemestre/serve.go", Old: `return slog.New(slog.NewJSONHandler(t.talk, nil))`,
		New: `return slog.New(slog.NewJSONHandler(t.talk, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))`},
	{File: "adapters/httpapi/routes.go", Old: "\tr := list[i]\n",
		New: "\tr := list[i]\n\tif v := x.r.Header.Get(\"X-Panic\"); v != \"\" {\n\t\tpanic(v)\n\t}\n"},
	{File: "cmd/vaguemestre/serving/health.go", Old: `w.Write([]byte("ok\n"))`,
		New: `if v := r.Header.Get("X-Panic"); v != "" {
			panic(v)
		}
		w.Write([]byte("ok\n"))`},
}

// stage is a served broker and what is searched of it.
type stage struct {
	*testing.T
	*nursery
	house   *served.House
	root    string // holds searched and authorised
	process *served.Process
	tokens  map[broker.PartyID]string
	plis    []*sent
	told    *os.File // every answer that must hold no mark
	given   *os.File // every answer to an authorised reader
	answers int
}

// newStage makes a house with a program, and starts it.
func newStage(t *testing.T, edits []sabotage.Edit) *stage {
	t.Helper()
	root, err := os.MkdirTemp("", "canary-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	program := filepath.Join(root, "vaguemestre")
	source, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	err = sabotage.Build(t.Context(), source, slices.Concat(opened, edits), "./cmd/vaguemestre", program)
	if errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{T: t, nursery: newNursery(59), root: root, tokens: map[broker.PartyID]string{}}
	for _, dir := range []string{s.in("."), filepath.Join(root, authorised)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.told, s.given = s.file(s.in("answers.txt")), s.file(filepath.Join(root, authorised, "answers.txt"))
	if s.house, err = served.New(program, s.in("house")); err != nil {
		t.Fatal(err)
	}
	if err := s.house.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.start()
	for _, p := range []broker.PartyID{ase, parquet, juge} {
		if s.tokens[p], err = s.house.Token(t.Context(), string(p), "logiciel", "send", "read", "act", "export", "audit"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// in is a path among what is searched.
func (s *stage) in(name string) string { return filepath.Join(s.root, searched, name) }

func (s *stage) file(path string) *os.File {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { f.Close() }) // all that matters was written long before
	return f
}

// start starts the broker; what it says goes to the log, from life to life.
func (s *stage) start() {
	var err error
	if s.process, err = s.house.Start(s.file(s.in("serve.log"))); err != nil {
		s.Fatal(err)
	}
	select {
	case <-s.process.Ready:
	case <-s.process.Gone:
		s.Fatalf("the broker ended:\n%s", s.process.Said())
	case <-time.After(2 * time.Minute):
		_ = s.process.Cmd.Process.Kill()
		s.Fatalf("the broker is never ready:\n%s", s.process.Said())
	}
}

// stop ends the broker by a signal.
func (s *stage) stop(signal os.Signal) {
	if err := s.process.Cmd.Process.Signal(signal); err != nil {
		s.Error(err)
	}
	if _, err := s.process.Wait(); err != nil {
		s.Error(err)
	}
}

// ascii plants a word that a header takes.
func (s *stage) ascii(where string) string {
	w := unaccented(s.fresh(s.drawWord))
	w = strings.ReplaceAll(w, "ç", "c")
	s.keep(where, w)
	return w
}

// call makes a request with marks wherever a client may write something that
// is not looked at.
func (s *stage) call(as broker.PartyID, method, path string, body []byte) *http.Request {
	r, err := http.NewRequest(method, "http://"+s.process.API()+path, bytes.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	for _, name := range []string{"User-Agent", "Referer", "Cookie", "X-Forwarded-For", "X-Request-Id", "From", "Traceparent", "Accept-Language", "Vaguemestre-Party", "Vaguemestre-Request"} {
		r.Header.Set(name, s.ascii("hostile: header "+name))
	}
	r.Header.Set("Authorization", "Bearer "+s.tokens[as])
	if len(body) > 0 {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

// send sends a request, and writes the whole answer to a file.
func (s *stage) send(to *os.File, r *http.Request) (int, []byte) {
	t := &http.Transport{DisableKeepAlives: true}
	resp, err := t.RoundTrip(r)
	s.answers++
	if err != nil {
		return 0, nil // nothing was said
	}
	defer resp.Body.Close()
	head, err := httputil.DumpResponse(resp, false)
	if err != nil {
		s.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.Fatal(err)
	}
	fmt.Fprintf(to, "%s%s\n\n", head, body)
	return resp.StatusCode, body
}

// must sends a request that is to succeed.
func (s *stage) must(to *os.File, r *http.Request, into any) []byte {
	s.Helper()
	status, body := s.send(to, r)
	if status/100 != 2 {
		s.Fatalf("%s %s: %d %s", r.Method, strings.SplitN(r.URL.Path, "/", 4)[2], status, body)
	}
	if into != nil {
		if err := json.Unmarshal(body, into); err != nil {
			s.Fatal(err)
		}
	}
	return body
}

func codeOf(body []byte) string {
	var p struct{ Code string }
	_ = json.Unmarshal(body, &p) // "" for what is no problem
	return p.Code
}

// message is the JSON of a submission, with marks in the person who sends.
func (s *stage) message(d planted) map[string]any {
	_, to, cc := d.way()
	return map[string]any{
		"kind": d.kind, "to": to, "cc": append([]broker.PartyID{}, cc...), "document": json.RawMessage(d.bytes),
		"actor": map[string]string{"name": s.word(d.name + ": actor's name"), "function": s.word(d.name + ": actor's function")},
	}
}

// form writes a message and its pieces, with marks in every header of a part.
func (s *stage) form(d planted, message []byte, pieces [][]byte) (body []byte, ctype string) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	put := func(name, kind string, text []byte) {
		w, err := m.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, name, s.word("hostile: "+d.name+", name of a file")+".pdf")},
			"Content-Type":        {kind + "; name=" + s.ascii("hostile: "+d.name+", type of a part")},
			"X-Note":              {s.ascii("hostile: " + d.name + ", header of a part")},
		})
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
	put("message", "application/json", message)
	for _, p := range pieces {
		put("piece", "application/pdf", p)
	}
	if err := m.Close(); err != nil {
		s.Fatal(err)
	}
	return b.Bytes(), m.FormDataContentType()
}

// submission is the request that deposits a document.
func (s *stage) submission(d planted) *http.Request {
	from, _, _ := d.way()
	message, err := json.Marshal(s.message(d))
	if err != nil {
		s.Fatal(err)
	}
	var pieces [][]byte
	if d.doc != nil {
		for i := range d.doc.Pieces() {
			pieces = append(pieces, s.piece(fmt.Sprintf("%s: piece %d", d.name, i+1), i%2 == 1).Bytes())
		}
	}
	body, ctype := message, "application/json"
	if len(pieces) > 0 {
		body, ctype = s.form(d, message, pieces)
	}
	r := s.call(from, "POST", "/v1/messages", body)
	r.Header.Set("Content-Type", ctype)
	r.Header.Set("Idempotency-Key", s.ascii(d.name+": idempotency key"))
	return r
}

// TestServed plays an exchange on a served broker, with marks wherever a client
// may put anything, and searches what is left.
func TestServed(t *testing.T) {
	s := newStage(t, nil)
	s.play()
	for _, h := range s.search() {
		t.Error(h)
	}
}

// play is the whole of it.
func (s *stage) play() {
	s.exchange()
	s.refusedSubmissions()
	s.refusedCalls()
	s.rawCalls()
	s.panics()
	s.operator()
	s.commands()
	s.stop(syscall.SIGTERM)
	s.keptKey()
	s.configurations()
	s.start()
	s.health()
	s.stop(syscall.SIGQUIT) // which dumps every goroutine
	s.closing()
}

// closing leaves only files to be searched, and a backup.
func (s *stage) closing() {
	if err := os.Remove(filepath.Join(s.house.Data, "admin.sock")); err != nil {
		s.Error(err) // SIGQUIT leaves it
	}
	for _, args := range [][]string{
		{"journal", "verify", "--data", s.house.Data, "--json"}, {"journal", "list", "--data", s.house.Data},
		{"journal", "backup", "--data", s.house.Data, "--out", s.in("backup")}, {"journal", "list", "--alarms", "--data", s.house.Data},
	} {
		if err := s.run(args...); err != nil {
			s.Errorf("%s %s: %v", args[0], args[1], err)
		}
	}
}

// search returns the first hits of each sort, and fails where there is nothing
// to search or a reader was not given a mark.
func (s *stage) search() []hit {
	for _, place := range []struct {
		name  string
		least int64
	}{
		{"serve.log", 50000}, {"answers.txt", 50000}, {"commands.txt", 2000}, {"house/data/journal.db", 100000}, {"backup/journal.db", 100000},
		{"house/data/vaguemestre.toml", 100}, {"house/data/sending/salt", 32},
	} {
		if info, err := os.Stat(s.in(place.name)); err != nil || info.Size() < place.least {
			s.Errorf("hardly anything to search in %s: %v", place.name, err)
		}
	}
	h := newHunter(s.marks)
	files, hits := h.folder(s.T, filepath.Join(s.root, searched))
	s.Logf("%d marks, %d forms, %d answers, %d files, %d bytes read (decoded ones included), %d hits", len(h.marks), h.count(), s.answers, files, h.searched, len(hits))
	shown(s.T, h, s.root)
	return firsts(hits)
}
