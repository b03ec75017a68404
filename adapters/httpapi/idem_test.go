package httpapi_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// The same key and the same submission give the same receipt, and one pli; the
// same key for anything else is a conflict that leaves nothing.
func TestSameKey(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	again := func(e envelope, pieces ...[]byte) answer {
		body, ctype := form(t, e, pieces...)
		return tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "k"}})
	}
	first := tn.send(ase, "k", e, pdf)
	for range 2 {
		var r receipt
		again(e, pdf).into(t, http.StatusOK, &r)
		if !r.Repeated {
			t.Error("not said to be repeated")
		}
		if r.Repeated = first.Repeated; !reflect.DeepEqual(r, first) {
			t.Errorf("another receipt:\n%+v\n%+v", r, first)
		}
	}
	before := tn.kept(nord)
	other := e
	other.Urgency = "U1"
	actor := e
	actor.Actor.Name = "SPÉCIMEN Dominique"
	for name, a := range map[string]answer{
		"urgency": again(other, pdf), "actor": again(actor, pdf), "piece": again(e, []byte("%PDF-1.4 une autre note fictive\n")),
	} {
		if a.status != http.StatusConflict || a.code(t) != httpapi.CodeConflict {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if after := tn.kept(nord); after.plis != before.plis || after.sent != 1 || after.bodies != before.bodies {
		t.Errorf("left %+v, want %+v", after, before)
	}
	if a := again(e); a.status != 422 || a.code(t) != httpapi.CodePieces {
		t.Errorf("the same key without its piece: %d", a.status)
	}
}

// The same act said again, after a lost answer, gets the evidence of then; the
// same event in other words does not replace it.
func TestSameAct(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	done := time.Now().Add(-time.Hour).Format(time.RFC3339)
	said := map[string]any{"event": "registered", "number": "26-FICTIF-1", "done_at": done, "actor": map[string]string{"name": "GABARIT Sacha", "function": "greffière"}}
	say := func(change map[string]any) answer {
		m := map[string]any{}
		for k, v := range said {
			m[k] = v
		}
		for k, v := range change {
			m[k] = v
		}
		return tn.as(parquet, request{method: "POST", path: "/v1/messages/" + r.ID + "/acts", body: jsonBody(t, m), header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "a"}})
	}
	type acted struct {
		Event, Digest, Signature string
		Evidence                 []byte
		Repeated                 bool
	}
	var first, second acted
	say(nil).into(t, http.StatusCreated, &first)
	say(nil).into(t, http.StatusOK, &second)
	if !second.Repeated || first.Repeated {
		t.Error("repeated is not told")
	}
	if second.Repeated = false; !reflect.DeepEqual(first, second) {
		t.Errorf("another evidence: %+v, %+v", first, second)
	}
	for name, change := range map[string]map[string]any{
		"number": {"number": "26-FICTIF-2"}, "actor": {"actor": map[string]string{"name": "MODÈLE Alix"}}, "place": {"place": "Ville-Exemple"},
	} {
		if a := say(change); a.status != http.StatusConflict || a.code(t) != httpapi.CodeAlready {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	for name, change := range map[string]map[string]any{
		"no number": {"number": "  "}, "future": {"done_at": time.Now().Add(time.Hour).Format(time.RFC3339)}, "reason code": {"reason_code": "autre"},
	} {
		if a := say(change); a.status != 422 || a.code(t) != httpapi.CodeRefused {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for name, change := range map[string]map[string]any{"date": {"done_at": "hier"}, "unknown": {"enfant": "x"}, "null": {"place": nil}} {
		if a := say(change); a.status != 422 || a.code(t) != httpapi.CodeInvalid {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if a := tn.as(ase, request{method: "POST", path: "/v1/messages/" + r.ID + "/acts", body: jsonBody(t, said), header: map[string]string{"Content-Type": "application/json"}}); a.status != 404 {
		t.Errorf("the sender says an act of its own pli: %d", a.status)
	}
}

// Content that was erased is gone, and said so; states and evidences stay.
func TestErased(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	tn.act(parquet, r.ID, map[string]any{"event": "taken_in_charge"})
	tn.reaches(ase, r.ID, parquet, broker.TakenInCharge)
	for _, b := range []*broker.Broker{tn.at(ase), tn.at(parquet)} {
		eventually(t, "a purge", func() bool { return b.Purge(t.Context(), r.ID) == nil })
	}
	for _, p := range []broker.PartyID{ase, parquet} {
		for _, path := range []string{"/document", "/summary", "/pieces/1"} {
			if a := tn.get(p, "/v1/messages/"+r.ID+path); a.status != http.StatusGone || a.code(t) != httpapi.CodeErased {
				t.Errorf("%s for %s: %d %s", path, p, a.status, a.body)
			}
		}
		for _, path := range []string{"", "/evidences", "/export"} {
			if a := tn.get(p, "/v1/messages/"+r.ID+path); a.status != 200 {
				t.Errorf("%s for %s: %d %s", path, p, a.status, a.body)
			}
		}
	}
	if a := tn.get(parquet, "/v1/messages?thread="+r.Thread); a.status != 200 || strings.Contains(string(a.body), r.ID) {
		t.Errorf("an erased pli has no thread any more: %d", a.status)
	}
	if a := tn.as(parquet, request{method: "POST", path: "/v1/messages/" + r.ID + "/acts", header: map[string]string{"Content-Type": "application/json"},
		body: jsonBody(t, map[string]any{"event": "taken_in_charge", "actor": broker.Actor{Name: "GABARIT Sacha", Function: "greffière"}})}); a.status != http.StatusConflict {
		t.Errorf("an act that cannot be compared any more: %d", a.status)
	}
}
