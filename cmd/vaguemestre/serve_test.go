package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"vaguemestre/cmd/vaguemestre/serving"
)

// patience bounds what a script waits for: far above what a loaded machine
// needs, and reached by what never comes only.
const patience = 2 * time.Minute

// serveCommands are what the scripts of a running broker use.
func serveCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"ready": ready, "get": get, "submit": submit, "hold": hold, "release": release, "signal": sendSignal,
		"edit": edit, "append": appendFile, "until": until, "given": given,
	}
}

// ready DIR: waits until the broker of a data directory answers, and sets PID,
// API and ADMIN.
func ready(ts *testscript.TestScript, neg bool, args []string) {
	c := &client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return serving.DialSocket(ctx, ts.MkAbs(args[0]))
		},
		DisableKeepAlives: true,
	}}}
	var st serving.Status
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := c.call(context.Background(), http.MethodGet, "/admin/v1/status", nil, &st)
		if err == nil {
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("no broker answers: %v", err)
		}
	}
	ts.Setenv("PID", strconv.Itoa(st.PID))
	ts.Setenv("API", st.API)
	ts.Setenv("ADMIN", st.Admin)
}

// get STATUS URL: the body of the answer is the standard output.
func get(ts *testscript.TestScript, neg bool, args []string) {
	q, err := http.NewRequest(http.MethodGet, "http://"+args[1], nil)
	ts.Check(err)
	answered(ts, args[0], q)
}

// answered sends a call and wants a status.
func answered(ts *testscript.TestScript, status string, q *http.Request) []byte {
	if token := ts.Getenv("TOKEN"); token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	q.Close = true
	r, err := http.DefaultClient.Do(q)
	ts.Check(err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	ts.Check(err)
	if strconv.Itoa(r.StatusCode) != status {
		ts.Fatalf("status %d, want %s: %s", r.StatusCode, status, b)
	}
	if r.StatusCode == http.StatusServiceUnavailable && q.Method == http.MethodPost && r.Header.Get("Retry-After") == "" {
		ts.Fatalf("503 without Retry-After")
	}
	_, err = ts.Stdout().Write(b)
	ts.Check(err)
	return b
}

// submission is the body of POST /v1/messages.
func submission(ts *testscript.TestScript, kind, to, paper string) []byte {
	doc, err := os.ReadFile(filepath.Join(ts.Getenv("PAPERS"), paper))
	ts.Check(err)
	b, err := json.Marshal(map[string]any{
		"kind": kind, "to": strings.Split(to, ","), "actor": map[string]string{"name": "MODÈLE Alix", "function": "substitut de démonstration"},
		"document": json.RawMessage(doc),
	})
	ts.Check(err)
	return b
}

// submit STATUS KEY KIND TO PAPER: sends a document without pieces as the party
// of TOKEN, and sets ID.
func submit(ts *testscript.TestScript, neg bool, args []string) {
	q, err := http.NewRequest(http.MethodPost, "http://"+ts.Getenv("API")+"/v1/messages", bytes.NewReader(submission(ts, args[2], args[3], args[4])))
	ts.Check(err)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", args[1])
	var receipt struct{ ID string }
	if b := answered(ts, args[0], q); args[0] == "201" {
		ts.Check(json.Unmarshal(b, &receipt))
		ts.Setenv("ID", receipt.ID)
	}
}

type heldKey struct{}

// held is a call whose last byte has not left.
type held struct {
	c    net.Conn
	rest []byte
}

// hold KEY KIND TO PAPER: the same, but the last byte waits for release.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	body := submission(ts, args[1], args[2], args[3])
	c, err := net.Dial("tcp", ts.Getenv("API"))
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	_, err = fmt.Fprintf(c, "POST /v1/messages HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nIdempotency-Key: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		ts.Getenv("API"), ts.Getenv("TOKEN"), args[0], len(body))
	ts.Check(err)
	_, err = c.Write(body[:len(body)-1])
	ts.Check(err)
	ts.Value(heldKey{}).(map[string]*held)["call"] = &held{c, body[len(body)-1:]}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.Get("http://" + ts.Getenv("ADMIN") + "/metrics")
		ts.Check(err)
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		ts.Check(err)
		if strings.Contains(string(b), "\nvaguemestre_http_calls 1\n") {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("the call is not being served")
		}
	}
}

// release STATUS: lets the held call come to its end.
func release(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(heldKey{}).(map[string]*held)["call"]
	_, err := h.c.Write(h.rest)
	ts.Check(err)
	b, err := io.ReadAll(h.c)
	ts.Check(err)
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 "+args[0]+" ")) {
		ts.Fatalf("answer %q, want %s", b, args[0])
	}
}

// sendSignal TERM|KILL: to the broker of ready.
func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	pid, err := strconv.Atoi(ts.Getenv("PID"))
	ts.Check(err)
	s := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
	ts.Check(syscall.Kill(pid, s))
}

// edit FILE OLD NEW: OLD must be there.
func edit(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if !bytes.Contains(b, []byte(args[1])) {
		ts.Fatalf("%s: %q is not there", args[0], args[1])
	}
	ts.Check(os.WriteFile(path, bytes.Replace(b, []byte(args[1]), []byte(args[2]), 1), 0o600))
}

// append FILE FROM.
func appendFile(ts *testscript.TestScript, neg bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[1]))
	ts.Check(errors.Join(err, f.Close()))
}

// until TEXT PROGRAM ARG…: runs the program until its standard output holds the
// text.
func until(ts *testscript.TestScript, neg bool, args []string) {
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		if strings.HasPrefix(args[1], "http:") {
			if r, err := http.Get(args[1]); err == nil {
				b, err := io.ReadAll(r.Body)
				r.Body.Close()
				if err == nil && strings.Contains(string(b), args[0]) {
					return
				}
			}
		} else if ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("never said %q", args[0])
		}
	}
}

// given FILE MEMBER NAME: sets a variable to a member of a JSON object; to the
// fingerprints NAME1… of its anchors, when the member is a list of them.
func given(ts *testscript.TestScript, neg bool, args []string) {
	var m map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &m))
	list, _ := m[args[1]].([]any)
	for i, a := range list {
		_, fpr, _ := strings.Cut(a.(string), "=")
		ts.Setenv(args[2]+strconv.Itoa(i+1), fpr)
	}
	if list != nil {
		return
	}
	s, ok := m[args[1]].(string)
	if !ok {
		ts.Fatalf("%s: no text %s", args[0], args[1])
	}
	ts.Setenv(args[2], s)
}

// The sample that is printed is the one that loads.
func TestConfigExampleLoads(t *testing.T) {
	dir := t.TempDir()
	out, _ := called(t, exitOK, "config", "example")
	path := filepath.Join(dir, "sample.toml")
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	// Its certificates are not there: nothing else may be at fault.
	out, _ = called(t, exitFailure, "config", "check", "--config", path)
	for line := range strings.Lines(out) {
		if !strings.Contains(line, ": there is no such file") || !strings.HasPrefix(line, path+":") {
			t.Errorf("fault %q", line)
		}
	}
	if out == "" {
		t.Error("files that are not there are not named")
	}
}
