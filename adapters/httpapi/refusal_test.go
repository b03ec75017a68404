package httpapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// kept is what a broker holds: leaves by type, plis sent, files of bodies.
type kept struct {
	plis, others, sent, bodies int
}

func (tn *town) kept(id broker.BrokerID) kept {
	tn.t.Helper()
	var k kept
	err := tn.Nodes[id].Journal.View(func(v journal.View) error {
		for n := range v.Size() {
			leaf, err := v.Leaf(n)
			if err != nil {
				return err
			}
			if l, err := journal.ParseLeaf(leaf); err != nil {
				return err
			} else if l.Type == journal.TypePli || l.Type == string(broker.Accepted) {
				k.plis++
			} else {
				k.others++
			}
		}
		v.Scan("sent", "", "", func(string, []byte) bool { k.sent++; return true })
		return nil
	})
	if err != nil {
		tn.t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(tn.Dir(id), "bodies"), func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			k.bodies++ // also one that is still being written
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		tn.t.Fatal(err)
	}
	return k
}

// bigPiece is large enough to go to a file of its own.
func bigPiece(n int) []byte { return bytes.Repeat([]byte("%PDF-1.4 fictif "), n/16) }

// Every refusal of a submission leaves nothing half-kept. What the broker
// judged is journaled, without content; what never reached it leaves no event.
func TestRefusalsLeaveNothing(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) { o.MaxBody = 1 << 20 })
	e, _ := alert(t)
	pdf := bigPiece(200_000)
	good := func(change func(*envelope)) func() (io.Reader, string) {
		return func() (io.Reader, string) {
			e := e
			change(&e)
			return form(t, e, pdf)
		}
	}
	same := func(*envelope) {}
	for _, c := range []struct {
		name      string
		body      func() (io.Reader, string)
		header    map[string]string // "" takes one away
		token     string
		status    int
		code      string
		journaled bool
	}{
		{name: "no token", body: good(same), token: "vmt_" + strings.Repeat("B", 43), status: 401, code: httpapi.CodeTokenInvalid},
		{name: "no right", body: good(same), token: tn.token(ase, broker.RightRead), status: 403, code: httpapi.CodeRight},
		{name: "no key", body: good(same), header: map[string]string{"Idempotency-Key": ""}, status: 400, code: httpapi.CodeRequest},
		{name: "key with a space", body: good(same), header: map[string]string{"Idempotency-Key": "a b"}, status: 400, code: httpapi.CodeRequest},
		{name: "media type", body: good(same), header: map[string]string{"Content-Type": "text/xml"}, status: 415, code: httpapi.CodeMediaType},
		{name: "no boundary", body: good(same), header: map[string]string{"Content-Type": "multipart/form-data"}, status: 415, code: httpapi.CodeMediaType},
		{name: "content coding", body: good(same), header: map[string]string{"Content-Encoding": "gzip"}, status: 415, code: httpapi.CodeMediaType},
		{name: "boundary of another", body: good(same), header: map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, status: 400, code: httpapi.CodeUploadCut},
		{name: "unknown kind", body: good(func(e *envelope) { e.Kind = "lettre" }), status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "unlawful way", body: good(func(e *envelope) { e.To = []string{"je-lille"} }), status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "unknown party", body: good(func(e *envelope) { e.To = []string{"nulle-part"} }), status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "itself", body: good(func(e *envelope) { e.To = []string{"ase-59"} }), status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "no recipient", body: good(func(e *envelope) { e.To = []string{} }), status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "no actor", body: good(func(e *envelope) { e.Actor = broker.Actor{} }), status: 422, code: httpapi.CodeInvalid},
		{name: "urgency", body: good(func(e *envelope) { e.Urgency = "U9" }), status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "faulty document", body: good(func(e *envelope) { e.Document = json.RawMessage(`{"condition":"autre"}`) }), status: 422, code: httpapi.CodeDocument, journaled: true},
		{name: "document that is no object", body: good(func(e *envelope) { e.Document = json.RawMessage(`[]`) }), status: 422, code: httpapi.CodeInvalid},
		{name: "a piece too many", body: func() (io.Reader, string) { return form(t, e, pdf, pdf) }, status: 422, code: httpapi.CodePieces},
		{name: "a piece missing", body: func() (io.Reader, string) { return form(t, e) }, status: 422, code: httpapi.CodePieces},
		{name: "an empty piece", body: func() (io.Reader, string) { return form(t, e, []byte{}) }, status: 422, code: httpapi.CodeRefused, journaled: true},
		{name: "too large as a whole", body: func() (io.Reader, string) { return form(t, e, bigPiece(5<<20)) }, status: 413, code: httpapi.CodeTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := tn.kept(nord)
			body, ctype := c.body()
			q := request{method: "POST", path: "/v1/messages", body: body, token: c.token, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "k"}}
			for k, v := range c.header {
				q.header[k] = v
				if v == "" {
					delete(q.header, k)
				}
			}
			if q.token == "" {
				q.token = tn.secrets[ase]
			}
			a := call(t, tn.servers[nord], q)
			if a.status != c.status || a.code(t) != c.code {
				t.Errorf("%d %s, want %d %s", a.status, a.body, c.status, c.code)
			}
			after := tn.kept(nord)
			want := before
			if c.journaled {
				want.others++
			}
			if after != want {
				t.Errorf("left %+v, want %+v", after, want)
			}
		})
	}
	// None of them used the key up.
	tn.send(ase, "k", e, pdf)
}

// A refusal says what is wrong, in the words of the document, and what to do.
func TestRefusalsExplain(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	e.Document = json.RawMessage(`{"condition":"autre","inventé":1}`)
	body, ctype := form(t, e, pdf)
	a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "k"}})
	var p struct {
		Type, Code, Hint string
		Errors           []struct{ Path, Code, Message string }
	}
	a.into(t, 422, &p)
	found := map[string]string{}
	for _, f := range p.Errors {
		found[f.Path] = f.Code
	}
	if p.Type != "urn:vaguemestre:problem:document_invalid" || a.header.Get("Content-Type") != "application/problem+json" ||
		found["document.condition"] != "valeur" || found["document.?2"] != "inconnu" || found["document.auteur"] != "obligatoire" {
		t.Errorf("told %+v", p)
	}
	if strings.Contains(string(a.body), "inventé") {
		t.Error("an unknown name was repeated")
	}
	e, _ = alert(t)
	e.To = []string{"je-lille"}
	body, ctype = form(t, e, pdf)
	a = tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "k"}})
	a.into(t, 422, &p)
	if !strings.Contains(p.Hint, "procureur") || p.Errors[0].Path != "to" {
		t.Errorf("the hint of the law: %s", a.body)
	}
}

// counting counts what is read of a body, and fails if it is read too far.
type counting struct {
	r    io.Reader
	read atomic.Int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.read.Add(int64(n))
	return n, err
}

func (c *counting) Close() error { return nil }

// Size, type, and the faults of the message are told before the pieces are
// read: of a piece, at most what was read ahead with the end of the message.
func TestRefusedBeforeTheUpload(t *testing.T) {
	const ahead = 8 << 10
	tn := newTown(t, func(o *httpapi.Options) { o.MaxBody = 4 << 20 })
	h := tn.apis[nord].Public()
	e, _ := alert(t)
	bad := e
	bad.Document = json.RawMessage(`{}`)
	unlawful := e
	unlawful.To = []string{"je-lille"}
	text := func(e envelope) int64 {
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return int64(len(b))
	}
	for _, c := range []struct {
		name   string
		e      envelope
		ctype  string
		length func(int64) int64
		token  string
		status int
		most   int64
	}{
		{"length", e, "", func(int64) int64 { return -1 }, tn.secrets[ase], 411, 0},
		{"size", e, "", func(int64) int64 { return 1 << 40 }, tn.secrets[ase], 413, 0},
		{"type", e, "application/x-www-form-urlencoded", nil, tn.secrets[ase], 415, 0},
		{"token", e, "", nil, "vmt_", 401, 0},
		{"right", e, "", nil, tn.token(ase, broker.RightAct), 403, 0},
		{"document", bad, "", nil, tn.secrets[ase], 422, text(bad) + ahead},
		{"policy", unlawful, "", nil, tn.secrets[ase], 422, text(unlawful) + ahead},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, ctype := form(t, c.e, bigPiece(2<<20))
			size := int64(body.Len())
			counted := &counting{r: body}
			r := httptest.NewRequest("POST", "/v1/messages", counted)
			r.ContentLength = size
			if c.length != nil {
				r.ContentLength = c.length(size)
			}
			if c.ctype != "" {
				ctype = c.ctype
			}
			r.Header.Set("Content-Type", ctype)
			r.Header.Set("Idempotency-Key", "k")
			r.Header.Set("Authorization", "Bearer "+c.token)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if got := counted.read.Load(); got > c.most {
				t.Errorf("%d bytes were read, want at most %d of %d", got, c.most, size)
			}
		})
	}
}

// Outside the table there is nothing: no redirection, no method that was not
// meant, no body where none belongs, no second reading of a query.
func TestOutsideTheTable(t *testing.T) {
	tn := newTown(t, nil)
	for _, c := range []struct {
		method, path string
		body         io.Reader
		status       int
		code         string
	}{
		{"GET", "/v1/messages/", nil, 404, httpapi.CodeRoute},
		{"GET", "/v1//messages", nil, 404, httpapi.CodeRoute},
		{"GET", "/v1/messages/..%2f..%2fjournal", nil, 404, httpapi.CodeRoute},
		{"GET", "/v1/x/../messages", nil, 404, httpapi.CodeRoute},
		{"GET", "/admin/v1/tokens", nil, 404, httpapi.CodeRoute},
		{"GET", "/", nil, 404, httpapi.CodeRoute},
		{"PUT", "/v1/messages", nil, 405, httpapi.CodeMethod},
		{"TRACE", "/v1/messages", nil, 405, httpapi.CodeMethod},
		{"get", "/v1/messages", nil, 405, httpapi.CodeMethod},
		{"GET", "/v1/messages", strings.NewReader("x"), 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?limit=0", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?limit=10&limit=20", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?enfant=x", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?box=tout", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?cursor=AAAA", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?waiting=yes", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/messages?since=hier", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/journal/entries?limit=100000", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/journal/proofs", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/journal/proofs?leaf=900000", nil, 422, httpapi.CodeRange},
		{"GET", "/v1/journal/proofs?leaf=99999999999999999999", nil, 400, httpapi.CodeRequest},
		{"GET", "/v1/journal/consistency?from=0", nil, 422, httpapi.CodeRange},
	} {
		a := tn.as(ase, request{method: c.method, path: c.path, body: c.body})
		if a.status != c.status || a.code(t) != c.code {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
		if a.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

// A broker about to stop takes nothing new, says when to come back, and still
// lets read.
func TestDrain(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.apis[nord].Drain()
	body, ctype := form(t, e, pdf)
	a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "k2"}})
	if a.status != 503 || a.code(t) != httpapi.CodeDraining || a.header.Get("Retry-After") == "" {
		t.Errorf("a submission: %d", a.status)
	}
	if a := tn.get(ase, "/v1/messages/"+r.ID); a.status != 200 {
		t.Errorf("a reading: %d", a.status)
	}
}

// What the broker cannot do now is said so, with an hour to come back, and the
// cause goes to the log alone.
func TestTemporary(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) { o.Broker = failing{o.Broker} })
	a := tn.get(ase, "/v1/messages/"+absentID)
	if a.status != 503 || a.header.Get("Retry-After") == "" || strings.Contains(string(a.body), "disk") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !strings.Contains(tn.logs.String(), "the disk of the test") {
		t.Error("the log does not say why")
	}
}

type failing struct{ httpapi.Broker }

func (failing) Status(string) (broker.Status, error) {
	return broker.Status{}, fmt.Errorf("%w: %w", broker.ErrTemporary, errors.New("the disk of the test"))
}

// A handler that panics answers 500, and the value of the panic goes nowhere.
func TestPanic(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) { o.Broker = panicking{o.Broker} })
	a := tn.get(ase, "/v1/messages/"+absentID)
	if a.status != http.StatusInternalServerError || a.code(t) != httpapi.CodeInternal {
		t.Errorf("%d %s", a.status, a.body)
	}
	if log := tn.logs.String(); strings.Contains(log, "Camille") || !strings.Contains(log, `"msg":"panic"`) {
		t.Error("the log of a panic")
	}
}

type panicking struct{ httpapi.Broker }

func (panicking) Status(string) (broker.Status, error) { panic("Camille EXEMPLE") }
