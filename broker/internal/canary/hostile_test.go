package canary

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker"
)

// refused sends a request that must be refused.
func (s *stage) refused(what string, r *http.Request) {
	s.Helper()
	if status, body := s.send(s.told, r); status/100 == 2 {
		s.Errorf("%s is not refused: %d %s", what, status, codeOf(body))
	}
}

// h plants a word in a hostile place.
func (s *stage) h(where string) string { return s.word("hostile: " + where) }

// refusedSubmissions sends every bad example full of marks, and good ones in
// forms that are none.
func (s *stage) refusedSubmissions() {
	for _, path := range examples(s.T, "bad") {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		for i, text := range s.badDocument(name, readFile(s.T, path)) {
			d := planted{name: fmt.Sprintf("bad %s, %d", name, i), kind: kindOf(s.T, name), bytes: text}
			from, to, cc := d.way()
			frame, err := json.Marshal(map[string]any{"kind": d.kind, "to": to, "cc": append([]broker.PartyID{}, cc...), "actor": map[string]string{"name": s.h(d.name)}})
			if err != nil {
				s.Fatal(err)
			}
			r := s.call(from, "POST", "/v1/messages", slices.Concat(frame[:len(frame)-1], []byte(`,"document":`), text, []byte("}")))
			r.Header.Set("Idempotency-Key", s.ascii("hostile: key of a bad document"))
			s.refused(d.name, r)
		}
	}
	good := s.plis[0].planted
	for what, change := range map[string]func(map[string]any){
		"kind":           func(m map[string]any) { m["kind"] = s.h("kind") },
		"recipient":      func(m map[string]any) { m["to"] = []string{s.h("recipient")} },
		"copy":           func(m map[string]any) { m["cc"] = []string{strings.ToLower(unaccented(s.h("copy")))} },
		"urgency":        func(m map[string]any) { m["urgency"] = s.h("urgency") },
		"thread":         func(m map[string]any) { m["thread"] = s.h("thread") },
		"answered pli":   func(m map[string]any) { m["in_reply_to"] = s.h("answered pli") },
		"long name":      func(m map[string]any) { m["actor"] = map[string]string{"name": strings.Repeat(s.h("long name"), 60)} },
		"unknown member": func(m map[string]any) { m[s.h("name of a member")] = s.h("value of a member") },
		"actor, a text":  func(m map[string]any) { m["actor"] = s.h("actor, a text") },
		"document, a text": func(m map[string]any) {
			m["document"] = s.h("document, a text")
		},
		"member of the actor": func(m map[string]any) { m["actor"] = map[string]string{s.h("member of the actor"): "x"} },
	} {
		m := s.message(good)
		change(m)
		body, err := json.Marshal(m)
		if err != nil {
			s.Fatal(err)
		}
		r := s.call(good.from(), "POST", "/v1/messages", body)
		r.Header.Set("Idempotency-Key", s.ascii("hostile: key, "+what))
		s.refused(what, r)
	}
	s.malformed(good)
	s.forms(good)
}

func (d planted) from() broker.PartyID {
	from, _, _ := d.way()
	return from
}

// malformed sends what is no JSON, or not one value.
func (s *stage) malformed(good planted) {
	m, err := json.Marshal(s.message(good))
	if err != nil {
		s.Fatal(err)
	}
	w := func() string { return s.h("malformed JSON") }
	for _, text := range []string{
		w(), `{"kind":"` + w(), `{"kind":"` + w() + "\xff\"}", `["` + w() + `"]`, string(m) + `{"a":"` + w() + `"}`,
		`{"kind":"signalement","kind":"` + w() + `"}`, `{"` + w() + `":` + strings.Repeat("[", 20000), `{"kind":"\u` + w() + `"}`, "\x00" + w(), `{'` + w() + `':1}`,
		`{"kind":"signalement","document":{"` + w() + `":"` + w() + `"},"to":["parquet-lille"],"actor":{"name":"` + w() + `"}}`,
	} {
		for _, path := range []string{"/v1/messages", "/v1/messages/" + s.plis[0].id + "/acts"} {
			r := s.call(s.plis[0].to[0], "POST", path, []byte(text))
			r.Header.Set("Idempotency-Key", s.ascii("hostile: key of what is no JSON"))
			s.refused("no JSON", r)
		}
	}
}

// forms sends multipart bodies that are wrong.
func (s *stage) forms(good planted) {
	message, err := json.Marshal(s.message(good))
	if err != nil {
		s.Fatal(err)
	}
	part := func(head, text string) string { return "--limite\r\n" + head + "\r\n\r\n" + text + "\r\n" }
	first := part(`Content-Disposition: form-data; name="message"`, string(message))
	end := "--limite--\r\n"
	w := func() string { return s.h("form") }
	for _, body := range []string{
		part(`Content-Disposition: form-data; name="`+w()+`"`, w()) + end, first + part(`Content-Disposition: form-data; name="`+w()+`"`, w()) + end,
		first + part("Content-Disposition: form-data; name=\"piece\"\r\nContent-Transfer-Encoding: "+w(), w()) + end,
		first + end, first + strings.Repeat(part(`Content-Disposition: form-data; name="piece"; filename="`+w()+`"`, w()), 40) + end,
		first + "--limite\r\n" + w() + "\r\n", first + "--limite\r\n" + w() + ": " + w() + "\r\n\r\n" + w(), w(), first + w(),
		part("Content-Disposition: "+w(), w()) + end, part("Content-Type: "+w()+"\r\nContent-Disposition: form-data; name=\"message\"", w()) + end,
		first + part(`Content-Disposition: form-data; name="piece"`, w()) + end + strings.Repeat(w(), 2000),
	} {
		r := s.call(good.from(), "POST", "/v1/messages", []byte(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=limite")
		r.Header.Set("Idempotency-Key", s.ascii("hostile: key of a form"))
		s.refused("a form", r)
	}
	r := s.call(good.from(), "POST", "/v1/messages", message)
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+s.ascii("hostile: boundary"))
	r.Header.Set("Idempotency-Key", s.ascii("hostile: key of a form"))
	s.refused("another boundary", r)
}

// refusedCalls puts marks in headers, paths and queries.
func (s *stage) refusedCalls() {
	pli := s.plis[0]
	body, err := json.Marshal(s.message(pli.planted))
	if err != nil {
		s.Fatal(err)
	}
	for name, value := range map[string]string{
		"Idempotency-Key": s.h("Idempotency-Key"), "Content-Type": s.ascii("hostile: Content-Type") + "/x", "Content-Encoding": s.ascii("hostile: Content-Encoding"),
		"Authorization": "Bearer vmt_" + s.ascii("hostile: token"), "Expect": s.ascii("hostile: Expect"),
	} {
		r := s.call(pli.from, "POST", "/v1/messages", body)
		r.Header.Set("Idempotency-Key", s.ascii("hostile: key"))
		r.Header.Set(name, value)
		s.refused(name, r)
	}
	for _, value := range []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(s.h("user")+":"+s.h("password"))), s.ascii("hostile: Authorization"), "Bearer " + s.h("token")} {
		r := s.call(pli.from, "GET", "/v1/messages", nil)
		r.Header.Set("Authorization", value)
		s.refused("Authorization", r)
	}
	r := s.call(pli.to[0], "GET", "/v1/messages/"+pli.id+"/document", nil)
	r.Header.Set("Accept", s.ascii("hostile: Accept")+"/x")
	s.refused("Accept", r)
	r = s.call(pli.to[0], "POST", "/v1/messages/"+pli.id+"/acts", fmt.Appendf(nil, `{"event":%q,"actor":{"name":%q},"done_at":%q,"reason_code":%q}`, s.h("event"), s.h("actor"), s.h("date"), s.h("code")))
	s.refused("an act", r)
	for _, q := range []string{"thread", "cursor", "since", "limit", "box", "urgency", "waiting", s.ascii("hostile: name of a parameter")} {
		s.refused("query "+q[:min(len(q), 7)], s.call(pli.from, "GET", "/v1/messages?"+q+"="+url.QueryEscape(s.h("parameter")), nil))
	}
	s.must(s.told, s.call(pli.from, "GET", "/v1/messages?from="+url.QueryEscape(s.h("parameter from")), nil), nil)
	for _, path := range []string{
		"/%s", "/v1/%s", "/v1/messages/%s", "/v1/messages/%s/document", "/v1/messages/" + pli.id + "/pieces/%s", "/v1/messages/" + pli.id + "/%s", "/v1/kinds/%s/schema",
		"//%s", "/v1/../%s", "/v1/messages/%s/", "/v1/journal/entries?from=%s", "/v1/journal/proofs?leaf=%s", "/v1/journal/consistency?from=%s", "/v1/journal/head?%s=1", "/v1/messages?%%zz=%s", "/admin/v1/tokens/%s",
	} {
		s.refused("path "+path, s.call(pli.from, "GET", fmt.Sprintf(path, url.PathEscape(s.h("path"))), nil))
	}
	s.refused("method", s.call(pli.from, s.ascii("hostile: method"), "/v1/messages", nil))
	s.refused("a body with GET", s.call(pli.from, "GET", "/v1/messages", []byte(s.h("body of a GET"))))
}

// rawCalls writes what is no HTTP, or hardly.
func (s *stage) rawCalls() {
	w := func() string { return s.ascii("hostile: no HTTP") }
	head := "Host: x\r\nAuthorization: Bearer " + s.tokens[ase] + "\r\n"
	for _, text := range []string{
		"GET /" + w() + " HTTP/9.9\r\n\r\n", w() + "\r\n\r\n", "GET / HTTP/1.1\r\n" + w() + "\r\n\r\n", "GET / HTTP/1.1\r\nHost: " + w() + " " + w() + "\r\n\r\n",
		"GET /v1/messages HTTP/1.1\r\nHost: " + w() + ".example\r\nAuthorization: Bearer x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nHost: " + w() + "\r\n\r\n",
		"POST /v1/messages HTTP/1.1\r\n" + head + "Transfer-Encoding: " + w() + "\r\n\r\n", "POST /v1/messages HTTP/1.1\r\n" + head + "Content-Length: " + w() + "\r\n\r\n",
		"POST /v1/messages HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\nContent-Type: application/json\r\nIdempotency-Key: " + w() + "\r\n\r\n" + w(),
		"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat(w(), 2000) + "\r\n\r\n", "GET /" + strings.Repeat(w(), 2000) + " HTTP/1.1\r\n\r\n",
		"POST /v1/messages HTTP/1.1\r\n" + head + "Content-Type: application/json\r\nIdempotency-Key: " + w() + "\r\nContent-Length: 5000\r\n\r\n{\"kind\":\"" + w(),
		"POST /v1/messages HTTP/1.1\r\n" + head + "Content-Type: multipart/form-data; boundary=l\r\nIdempotency-Key: " + w() + "\r\nContent-Length: 5000\r\n\r\n--l\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\n{\"kind\":\"" + w(),
		"GET /%" + w() + " HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://" + w() + "/" + w() + " HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT " + w() + ":1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + w(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + w(), "GET / HTTP/1.1\r\nHost: x\r\nX\x00Y: " + w() + "\r\n\r\n",
	} {
		for _, address := range []string{s.process.API(), s.process.Admin()} {
			s.raw(address, text)
		}
	}
}

// raw writes a text on a connection, shuts its own side, and keeps what comes.
func (s *stage) raw(address, text string) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		s.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = io.WriteString(c, text) // the broker may have hung up before the end
	_ = c.(*net.TCPConn).CloseWrite()
	s.answers++
	_, _ = io.Copy(s.told, c) // a reset is no answer
}

// panics makes a handler of each listener panic with what was sent.
func (s *stage) panics() {
	r := s.call(ase, "GET", "/v1/messages", nil)
	r.Header.Set("X-Panic", s.ascii("hostile: panic in the API"))
	if status, _ := s.send(s.told, r); status != http.StatusInternalServerError {
		s.Errorf("a panic in the API is answered %d", status)
	}
	r = s.call(ase, "GET", "/healthz", nil)
	r.URL.Host, r.Host = s.process.Admin(), s.process.Admin()
	r.Header.Set("X-Panic", s.ascii("hostile: panic beside the API"))
	if status, _ := s.send(s.told, r); status/100 == 2 {
		s.Errorf("a panic beside the API is answered %d", status)
	}
}

// health asks what the admin listener has, in lawful and in hostile ways.
func (s *stage) health() {
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/metrics?" + s.ascii("hostile: query of metrics"), "/" + s.ascii("hostile: path beside the API"), "/metrics/" + s.ascii("hostile: path beside the API"), "//" + s.ascii("hostile: path beside the API")} {
		for _, host := range []string{s.process.Admin(), s.ascii("hostile: Host") + ".example"} {
			r := s.call(ase, "GET", path, nil)
			r.URL.Host, r.Host = s.process.Admin(), host
			s.send(s.told, r)
		}
	}
	r := s.call(ase, "GET", "/metrics", nil)
	r.URL.Host, r.Host = s.process.Admin(), s.process.Admin()
	if body := s.must(s.told, r, nil); !bytes.Contains(body, []byte("vaguemestre_events_total")) {
		s.Error("no metrics")
	}
}

// operator calls the routes of the socket with marks.
func (s *stage) operator() {
	w := func(where string) string { return s.h("socket, " + where) }
	q := func(text string) string { return fmt.Sprintf("%q", text) }
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/admin/v1/tokens", `{"application":` + q(w("application")) + `,"party":"ase-59","rights":["read"]}`},
		{"POST", "/admin/v1/tokens", `{"application":"a","party":` + q(w("party")) + `,"rights":["read"]}`},
		{"POST", "/admin/v1/tokens", `{"application":"a","party":"ase-59","rights":[` + q(w("right")) + `]}`},
		{"POST", "/admin/v1/tokens", `{"application":"a","party":"ase-59","rights":["read"],"expires":` + q(w("expires")) + `}`},
		{"POST", "/admin/v1/tokens", `{` + q(w("member")) + `:1}`},
		{"DELETE", "/admin/v1/tokens/" + url.PathEscape(w("hint")), ""},
		{"POST", "/admin/v1/letters/" + url.PathEscape(w("letter")) + "/requeue", ""},
		{"POST", "/admin/v1/messages/" + url.PathEscape(w("pli")) + "/purge", ""},
		{"POST", "/admin/v1/messages/" + url.PathEscape(w("pli")) + "/export", `{"as":` + q(w("as")) + `}`},
		{"POST", "/admin/v1/messages/" + s.plis[0].id + "/export", `{"as":` + q(w("as")) + `}`},
		{"POST", "/admin/v1/messages/" + s.plis[0].id + "/export", `{` + q(w("member")) + `:1}`},
		{"POST", "/admin/v1/keys/" + url.PathEscape(w("owner")) + "/exported", ""},
		{"POST", "/admin/v1/journal/proof", `{"leaves":[` + q(w("leaf")) + `]}`},
		{"POST", "/admin/v1/journal/verify", `{` + q(w("member")) + `:1}`},
		{"GET", "/admin/v1/journal/leaves?from=" + url.QueryEscape(w("from")), ""},
		{"GET", "/admin/v1/" + url.PathEscape(w("path")), ""},
		{"GET", "//" + url.PathEscape(w("path")), ""},
		{"GET", "/v1/messages", ""},
	} {
		r := s.call(ase, c.method, c.path, []byte(c.body))
		s.answers++
		conn, err := net.Dial("unix", filepath.Join(s.house.Data, "admin.sock"))
		if err != nil {
			s.Fatal(err)
		}
		r.Close = true
		if err := r.Write(conn); err == nil {
			_, _ = io.Copy(s.told, conn) // it ends when the broker hangs up
		}
		conn.Close()
	}
}
