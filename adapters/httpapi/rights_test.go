package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// absentID has the form of an id, and nothing has it.
const absentID = "01981c0e-1111-7222-8333-444444444444"

// try fills a row of the table of routes: the request that a caller with the
// right would make about a pli.
func try(t *testing.T, r httpapi.RouteRow, id string, n int) request {
	path := strings.NewReplacer("{id}", id, "{n}", "1", "{kind}", "signalement").Replace(r.Path)
	q := request{method: r.Method, path: path, header: map[string]string{}}
	switch {
	case r.Path == "/v1/messages" && r.Method == "POST":
		e, pdf := alert(t)
		body, ctype := form(t, e, pdf)
		q.body, q.header["Content-Type"], q.header["Idempotency-Key"] = body, ctype, "table-"+string(rune('a'+n))
	case r.Method == "POST":
		q.body = jsonBody(t, map[string]any{"event": "opened", "actor": map[string]string{"name": "GABARIT Sacha"}})
		q.header["Content-Type"] = "application/json"
	case r.Path == "/v1/journal/proofs":
		q.path += "?leaf=0"
	case r.Path == "/v1/journal/consistency":
		q.path += "?from=1"
	}
	return q
}

// same is an answer without its id.
func same(a answer) string {
	h := a.header.Clone()
	h.Del(httpapi.HeaderRequest)
	h.Del("Date")
	var lines []string
	for k, v := range h {
		lines = append(lines, k+": "+strings.Join(v, ","))
	}
	slices.Sort(lines)
	return http.StatusText(a.status) + "\n" + strings.Join(lines, "\n") + "\n" + string(a.body)
}

// Every route, with every right, on a pli of one's own, of another party of the
// same broker, and on one that does not exist: served, forbidden whatever the
// id, or absent, and the last two are the same answer, byte for byte.
func TestEveryRouteEveryRight(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	own := tn.send(ase, "own", e, pdf)
	tn.reaches(ase, own.ID, parquet, broker.Consigned)
	other := tn.othersPli()
	secrets := map[broker.Right]string{}
	for _, right := range broker.Rights() {
		secrets[right] = tn.token(parquet, right)
	}
	s := tn.servers[justice]
	n := 0
	for _, r := range httpapi.PublicRoutes() {
		for _, right := range broker.Rights() {
			n++
			allowed := r.Right == "" || r.Right == string(right)
			answers := map[string]answer{}
			for name, id := range map[string]string{"own": own.ID, "other": other, "absent": absentID, "odd": "NOT-an-id"} {
				q := try(t, r, id, n)
				q.token = secrets[right]
				if r.Path == "/v1/messages" && r.Method == "POST" {
					// The parquet may not send a signalement: what is tried here is
					// the right, so a refusal by the policy counts as served.
					q.header["Idempotency-Key"] += name
				}
				answers[name] = call(t, s, q)
			}
			where := r.Method + " " + r.Path + " with " + string(right)
			if !allowed {
				for name, a := range answers {
					if a.status != http.StatusForbidden || same(a) != same(answers["own"]) {
						t.Errorf("%s, %s: %d", where, name, a.status)
					}
				}
				continue
			}
			if a := answers["own"]; a.status >= 400 && a.code(t) != httpapi.CodeRefused {
				t.Errorf("%s, own: %d %s", where, a.status, a.body)
			}
			if !strings.Contains(r.Path, "{id}") {
				continue
			}
			for _, name := range []string{"other", "absent", "odd"} {
				if a := answers[name]; a.status != http.StatusNotFound || same(a) != same(answers["absent"]) {
					t.Errorf("%s: a pli of others shows:\n%s\nan absent one:\n%s", where, same(a), same(answers["absent"]))
				}
			}
		}
	}
}

// othersPli is one that the broker of the court holds, and that the parquet
// neither sent nor received: from the ASE to the judge.
func (tn *town) othersPli() string {
	tn.t.Helper()
	e := envelope{Kind: "transmission", To: []string{string(juge)}, Actor: broker.Actor{Name: "MODÈLE Alix", Function: "inspectrice"}, Document: transmission(tn.t)}
	body := jsonBody(tn.t, e)
	a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "other"}})
	var r receipt
	a.into(tn.t, http.StatusCreated, &r)
	tn.reaches(ase, r.ID, juge, broker.Consigned)
	return r.ID
}

// Without a token, or with one that does not serve, nothing is told: neither
// what is wrong with it, nor whether the pli exists.
func TestTokens(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	own := tn.send(ase, "own", e, pdf)
	good := tn.token(ase, broker.RightRead)
	if a := tn.as(ase, request{method: "GET", path: "/v1/messages/" + own.ID, token: good}); a.status != 200 {
		t.Fatalf("a good token: %d", a.status)
	}
	digest, err := httpapi.ParseToken(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := tn.at(ase).RevokeToken(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	first := ""
	for name, secret := range map[string]string{
		"revoked": good, "never given": "vmt_" + strings.Repeat("A", 43), "no form": "hunter2", "of another broker": tn.secrets[juge],
		"cut": good[:40], "longer": good + "A", "empty": " ",
	} {
		for _, id := range []string{own.ID, absentID} {
			a := tn.as(ase, request{method: "GET", path: "/v1/messages/" + id, token: secret})
			if first == "" {
				first = same(a)
			}
			if a.status != http.StatusUnauthorized || a.code(t) != httpapi.CodeTokenInvalid || same(a) != first {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
			if !strings.Contains(a.header.Get("WWW-Authenticate"), `error="invalid_token"`) {
				t.Errorf("%s: WWW-Authenticate is %q", name, a.header.Get("WWW-Authenticate"))
			}
		}
	}
	a := call(t, tn.servers[nord], request{method: "GET", path: "/v1/messages/" + own.ID})
	if a.status != 401 || a.code(t) != httpapi.CodeTokenMissing || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("no token: %d", a.status)
	}
	a = call(t, tn.servers[nord], request{method: "GET", path: "/v1/messages", header: map[string]string{"Authorization": "Basic " + tn.secrets[ase]}})
	if a.status != 401 {
		t.Errorf("another scheme: %d", a.status)
	}
	a = tn.as(parquet, request{method: "GET", path: "/v1/messages?box=sent", header: map[string]string{httpapi.HeaderParty: string(juge)}})
	if a.status != 200 || strings.Contains(string(a.body), string(juge)) {
		t.Errorf("a token speaks for its own party only: %d", a.status)
	}
}

// A read by a token is fetched, once, and never opened; an act by a token is
// declared; the sender that reads its own again leaves no trace.
func TestReadsAreFetched(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	size := func() uint64 { return tn.Nodes[nord].Journal.Head().Size }
	tn.quiet()
	before := size()
	tn.reads(ase, r.ID, e, pdf)
	if got := size(); got != before {
		t.Errorf("the sender's own reading made %d events", got-before)
	}
	for _, path := range []string{"", "/evidences"} {
		tn.get(parquet, "/v1/messages/"+r.ID+path)
	}
	if m := tn.inbox(parquet)[0]; m.progress(parquet) != "consigned" {
		t.Errorf("looking at states is %s", m.progress(parquet))
	}
	for range 3 {
		tn.reads(parquet, r.ID, e, pdf)
		tn.get(parquet, "/v1/messages/"+r.ID+"/summary")
	}
	tn.reaches(ase, r.ID, parquet, broker.Fetched)
	count := map[string]int{}
	var m message
	tn.get(ase, "/v1/messages/"+r.ID).into(t, 200, &m)
	for _, ev := range m.Evidences {
		count[ev.Event]++
	}
	if count["fetched"] != 1 || count["opened"] != 0 {
		t.Errorf("evidences: %v", count)
	}
	if !m.Waiting || len(m.Deadlines) != 1 {
		t.Errorf("fetched is no act, and the hour still runs: %+v", m)
	}
	for _, event := range []string{"fetched", "redirected", "consigned", "accepted", "inconnu"} {
		a := tn.as(parquet, request{method: "POST", path: "/v1/messages/" + r.ID + "/acts", header: map[string]string{"Content-Type": "application/json"},
			body: jsonBody(t, map[string]any{"event": event, "actor": map[string]string{"name": "GABARIT Sacha"}})})
		if a.status != 422 || a.code(t) != httpapi.CodeRefused {
			t.Errorf("%s said by an application: %d", event, a.status)
		}
	}
}
