package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// local serves the form of the API that whoever runs a broker has.
func (tn *town) local(id broker.BrokerID) *httptest.Server {
	s := serve(httpapi.Server(tn.apis[id].Local(), nil, nil))
	tn.t.Cleanup(s.Close)
	return s
}

// The owner of a broker acts for the parties that live there, through the same
// rules: no token, the same refusals, acts declared by "cli".
func TestLocal(t *testing.T) {
	tn := newTown(t, nil)
	nordLocal, justiceLocal := tn.local(nord), tn.local(justice)
	e, pdf := alert(t)
	body, ctype := form(t, e, pdf)
	head := func(p broker.PartyID, more ...string) map[string]string {
		h := map[string]string{httpapi.HeaderParty: string(p)}
		for i := 0; i+1 < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	a := call(t, nordLocal, request{method: "POST", path: "/v1/messages", body: body, header: head(ase, "Content-Type", ctype, "Idempotency-Key", "k")})
	var r receipt
	a.into(t, http.StatusCreated, &r)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	a = call(t, justiceLocal, request{method: "GET", path: "/v1/messages/" + r.ID + "/document", header: head(parquet)})
	a.into(t, 200, nil)
	tn.reaches(ase, r.ID, parquet, broker.Fetched)
	if a := call(t, justiceLocal, request{method: "GET", path: "/v1/messages/" + r.ID, header: head(juge)}); a.status != 404 {
		t.Errorf("a party that did not receive it: %d", a.status)
	}
	for name, h := range map[string]map[string]string{"nobody": {}, "a party of another home": head(ase), "no party": head("Camille")} {
		if a := call(t, justiceLocal, request{method: "GET", path: "/v1/messages", header: h}); a.status != 400 || a.code(t) != httpapi.CodeRequest {
			t.Errorf("for %s: %d", name, a.status)
		}
	}
	if a := call(t, justiceLocal, request{method: "GET", path: "/v1/journal/head"}); a.status != 200 {
		t.Errorf("the journal concerns no party: %d", a.status)
	}
	if a := call(t, tn.servers[justice], request{method: "GET", path: "/v1/messages", header: head(parquet)}); a.status != 401 {
		t.Errorf("the header of a party opens Public: %d", a.status)
	}
}

// A token is made, shown once, used, listed without its secret, and revoked at
// once.
func TestOperatorsTokens(t *testing.T) {
	tn := newTown(t, nil)
	s := tn.local(nord)
	post := func(v any) answer {
		return call(t, s, request{method: "POST", path: "/admin/v1/tokens", body: jsonBody(t, v), header: map[string]string{"Content-Type": "application/json"}})
	}
	var made struct{ Token, Hint, Digest, Application, Expires string }
	post(map[string]any{"application": "iodas-fictif", "party": "ase-59", "rights": []string{"read"}, "expires": time.Now().Add(time.Hour).Format(time.RFC3339)}).into(t, 201, &made)
	if len(made.Token) != 47 || !strings.HasPrefix(made.Token, made.Hint) || len(made.Hint) != 8 || made.Expires == "" {
		t.Fatalf("made %+v", made)
	}
	use := func() int {
		return tn.as(ase, request{method: "GET", path: "/v1/messages", token: made.Token}).status
	}
	if got := use(); got != 200 {
		t.Errorf("a new token: %d", got)
	}
	a := call(t, s, request{method: "GET", path: "/admin/v1/tokens"})
	if a.status != 200 || strings.Contains(string(a.body), made.Token) || !strings.Contains(string(a.body), made.Hint) {
		t.Errorf("the list: %d", a.status)
	}
	for name, v := range map[string]any{
		"party elsewhere": map[string]any{"application": "x", "party": "je-lille", "rights": []string{"read"}},
		"a person":        map[string]any{"application": "Camille EXEMPLE", "party": "ase-59", "rights": []string{"read"}},
		"no right":        map[string]any{"application": "x", "party": "ase-59", "rights": []string{}},
		"every right":     map[string]any{"application": "x", "party": "ase-59", "rights": []string{"*"}},
		"unknown member":  map[string]any{"application": "x", "party": "ase-59", "rights": []string{"read"}, "admin": true},
	} {
		if a := post(v); a.status != 422 || strings.Contains(string(a.body), "Camille") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := call(t, s, request{method: "DELETE", path: "/admin/v1/tokens/vmt_zzzz"}); a.status != 404 || a.code(t) != httpapi.CodeToken {
		t.Errorf("none begins so: %d", a.status)
	}
	for range 2 { // the second finds it done
		if a := call(t, s, request{method: "DELETE", path: "/admin/v1/tokens/" + made.Hint}); a.status != 204 {
			t.Errorf("revoked: %d %s", a.status, a.body)
		}
	}
	if got := use(); got != 401 {
		t.Errorf("a revoked token: %d", got)
	}
	if log := tn.logs.String(); strings.Contains(log, made.Token) || strings.Contains(log, made.Token[4:]) {
		t.Error("the secret is in the log")
	}
}

// quarantined says of every pli that it is withheld.
type quarantined struct{ httpapi.Broker }

func (q quarantined) Status(id string) (broker.Status, error) {
	s, err := q.Broker.Status(id)
	for i := range s.Pairs {
		s.Pairs[i].State.Flags |= broker.FlagQuarantined
	}
	return s, err
}

// onItsWay says of every pli that it has not reached anybody.
type onItsWay struct{ httpapi.Broker }

func (o onItsWay) Status(id string) (broker.Status, error) {
	s, err := o.Broker.Status(id)
	for i := range s.Pairs {
		s.Pairs[i].State = broker.State{Progress: broker.Accepted}
	}
	return s, err
}

// A pli that its recipient's own broker holds, and that has not reached it, is
// nothing to it yet.
func TestNotReceivedYet(t *testing.T) {
	var hide atomic.Bool
	tn := newTown(t, func(o *httpapi.Options) {
		o.Broker = switched{Broker: o.Broker, other: onItsWay{o.Broker}, on: &hide}
	})
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	want := tn.get(parquet, "/v1/messages/"+absentID)
	hide.Store(true)
	for _, path := range []string{"", "/document", "/evidences", "/export"} {
		if a := tn.get(parquet, "/v1/messages/"+r.ID+path); same(a) != same(want) {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

// switched answers by another broker once it is on.
type switched struct {
	httpapi.Broker
	other httpapi.Broker
	on    *atomic.Bool
}

func (s switched) Status(id string) (broker.Status, error) {
	if s.on.Load() {
		return s.other.Status(id)
	}
	return s.Broker.Status(id)
}

// What is withheld is for a person: no application reads it, and what the owner
// of the broker looks at is journaled as that, not as fetched.
func TestWithheld(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) { o.Broker = quarantined{o.Broker} })
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	for _, path := range []string{"/document", "/summary", "/pieces/1"} {
		if a := tn.get(parquet, "/v1/messages/"+r.ID+path); a.status != 409 || a.code(t) != httpapi.CodeWithheld {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	s := tn.local(justice)
	tn.quiet()
	before := tn.kept(justice)
	a := call(t, s, request{method: "GET", path: "/v1/messages/" + r.ID + "/document", header: map[string]string{httpapi.HeaderParty: string(parquet)}})
	if a.status != 200 {
		t.Errorf("a person: %d %s", a.status, a.body)
	}
	if after := tn.kept(justice); after.others != before.others+1 {
		t.Errorf("%d events, want 1", after.others-before.others)
	}
	if m := tn.get(ase, "/v1/messages/"+r.ID); strings.Contains(string(m.body), `"fetched"`) {
		t.Error("it counts as fetched")
	}
}

// Only whoever runs the broker lets through what is withheld, for a person who
// says so; what is not withheld is left alone.
func TestReleaseIsLocal(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	others := tn.othersPli()
	tn.quiet()
	before := tn.kept(justice)
	path := "/admin/v1/messages/" + r.ID + "/release"
	good := map[string]any{"actor": map[string]string{"name": "GABARIT Sacha"}, "reason": "confirmé"}
	ask := func(p broker.PartyID, path string, body any) answer {
		return call(t, tn.local(justice), request{method: "POST", path: path, body: jsonBody(t, body), header: map[string]string{"Content-Type": "application/json", httpapi.HeaderParty: string(p)}})
	}
	public := tn.as(parquet, request{method: "POST", path: path, body: jsonBody(t, good), header: map[string]string{"Content-Type": "application/json"}})
	if public.status != 404 || public.code(t) != httpapi.CodeRoute {
		t.Errorf("an application: %d", public.status)
	}
	if a := ask(parquet, path, good); a.status != 422 || a.code(t) != httpapi.CodeRefused || !strings.Contains(string(a.body), "not withheld") {
		t.Errorf("not withheld: %d %s", a.status, a.body)
	}
	if a := ask(parquet, path, map[string]any{"actor": good["actor"]}); a.status != 422 || a.code(t) != httpapi.CodeInvalid {
		t.Errorf("no reason: %d %s", a.status, a.body)
	}
	absent := ask(parquet, "/admin/v1/messages/"+absentID+"/release", good)
	if other := ask(parquet, "/admin/v1/messages/"+others+"/release", good); other.status != 404 || same(other) != same(absent) {
		t.Errorf("of another party: %d", other.status)
	}
	if after := tn.kept(justice); after != before {
		t.Errorf("kept %+v, then %+v", before, after)
	}
	tn.apis[justice].Drain()
	if a := ask(parquet, path, good); a.status != 503 || a.code(t) != httpapi.CodeDraining {
		t.Errorf("about to stop: %d", a.status)
	}
}

// The routes of the operator that others bring are on Local only.
func TestOperatorHandler(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) {
		o.Operator = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	})
	for name, c := range map[string]struct {
		h    http.Handler
		want int
	}{"local": {tn.apis[nord].Local(), http.StatusTeapot}, "public": {tn.apis[nord].Public(), 404}} {
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, httptest.NewRequest("POST", "/admin/v1/purge", nil))
		if w.Code != c.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}
