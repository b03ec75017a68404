package httpapi_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"vaguemestre/broker"
)

// canaries are words that no log may hold, one for each place where a caller
// can put a child's name.
var canaries = []string{
	"Canari-acteur", "Canari-fonction", "Canari-document", "Canari-numero", "Canari-motif", "Canari-lieu",
	"Canari-fichier", "Canari-cle", "Canari-entete", "Canari-requete", "Canari-chemin", "Canari-membre", "Canari-jeton", "Canari-type", "Canari-methode",
}

// Nothing that a caller writes is in a log line, whatever it writes where:
// bodies, names of files, headers, queries, paths, methods, well formed or not.
func TestNothingPersonalInLogs(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	e.Actor = broker.Actor{Name: "Canari-acteur", Function: "Canari-fonction"}
	e.Document = []byte(strings.Replace(string(e.Document), "MODÈLE", "Canari-document", 1))
	if !strings.Contains(string(e.Document), "Canari-document") {
		t.Fatal("the document holds no canary")
	}
	body, ctype := form(t, e, pdf)
	text := strings.Replace(body.String(), "fichier-0.pdf", "Canari-fichier.pdf", 1)
	a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: strings.NewReader(text), header: map[string]string{
		"Content-Type": ctype, "Idempotency-Key": "Canari-cle", "X-Enfant": "Canari-entete", "User-Agent": "Canari-entete", "Referer": "https://x/Canari-entete",
	}})
	var r receipt
	a.into(t, http.StatusCreated, &r)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	tn.act(parquet, r.ID, map[string]any{"event": "registered", "number": "Canari-numero", "reason": "Canari-motif", "place": "Canari-lieu",
		"done_at": "2026-01-05T10:00:00+01:00", "actor": broker.Actor{Name: "Canari-acteur", Function: "Canari-fonction"}})
	for _, path := range []string{"/document", "/summary", "/pieces/1", "/evidences", "", "/export"} {
		tn.get(parquet, "/v1/messages/"+r.ID+path).into(t, 200, nil)
	}
	for _, q := range []request{
		{method: "GET", path: "/v1/messages?enfant=Canari-requete"},
		{method: "GET", path: "/v1/messages?cursor=Canari-requete"},
		{method: "GET", path: "/v1/messages/Canari-chemin"},
		{method: "GET", path: "/v1/messages/Canari-chemin/document"},
		{method: "GET", path: "/v1/messages/" + r.ID + "/pieces/Canari-chemin"},
		{method: "GET", path: "/v1/kinds/Canari-chemin/schema"},
		{method: "GET", path: "/Canari-chemin/" + url.PathEscape("Canari-chemin")},
		{method: "GET", path: "/v1//Canari-chemin"},
		{method: "CANARI-METHODE", path: "/v1/messages"},
		{method: "GET", path: "/v1/messages", token: "vmt_Canari-jeton"},
		{method: "POST", path: "/v1/messages", body: strings.NewReader(`{"Canari-membre":1}`), header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "Canari-cle"}},
		{method: "POST", path: "/v1/messages", body: strings.NewReader(`{"kind":"Canari-membre`), header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "Canari-cle"}},
		{method: "POST", path: "/v1/messages", body: strings.NewReader("x"), header: map[string]string{"Content-Type": "Canari-type/Canari-type", "Idempotency-Key": "Canari-cle"}},
		{method: "POST", path: "/v1/messages", body: strings.NewReader("x"), header: map[string]string{"Content-Type": "multipart/form-data; boundary=Canari-type", "Idempotency-Key": "Canari-cle"}},
	} {
		q.path = strings.ReplaceAll(q.path, " ", "%20")
		if a := tn.as(parquet, q); a.status < 400 {
			t.Errorf("%s: %d", q.method, a.status)
		} else if found := holds(string(a.body)); found != "" {
			t.Errorf("an answer repeats %s: %s", found, a.body)
		}
	}
	log := tn.logs.String()
	if found := holds(log); found != "" {
		t.Errorf("a log line holds %s", found)
	}
	if !strings.Contains(log, `"route":"/v1/messages/{id}/document"`) || !strings.Contains(log, `"application":"logiciel-parquet-lille"`) || !strings.Contains(log, r.ID) {
		t.Error("the log does not say what it should")
	}
	for _, secret := range tn.secrets {
		if strings.Contains(log, secret) || strings.Contains(log, secret[4:30]) {
			t.Error("a token is in the log")
		}
	}
}

// holds finds a canary in a text, as it is, escaped or in base64.
func holds(text string) string {
	lower := strings.ToLower(text)
	for _, c := range canaries {
		for shift := range 3 {
			b := base64.StdEncoding.EncodeToString([]byte("xx"[:shift] + c))
			if strings.Contains(text, b[4:len(b)-4]) {
				return c + " in base64"
			}
		}
		if strings.Contains(lower, strings.ToLower(c)) || strings.Contains(lower, strings.ToLower(url.QueryEscape(c))) {
			return c
		}
	}
	return ""
}

// The search finds what it must.
func TestHolds(t *testing.T) {
	for _, text := range []string{"a CANARI-ACTEUR b", base64.StdEncoding.EncodeToString([]byte("name: Canari-document."))} {
		if holds(text) == "" {
			t.Errorf("not found in %q", text)
		}
	}
	if holds("the route /v1/messages") != "" {
		t.Error("found where it is not")
	}
}
