package httpapi_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// flood: one token that asks without end is slowed, the others are served.
func flood(t *testing.T) {
	clock := atomic.Int64{}
	clock.Store(time.Now().UnixNano())
	tn := newTown(t, func(o *httpapi.Options) {
		o.Rate, o.Burst = 1, 5
		o.Now = func() time.Time { return time.Unix(0, clock.Load()) }
	})
	before := tn.sizes()
	served := 0
	for range 200 {
		a := tn.get(parquet, "/v1/messages")
		switch {
		case a.status == http.StatusOK:
			served++
		case a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || a.code(t) != httpapi.CodeRate:
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if served != 5 {
		t.Errorf("%d requests of one burst were served", served)
	}
	if a := tn.get(juge, "/v1/messages"); a.status != http.StatusOK {
		t.Errorf("a lawful neighbour: %d", a.status)
	}
	if after := tn.sizes(); after != before {
		t.Errorf("%d events for nothing", after)
	}
	verdict(t, httpapi.CodeRate)
}

// lineInjection: line ends in whatever a caller may write make no line of the
// log, and no member of one.
func (tn *town) lineInjection(t *testing.T, id string) {
	forged := "\n{\"level\":\"INFO\",\"msg\":\"Canari-chemin\",\"route\":\"Canari-chemin\"}\r\n"
	escaped := strings.NewReplacer("\n", "%0a", "\r", "%0d", "{", "%7b", "}", "%7d", `"`, "%22").Replace(forged)
	for _, path := range []string{"/v1/messages/" + id + escaped, "/" + escaped, "/v1/messages?box=" + escaped, "/v1/kinds/" + escaped + "/schema"} {
		a := tn.get(parquet, path)
		if a.status < 400 {
			t.Errorf("%d", a.status)
		}
		tn.silent(t, a)
	}
	said := map[string]any{"event": "opened", "reason": "Canari-motif" + forged, "actor": map[string]string{"name": "Canari-acteur" + forged}}
	a := tn.as(parquet, request{method: "POST", path: "/v1/messages/" + id + "/acts", header: map[string]string{"Content-Type": "application/json"}, body: jsonBody(t, said)})
	tn.silent(t, a)
	known := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(tn.logs.String()), "\n") {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Errorf("a line of the log that is none: %v", err)
		}
		for k := range m {
			known[k] = true
		}
	}
	if !known["route"] || !known["status"] {
		t.Error("the log says nothing")
	}
	verdict(t, "no line")
}

// ssrf: whatever address a caller writes wherever it can, nothing calls it;
// no member of the description asks for one; and outside the CLI no source can
// call anything over a network.
func ssrf(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var calls atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			c.Close()
		}
	}()
	url := "http://" + l.Addr().String() + "/crochet"
	tn := newTown(t, nil)
	e, pdf := alert(t)
	e.Actor.Name, e.Actor.Function = url, url
	e.Document = json.RawMessage(strings.ReplaceAll(string(e.Document), "MODÈLE", url))
	body, ctype := form(t, e, pdf)
	a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{
		"Content-Type": ctype, "Idempotency-Key": "ssrf", "Host": l.Addr().String(), "Origin": url, "Referer": url, "Forwarded": "for=" + url,
		"X-Forwarded-Host": l.Addr().String(), "X-Callback-Url": url, "Callback": url, "Link": "<" + url + `>; rel="webhook"`, "Webhook-Request-Callback": url,
	}})
	var r receipt
	a.into(t, http.StatusCreated, &r)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	tn.act(parquet, r.ID, map[string]any{"event": "taken_in_charge", "reason": url, "place": url, "number": url})
	tn.get(parquet, "/v1/messages?callback="+url)
	for _, member := range []string{"url", "callback", "webhook", "notify"} {
		a := tn.as(parquet, request{method: "POST", path: "/v1/messages/" + r.ID + "/acts", header: map[string]string{"Content-Type": "application/json"},
			body: jsonBody(t, map[string]any{"event": "opened", "actor": map[string]string{"name": "GABARIT Sacha"}, member: url})})
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("member %s: %d", member, a.status)
		}
	}
	tn.quiet()
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls to an address given by a caller", n)
	}
	if list := callers(t, "../.."); len(list) > 0 {
		t.Errorf("sources that can call an address: %v", list)
	}
	verdict(t, "no call")
}

// callers lists the sources that can open a connection, but for the ways that
// are known: the CLI, which a person runs, and sockets of this machine.
func callers(t *testing.T, root string) (out []string) {
	t.Helper()
	known := []string{"cmd/vaguemestre/party.go", "cmd/vaguemestre/client.go", "cmd/vaguemestre/read.go", "cmd/vaguemestre/send.go", "cmd/vaguemestre/serving/notify.go", "cmd/vaguemestre/serving/listen.go"}
	names := map[string][]string{
		"http": {"Client", "Get", "Post", "PostForm", "Head", "NewRequest", "NewRequestWithContext", "DefaultClient", "DefaultTransport", "Transport"},
		"net":  {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "LookupHost", "LookupIP", "DefaultResolver"},
		"tls":  {"Dial", "DialWithDialer", "Dialer", "Client"},
		"smtp": {"Dial", "SendMail", "NewClient"},
	}
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && slices.Contains(names[pkg.Name], s.Sel.Name) {
				if rel = filepath.ToSlash(rel); slices.Contains(known, rel) {
					seen++
				} else if !slices.Contains(out, rel) {
					out = append(out, rel)
				}
			}
			return true
		})
		return err
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d known callers seen, %v", seen, err)
	}
	return out
}
