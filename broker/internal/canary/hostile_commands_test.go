package canary

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// run calls a command, and keeps what it says.
func (s *stage) run(args ...string) error {
	to := s.file(s.in("commands.txt"))
	fmt.Fprintf(to, "== %s\n", args[0])
	c := s.house.Command(s.Context(), args...)
	c.Stdout, c.Stderr = to, to
	return c.Run()
}

// commands calls the commands of a clerk with marks, in order and out of it.
func (s *stage) commands() {
	d := s.fill(s.T, "by command", s.plis[0].kind, readFile(s.T, examples(s.T, "good")[0]))
	dir := filepath.Join(s.root, "clerk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.Fatal(err)
	}
	write := func(where string, text []byte) string {
		path := filepath.Join(dir, s.h("name of "+where))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			s.Fatal(err)
		}
		return path
	}
	send := s.sending(d, write("a document", d.bytes), write)
	var r struct{ ID, Thread string }
	out, err := s.house.Call(s.Context(), append(slices.Clone(send), "--json")...)
	if err == nil {
		err = json.Unmarshal(out, &r)
	}
	if err != nil {
		s.Fatalf("send: %v", err)
	}
	s.keep("hostile: thread of a command", r.Thread)
	from, to, cc := d.way()
	s.arrived(&sent{d, r.ID, from, slices.Concat(to, cc)}, to[0])
	s.readAll(&sent{d, r.ID, from, slices.Concat(to, cc)})
	w := func(where string) string { return s.h("command, " + where) }
	with := func(flag, value string) []string { return append(slices.Clone(send), flag, value) }
	id, as := s.plis[1].id, string(s.plis[1].to[0])
	ack := []string{"ack", id, "--as", as, "--actor", w("actor"), "--reason", w("reason"), "--data", s.house.Data}
	for _, args := range [][]string{
		with("--kind", w("kind")), with("--to", w("to")), with("--cc", w("cc")), with("--urgency", w("urgency")), with("--thread", w("thread")), with("--reply-to", w("reply-to")),
		with("--attach", filepath.Join(dir, w("file that is not there"))), with("--actor", strings.Repeat(w("long actor"), 60)),
		append(slices.Clone(send[:len(send)-1]), filepath.Join(dir, w("document that is not there"))),
		append(slices.Clone(send[:len(send)-1]), write("no JSON", []byte(`{"`+w("no JSON")))),
		append(slices.Clone(send[:len(send)-1]), write("a bad document", []byte(`{"`+w("member")+`":"`+w("value")+`"}`))),
		append(slices.Clone(ack), "--event", w("event")), append(slices.Clone(ack), "--event", "registered", "--number", w("number"), "--date", w("date")),
		append(slices.Clone(ack), "--event", "returned", "--reason-code", w("reason code")),
		{"ack", w("id"), "--as", as, "--event", "opened", "--actor", w("actor"), "--data", s.house.Data},
		{"read", w("id"), "--as", as, "--data", s.house.Data}, {"status", w("id"), "--data", s.house.Data}, {"purge", w("id"), "--data", s.house.Data},
		{"quarantine", "release", id, "--reason", w("reason"), "--as", as, "--data", s.house.Data},
		{"token", "create", "--party", "ase-59", "--application", w("application"), "--right", "read", "--data", s.house.Data},
		{"token", "create", "--party", "ase-59", "--application", "a", "--right", w("right"), "--data", s.house.Data},
		{"token", "revoke", w("hint"), "--data", s.house.Data}, {"dead", "requeue", w("number"), "--data", s.house.Data},
		{"export", w("id"), "--data", s.house.Data, "--out", filepath.Join(dir, "e")},
	} {
		if s.run(args...) == nil {
			s.Errorf("%s: not refused", args[0])
		}
	}
	for _, args := range [][]string{{"inbox", "--as", as, "--data", s.house.Data}, {"inbox", "--as", as, "--data", s.house.Data, "--json"}, {"status", id, "--data", s.house.Data}, {"token", "list", "--data", s.house.Data}, {"dead", "list", "--data", s.house.Data}} {
		if err := s.run(args...); err != nil {
			s.Errorf("%s: %v", args[0], err)
		}
	}
}

// sending is the call that sends a document.
func (s *stage) sending(d planted, path string, write func(string, []byte) string) []string {
	from, to, cc := d.way()
	args := []string{"send", "--as", string(from), "--kind", string(d.kind), "--actor", s.word(d.name + ": actor's name"), "--function", s.word(d.name + ": actor's function"), "--data", s.house.Data}
	for _, p := range to {
		args = append(args, "--to", string(p))
	}
	for _, p := range cc {
		args = append(args, "--cc", string(p))
	}
	for i := range d.doc.Pieces() {
		args = append(args, "--attach", write("a piece", s.piece(fmt.Sprintf("hostile: piece %d of a command", i), false).Bytes()))
	}
	return append(args, path)
}

// keptKey sends to a broker that hears and never answers: the key stays on the
// disk, and is searched there.
func (s *stage) keptKey() {
	l, err := net.Listen("unix", filepath.Join(s.house.Data, "admin.sock"))
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			c.Close()
		}
	}()
	d := s.fill(s.T, "hostile: without an answer", s.plis[0].kind, readFile(s.T, examples(s.T, "good")[0]))
	path := filepath.Join(s.root, "clerk", "document.json")
	if err := os.WriteFile(path, d.bytes, 0o600); err != nil {
		s.Fatal(err)
	}
	args := s.sending(d, path, func(where string, text []byte) string {
		p := filepath.Join(s.root, "clerk", s.h("name of "+where))
		if err := os.WriteFile(p, text, 0o600); err != nil {
			s.Fatal(err)
		}
		return p
	})
	if s.run(args...) == nil {
		s.Error("a receipt without a broker")
	}
	l.Close()
	if kept, err := filepath.Glob(filepath.Join(s.house.Data, "sending", strings.Repeat("?", 64))); err != nil || len(kept) != 1 {
		s.Errorf("%d keys kept, want 1: %v", len(kept), err)
	}
}

// configurations checks and serves files with marks in every faulty place.
func (s *stage) configurations() {
	b, err := os.ReadFile(s.house.Config())
	if err != nil {
		s.Fatal(err)
	}
	text := string(b)
	w := func(where string) string { return s.h("configuration, " + where) }
	dir := filepath.Join(s.root, "clerk", "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		s.Fatal(err)
	}
	file := filepath.Join(dir, "vaguemestre.toml")
	for _, bad := range []string{
		text + w("a line"), text + "\nunknown = \"" + w("value") + "\"\n",
		strings.Replace(text, `role = "ase"`, `role = "`+w("role")+`"`, 1), strings.Replace(text, `departement = "59"`, `departement = "`+w("departement")+`"`, 1),
		strings.Replace(text, `id = "ase-59"`, `id = "`+w("id")+`"`, 1), strings.Replace(text, `home = "courrier-lille"`, `home = "`+w("home")+`"`, 1),
		strings.Replace(text, "burst = 100000", `burst = "`+w("burst")+`"`, 1), strings.Replace(text, `format = "auto"`, `format = "`+w("format")+`"`, 1),
		strings.Replace(text, `fingerprint = "`, `fingerprint = "`+w("fingerprint"), 1), strings.Replace(text, `file = "keys`, `file = "`+w("file")+`/keys`, 1),
		strings.Replace(text, "[api]\nlisten = ", "[api]\nlisten = \""+w("listen")+"\" #", 1), strings.Replace(text, `hosting = "shared"`, `hosting = "`+w("hosting")+`"`, 1),
		"\xff" + w("not UTF-8"), text + "\nx = \"" + w("open text"), text + "\nx = 2026-99-99" + w("a date"),
	} {
		if bad == text {
			s.Error("a configuration is as it was")
		}
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			s.Fatal(err)
		}
		for _, args := range [][]string{{"config", "check", "--config", file}, {"serve", "--config", file}, {"keys", "list", "--data", dir}} {
			if s.run(args...) == nil {
				s.Errorf("%s: a faulty configuration is taken", args[0])
			}
		}
	}
}
