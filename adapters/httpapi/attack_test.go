package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// Attacks 50 to 63 by the API of a real broker, 100 with them: each refused by
// its code, with nothing kept but the refusals that the broker judged, nothing
// of what was sent in an answer or a log line, and a lawful submission after it.

// verdict is the line that the table of attacks is made of.
func verdict(t *testing.T, words ...string) {
	t.Helper()
	t.Logf("verdict: %s", strings.Join(words, " "))
}

// jsonAttack is a submission with one lie in its text.
type jsonAttack struct {
	name      string
	from, to  string // in the text of a lawful one
	code      string
	word      string // code of a fault
	journaled bool
}

func jsonAttacks() []jsonAttack {
	deep := strings.Repeat("[", 5_000) + strings.Repeat("]", 5_000)
	huge := strings.Repeat("9", 5_000)
	return []jsonAttack{
		{"50_duplicate_member", `{"kind":`, `{"kind":"Canari-membre","kind":`, httpapi.CodeInvalid, "doublon", false},
		{"50_duplicate_member_escaped", `{"kind":`, `{"\u006bind":"Canari-membre","kind":`, httpapi.CodeInvalid, "doublon", false},
		{"50_duplicate_member_of_the_document", `{"objet":`, `{"objet":"Canari-document","objet":`, httpapi.CodeDocument, "doublon", true},
		{"51_case_variant", `{"kind":`, `{"Kind":"Canari-membre","kind":`, httpapi.CodeInvalid, "casse", false},
		{"51_case_variant_of_the_document", `"texte":`, `"Texte":`, httpapi.CodeDocument, "casse", true},
		{"52_invalid_utf8", `"MODÈLE Alix"`, "\"Canari-acteur\xff\"", httpapi.CodeInvalid, "utf8", false},
		{"52_invalid_utf8_surrogate", `"MODÈLE Alix"`, `"Canari-acteur\ud800"`, httpapi.CodeInvalid, "utf8", false},
		{"52_invalid_utf8_of_the_document", `Correction`, `Canari-document\ud800`, httpapi.CodeDocument, "utf8", true},
		{"53_depth", `{"kind":`, `{"Canari-membre":` + deep + `,"kind":`, httpapi.CodeInvalid, "inconnu", false},
		{"53_depth_of_the_document", `{"objet":`, `{"Canari-membre":` + deep + `,"objet":`, httpapi.CodeDocument, "profondeur", true},
		{"54_huge_number", `["je-lille"]`, `["je-lille",` + huge + `]`, httpapi.CodeInvalid, "type", false},
		{"54_huge_number_of_the_document", `{"objet":`, `{"pieces":[{"titre":"Canari-document","type_mime":"application/pdf","role":"ecrit","communication":"communicable","pages":` + huge + `}],"objet":`, httpapi.CodeDocument, "nombre", true},
		{"54_huge_exponent_of_the_document", `{"objet":`, `{"pieces":[{"titre":"Canari-document","type_mime":"application/pdf","role":"ecrit","communication":"communicable","pages":1e999999999}],"objet":`, httpapi.CodeDocument, "nombre", true},
		{"55_unknown_member", `{"kind":`, `{"Canari-membre":"Canari-membre","kind":`, httpapi.CodeInvalid, "inconnu", false},
		{"55_unknown_member_of_the_document", `{"objet":`, `{"Canari-membre":"Canari-membre","objet":`, httpapi.CodeDocument, "inconnu", true},
		{"56_nul", `Correction`, `Canari-document\u0000`, httpapi.CodeDocument, "nul", true},
		{"56_nul_of_the_actor", `"MODÈLE Alix"`, `"Canari-acteur\u0000"`, httpapi.CodeRefused, "actor", true},
	}
}

func TestJSONAttacks(t *testing.T) {
	tn := newTown(t, nil)
	var document bytes.Buffer
	if err := json.Compact(&document, transmission(t)); err != nil {
		t.Fatal(err)
	}
	lawful := `{"kind":"transmission","to":["je-lille"],"actor":{"name":"MODÈLE Alix","function":"inspectrice"},"document":` + document.String() + `}`
	send := func(t *testing.T, text, key string) answer {
		t.Helper()
		return call(t, tn.servers[nord], request{method: "POST", path: "/v1/messages", token: tn.secrets[ase], body: strings.NewReader(text),
			header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": key}})
	}
	for _, c := range jsonAttacks() {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(lawful, c.from, c.to, 1)
			if text == lawful {
				t.Fatal("the attack is not in the text")
			}
			tn.quiet()
			before := tn.kept(nord)
			a := send(t, text, "k")
			if a.status != http.StatusUnprocessableEntity || a.code(t) != c.code || !strings.Contains(string(a.body), `"`+c.word+`"`) {
				t.Errorf("%s, want %s %s", a.body, c.code, c.word)
			}
			if c.journaled {
				before.others++
			}
			if after := tn.kept(nord); after != before {
				t.Errorf("left %+v, want %+v", after, before)
			}
			tn.silent(t, a)
			if a := send(t, lawful, c.name); a.status != http.StatusCreated {
				t.Errorf("a lawful neighbour: %d %s", a.status, a.body)
			}
			verdict(t, c.code, c.word)
		})
	}
	t.Run("56_bidirectional_text", func(t *testing.T) {
		// Lawful in a document, which is kept as written; what people read shows it.
		// Under the key of all the refused ones, which did not use it up.
		a := send(t, strings.Replace(lawful, "Correction", `Correction \u202eFDP.exe`, 1), "k")
		var r receipt
		a.into(t, http.StatusCreated, &r)
		tn.reaches(ase, r.ID, juge, broker.Consigned)
		s := tn.as(juge, request{method: "GET", path: "/v1/messages/" + r.ID + "/document", header: map[string]string{"Accept": "text/plain"}})
		if s.status != 200 || bytes.Contains(s.body, []byte("\u202e")) || !bytes.Contains(s.body, []byte("<U+202E>")) {
			t.Errorf("the document as text: %d %s", s.status, s.body)
		}
		verdict(t, "shown as <U+202E>")
	})
}

// silent checks that neither an answer nor the log repeats what was sent.
func (tn *town) silent(t *testing.T, a answer) {
	t.Helper()
	if found := holds(string(a.body)); found != "" {
		t.Errorf("the answer repeats %s: %s", found, a.body)
	}
	if found := holds(tn.logs.String()); found != "" {
		t.Errorf("a log line holds %s", found)
	}
}

// Attacks on the rights of others, on keys and on the broker's own reach.
func TestRightsAttacks(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	own := tn.send(ase, "own", e, pdf) // to the parquet alone
	tn.reaches(ase, own.ID, parquet, broker.Consigned)
	tn.quiet()
	for name, attack := range map[string]func(*testing.T){
		"57_message_of_another_post":         func(t *testing.T) { tn.messageOfAnother(t, own.ID) },
		"58_acknowledgement_of_another_post": func(t *testing.T) { tn.acknowledgementOfAnother(t, own.ID) },
		"59_operator_route":                  tn.operatorRoutes,
		"60_enumeration":                     func(t *testing.T) { tn.enumeration(t, own.ID) },
		"61_same_id_other_body":              func(t *testing.T) { tn.sameKeyOtherBody(t, e, pdf) },
		"100_line_injection":                 func(t *testing.T) { tn.lineInjection(t, own.ID) },
	} {
		t.Run(name, func(t *testing.T) {
			tn.quiet()
			attack(t)
			if a := tn.get(parquet, "/v1/messages/"+own.ID); a.status != 200 {
				t.Errorf("a lawful neighbour: %d", a.status)
			}
		})
	}
	t.Run("62_flood_by_one_key", flood)
	t.Run("63_ssrf_webhook", ssrf)
}

// sizes of the two journals.
func (tn *town) sizes() (out [2]uint64) {
	tn.t.Helper()
	for i, b := range []broker.BrokerID{nord, justice} {
		// Of the same state that quiet looks at: Journal.Head follows a commit a
		// little later.
		err := tn.Nodes[b].Journal.View(func(v journal.View) error {
			out[i] = v.Head().Size
			return nil
		})
		if err != nil {
			tn.t.Fatal(err)
		}
	}
	return out
}

// messageOfAnother: the judge asks for what went from the ASE to the parquet.
func (tn *town) messageOfAnother(t *testing.T, id string) {
	before := tn.sizes()
	for _, path := range []string{"", "/summary", "/document", "/pieces/1", "/evidences", "/export"} {
		a := tn.get(juge, "/v1/messages/"+id+path)
		if a.status != http.StatusNotFound || a.code(t) != httpapi.CodeMessage {
			t.Errorf("%q: %d %s", path, a.status, a.body)
		}
		if b := tn.get(juge, "/v1/messages/"+absentID+path); same(a) != same(b) {
			t.Errorf("%q differs from an absent one", path)
		}
	}
	if after := tn.sizes(); after != before {
		t.Errorf("%d events for nothing", after)
	}
	verdict(t, httpapi.CodeMessage)
}

// acknowledgementOfAnother: the judge, then the sender, act in the parquet's place.
func (tn *town) acknowledgementOfAnother(t *testing.T, id string) {
	for _, p := range []broker.PartyID{juge, ase} {
		before := tn.sizes()
		a := tn.as(p, request{method: "POST", path: "/v1/messages/" + id + "/acts", header: map[string]string{"Content-Type": "application/json", httpapi.HeaderParty: string(parquet)},
			body: jsonBody(t, map[string]any{"event": "taken_in_charge", "actor": broker.Actor{Name: "Canari-acteur"}})})
		if a.status < 400 || p == juge && a.code(t) != httpapi.CodeMessage {
			t.Errorf("by %s: %d %s", p, a.status, a.body)
		}
		for i, size := range tn.sizes() {
			if n := size - before[i]; n > 0 && (p == juge || n > 1) { // the sender's is judged, and journaled
				t.Errorf("by %s: %d events", p, n)
			}
		}
		tn.silent(t, a)
	}
	var m message
	tn.get(parquet, "/v1/messages/"+id).into(t, 200, &m)
	if !m.Waiting || m.progress(parquet) == string(broker.TakenInCharge) {
		t.Errorf("it took effect: %+v", m)
	}
	verdict(t, httpapi.CodeMessage)
}

// operatorRoutes are not there for applications, whatever their rights.
func (tn *town) operatorRoutes(t *testing.T) {
	tn.quiet()
	before := tn.sizes()
	n := 0
	for _, method := range []string{"GET", "POST", "DELETE", "PUT"} {
		for _, path := range []string{"/admin/v1/tokens", "/admin/v1/tokens/abcd", "/admin/v1/", "/admin", "/admin/v1/dead", "/admin/v1/stop", "/v1/../admin/v1/tokens", "/v1/%2e%2e/admin/v1/tokens"} {
			r, err := http.NewRequest(method, tn.servers[nord].URL+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+tn.secrets[ase])
			resp, err := tn.servers[nord].Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if n++; resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, resp.StatusCode)
			}
		}
	}
	if after := tn.sizes(); after != before {
		t.Errorf("%d events for nothing", after)
	}
	verdict(t, httpapi.CodeRoute)
}

// enumeration: ids beside one that exists, and ids of others, all answer alike.
func (tn *town) enumeration(t *testing.T, id string) {
	first := ""
	other := tn.othersPli()
	tn.quiet()
	before := tn.sizes()
	for i := range 200 {
		guess := id[:len(id)-3] + string("0123456789abcdef"[i%16]) + string("0123456789abcdef"[i/16%16]) + id[len(id)-1:]
		if i == 0 {
			guess = other
		}
		if guess == id {
			continue
		}
		a := tn.get(parquet, "/v1/messages/"+guess)
		if first == "" {
			first = same(a)
		}
		if a.status != http.StatusNotFound || same(a) != first {
			t.Fatalf("guess %d differs: %s", i, same(a))
		}
	}
	if after := tn.sizes(); after != before {
		t.Errorf("%d events for nothing", after)
	}
	verdict(t, httpapi.CodeMessage)
}

// sameKeyOtherBody: the receipt of another submission is not given, and the
// first stays.
func (tn *town) sameKeyOtherBody(t *testing.T, e envelope, pdf []byte) {
	first := tn.send(ase, "61", e, pdf)
	tn.quiet()
	before := tn.kept(nord)
	e.Actor.Name = "Canari-acteur"
	for _, piece := range [][]byte{pdf, append(bytes.Clone(pdf), "Canari-document"...)} {
		body, ctype := form(t, e, piece)
		a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "61"}})
		if a.status != http.StatusConflict || a.code(t) != httpapi.CodeConflict {
			t.Errorf("%d %s", a.status, a.body)
		}
		tn.silent(t, a)
	}
	after := tn.kept(nord)
	if after.plis != before.plis || after.sent != before.sent || after.bodies != before.bodies {
		t.Errorf("left %+v after %+v", after, before)
	}
	e.Actor.Name = "MODÈLE Alix"
	body, ctype := form(t, e, pdf)
	a := tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "61"}})
	var again receipt
	a.into(t, http.StatusOK, &again)
	if again.ID != first.ID || !bytes.Equal(again.Deposit, first.Deposit) || !again.Repeated {
		t.Error("the first does not stand")
	}
	verdict(t, httpapi.CodeConflict)
}
