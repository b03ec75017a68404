package canary

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"vaguemestre/broker"
)

// exchange deposits every good example, reads it and acts on it. What its
// reader is given is not searched, and must hold every mark.
func (s *stage) exchange() {
	for i, d := range goodDocuments(s.T, s.nursery) {
		var r struct{ ID, Thread string }
		s.must(s.given, s.submission(d), &r)
		s.keep(d.name+": thread", r.Thread)
		from, to, cc := d.way()
		pli := &sent{planted: d, id: r.ID, from: from, to: slices.Concat(to, cc)}
		s.plis = append(s.plis, pli)
		for _, p := range pli.to {
			s.arrived(pli, p)
		}
		s.readAll(pli)
		s.acts(i, pli)
	}
	for _, p := range []broker.PartyID{ase, parquet, juge} {
		for _, path := range []string{"/v1/messages", "/v1/messages?box=sent", "/v1/messages?waiting=true", "/v1/journal/head", "/v1/journal/entries?limit=500", "/v1/journal/proofs?leaf=3", "/v1/kinds", "/openapi.json"} {
			s.must(s.told, s.call(p, "GET", path, nil), nil)
		}
	}
	for i, pli := range s.plis {
		s.must(s.told, s.call(pli.from, "GET", "/v1/messages/"+pli.id, nil), nil)
		s.must(s.given, s.call(pli.from, "GET", "/v1/messages/"+pli.id+"/evidences", nil), nil)
		if i%5 == 0 {
			s.must(s.told, s.call(pli.from, "GET", "/v1/messages/"+pli.id+"/export", nil), nil)
		}
		q := s.call(pli.from, "GET", "/v1/messages?box=sent&thread="+s.threadOf(pli), nil)
		s.must(s.told, q, nil)
	}
}

// threadOf is the thread that the receipt said.
func (s *stage) threadOf(pli *sent) string {
	i := slices.IndexFunc(s.marks, func(m mark) bool { return m.Where == pli.name+": thread" })
	return s.marks[i].Texts[0]
}

// arrived waits until a recipient has a pli.
func (s *stage) arrived(pli *sent, p broker.PartyID) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if status, _ := s.send(s.told, s.call(p, "GET", "/v1/messages/"+pli.id, nil)); status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s never arrives", pli.name)
		}
	}
}

// readAll lets the first recipient read everything.
func (s *stage) readAll(pli *sent) {
	get := func(rest, accept string) {
		r := s.call(pli.to[0], "GET", "/v1/messages/"+pli.id+rest, nil)
		if accept != "" {
			r.Header.Set("Accept", accept)
		}
		s.must(s.given, r, nil)
	}
	get("/summary", "")
	get("/document", "")
	get("/document", "text/plain")
	for i := range pli.doc.Pieces() {
		get(fmt.Sprintf("/pieces/%d", i+1), "")
	}
}

// acts says what the first recipient may say, each twice in the same words and
// once in others.
func (s *stage) acts(i int, pli *sent) {
	list := []map[string]any{{"event": "opened"}, {"event": "taken_in_charge"}}
	if i%3 == 0 {
		list = append(list, map[string]any{"event": "registered", "done_at": "2026-01-05T09:30:00Z"},
			map[string]any{"event": "returned", "reason_code": "double_emploi"})
	}
	for _, a := range list {
		where := fmt.Sprintf("%s: %s: ", pli.name, a["event"])
		a["number"], a["reason"], a["place"] = s.word(where+"number"), s.word(where+"reason"), s.word(where+"place")
		a["actor"] = map[string]string{"name": s.word(where + "actor's name"), "function": s.word(where + "actor's function")}
		say := func() *http.Request {
			body, err := json.Marshal(a)
			if err != nil {
				s.Fatal(err)
			}
			r := s.call(pli.to[0], "POST", "/v1/messages/"+pli.id+"/acts", body)
			r.Header.Set("Idempotency-Key", s.ascii("hostile: key of an act"))
			return r
		}
		s.must(s.told, say(), nil)
		s.must(s.told, say(), nil)
		a["reason"] = s.word(where + "reason of a second time")
		if status, _ := s.send(s.told, say()); status != http.StatusConflict {
			s.Errorf("%sin other words: %d", where, status)
		}
	}
}
