package demo

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// sample is a board with one pli; more adds an evidence to it.
func sample() (b *Board, more func()) {
	b = newBoard()
	p := PliView{
		Number: 1, ID: "01a2015e-60b9-7f4b-be80-869687f1772c", Kind: schemas.OPP, Label: "Ordonnance de placement provisoire", Order: true,
		From: parquet, To: []broker.PartyID{ase}, Cc: []broker.PartyID{juge}, Urgency: broker.U0, Waiting: []broker.PartyID{ase},
		Facts: []FactView{{Event: broker.Accepted, Label: "Déposé", At: time.Date(2026, 11, 22, 3, 48, 12, 90e6, time.UTC), By: string(Justice), Fingerprint: strings.Repeat("0a", 20)}},
	}
	b.put([]PliView{p})
	return b, func() {
		q := p
		q.Facts = append(q.Facts[:1:1], FactView{Event: broker.Opened, Label: "Ouvert", Recipient: ase, At: p.Facts[0].At.Add(time.Second), By: string(ase)})
		b.put([]PliView{q})
	}
}

func served(t *testing.T, b *Board) *httptest.Server {
	t.Helper()
	h, err := Handler(b)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, url, host string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

// The page says what it is, shows the timeline in French, loads nothing from
// elsewhere, and no browser keeps it.
func TestPage(t *testing.T) {
	b, _ := sample()
	s := served(t, b)
	r, body := get(t, s.URL+"/", "")
	if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("status %d, Cache-Control %q", r.StatusCode, r.Header.Get("Cache-Control"))
	}
	policy := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("no %s in %q", want, policy)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	for _, want := range []string{
		`<html lang="fr">`, Notice, "Actualiser", "Ordonnance de placement provisoire", "22/11/2026", "04 h 48 min 12,090 s",
		"ase-59 ; copie je-lille", "il n&#39;en tient pas lieu", "Qui doit agir", strings.Repeat("0a", 20),
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, bad := range []string{"<style", "onclick", "http-equiv", "https://", "Ouvert"} {
		if strings.Contains(body, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, file := range []string{"/suivi.js", "/suivi.css"} {
		if r, body := get(t, s.URL+file, ""); r.StatusCode != http.StatusOK || body == "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d", file, r.StatusCode)
		}
	}
	if r, _ := get(t, s.URL+"/page.html", ""); r.StatusCode != http.StatusNotFound {
		t.Errorf("the template is served: %d", r.StatusCode)
	}
}

// A site open in the same browser cannot reach the page under its own name.
func TestPageAnswersToThisMachineOnly(t *testing.T) {
	b, _ := sample()
	s := served(t, b)
	for host, want := range map[string]int{
		"localhost:80": 200, "127.0.0.1": 200, "[::1]:8080": 200,
		"site.example": 421, "127.0.0.1.site.example": 421, "192.0.2.1:80": 421,
	} {
		if r, _ := get(t, s.URL+"/", host); r.StatusCode != want {
			t.Errorf("Host %s: %d, want %d", host, r.StatusCode, want)
		}
	}
}

// The browser is told of each change, by a number and nothing else.
func TestPageUpdates(t *testing.T) {
	b, more := sample()
	s := served(t, b)
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/evenements", nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	in := bufio.NewScanner(r.Body)
	event := func() string {
		t.Helper()
		var text []string
		for in.Scan() && in.Text() != "" {
			text = append(text, in.Text())
		}
		return strings.Join(text, "|")
	}
	if got := event(); got != "event: suivi|data: 1" {
		t.Errorf("first event %q", got)
	}
	more()
	if got := event(); got != "event: suivi|data: 2" {
		t.Errorf("after an evidence %q", got)
	}
	if _, body := get(t, s.URL+"/", ""); !strings.Contains(body, "Ouvert") {
		t.Error("the new evidence is not on the page")
	}
	b.End("Fini.")
	if got := event(); got != "event: suivi|data: 3" {
		t.Errorf("at the end %q", got)
	}
}

// The page ends with its context, even while a browser listens.
func TestServeEnds(t *testing.T) {
	b, _ := sample()
	h, err := Handler(b)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	url, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- Serve(ctx, h, func(u string) { url <- u }) }()
	u := <-url
	if !strings.HasPrefix(u, "http://127.0.0.1:") {
		t.Errorf("it listens at %s", u)
	}
	r, err := http.Get(u + "evenements")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	stop()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it did not end")
	}
}

// The script takes the new timeline when it is told of one, and only then.
func TestScript(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is absent: install the Debian package nodejs")
		}
		t.Skip("node is absent: install the Debian package nodejs")
	}
	out, err := exec.Command(node, "testdata/suivi_test.js", "page/suivi.js").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// What transmits an order says that it does not stand for it, whatever its
// kind: an OPP that ends may or may not have one. The other never says so.
func TestWhatTransmitsAnOrder(t *testing.T) {
	for _, order := range []bool{true, false} {
		v := View{Plis: []PliView{{Number: 1, Kind: schemas.FinOPP, Label: "Fin d'une ordonnance", Order: order, From: parquet, To: []broker.PartyID{ase}}}}
		var text strings.Builder
		writePlis(&text, v)
		b := newBoard()
		b.put(v.Plis)
		w := httptest.NewRecorder()
		h, err := Handler(b)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = "localhost"
		h.ServeHTTP(w, r)
		if got := strings.Contains(text.String(), noSubstitute); got != order {
			t.Errorf("the timeline says so: %v, want %v", got, order)
		}
		if got := strings.Contains(w.Body.String(), "en tient pas lieu"); w.Code != 200 || got != order {
			t.Errorf("the page (%d) says so: %v, want %v", w.Code, got, order)
		}
	}
}
