package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/clock"
	"vaguemestre/cmd/vaguemestre/serving"
)

// People write dates in many ways, each of which has one meaning.
func TestDoneAt(t *testing.T) {
	for s, want := range map[string]string{
		"":                          "",
		"20/11/2026":                "2026-11-19T23:00:00.000Z",
		"5/1/2026":                  "2026-01-04T23:00:00.000Z",
		"2026-11-20":                "2026-11-19T23:00:00.000Z",
		"20/11/2026 14 h 30":        "2026-11-20T13:30:00.000Z",
		"20/11/2026 à 14 h":         "2026-11-20T13:00:00.000Z",
		"20/11/2026  14h05":         "2026-11-20T13:05:00.000Z",
		"20/07/2026 8 h 05":         "2026-07-20T06:05:00.000Z",
		"2026-11-20 14:30":          "2026-11-20T13:30:00.000Z",
		"2026-11-20T14:30":          "2026-11-20T13:30:00.000Z",
		"2026-11-20T14:30:00+01:00": "2026-11-20T13:30:00.000Z",
		"2026-11-20T14:30:00Z":      "2026-11-20T14:30:00.000Z",
	} {
		if got, err := doneAt(s, clock.ZoneOf("", "59")); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", s, got, err, want)
		}
	}
	// The hour that the clocks skip in March is on no clock; 11/20 is no date.
	for _, s := range []string{"29/03/2026 02:30", "30/02/2026", "11/20/2026", "20/11/26", "20/11/2026 25:00", "hier", "20/11", "2026-11-20 14", " "} {
		var usage *usageError
		if got, err := doneAt(s, clock.ZoneOf("", "59")); !errors.As(err, &usage) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	if got, _ := doneAt("20/11/2026", clock.ZoneOf("", "974")); got != "2026-11-19T20:00:00.000Z" {
		t.Errorf("at La Réunion: %s", got)
	}
}

// Whatever is read as a date is written again as the same local day.
func FuzzDoneAt(f *testing.F) {
	for _, s := range []string{"20/11/2026", "5/1/2026 à 8 h 30", "2026-11-20 14:30", "2026-11-20T14:30:00+01:00", "29/03/2026 02:30", "20/11/2026 14h"} {
		f.Add(s)
	}
	paris := clock.ZoneOf("", "59")
	f.Fuzz(func(t *testing.T, s string) {
		at, ok := parseLocal(s, paris.Location())
		if !ok || at.Location() != paris.Location() {
			return
		}
		if again, ok := parseLocal(at.Format("02/01/2006 15:04"), paris.Location()); at.Year() >= 1900 && at.Year() < 10000 && (!ok || !again.Equal(at)) {
			t.Errorf("%q is not read again as itself", s)
		}
	})
}

// A day on which a token ends counts whole; an instant is that instant.
func TestExpiry(t *testing.T) {
	for s, want := range map[string]string{
		"":                     "",
		"31/12/2027":           "2027-12-31T23:00:00.000Z",
		"2027-12-31":           "2027-12-31T23:00:00.000Z",
		"31/12/2027 18 h":      "2027-12-31T17:00:00.000Z",
		"2027-12-31T18:00:00Z": "2027-12-31T18:00:00.000Z",
	} {
		if got, err := expiry(s, clock.ZoneOf("", "59")); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", s, got, err, want)
		}
	}
}

// Two commands that begin the same submission together have one key; another
// submission has another; a forgotten one is drawn afresh.
func TestKeepKey(t *testing.T) {
	dir := t.TempDir()
	fields := [][]byte{[]byte("ase-59"), []byte("{}")}
	values := make([]string, 8)
	var wg sync.WaitGroup
	for i := range values {
		wg.Go(func() {
			k, err := keepKey(dir, fields)
			if err != nil {
				t.Error(err)
				return
			}
			values[i] = k.value
		})
	}
	wg.Wait()
	for _, v := range values {
		if v != values[0] || len(v) != 64 {
			t.Fatal("one submission has two keys")
		}
	}
	// Moving a byte from one field to the next makes another submission.
	other, err := keepKey(dir, [][]byte{[]byte("ase-59{"), []byte("}")})
	if err != nil || other.value == values[0] {
		t.Errorf("another submission has the same key, %v", err)
	}
	k, err := keepKey(dir, fields)
	if err != nil || k.forget() != nil {
		t.Fatal(err)
	}
	if k, err = keepKey(dir, fields); err != nil || k.value == values[0] {
		t.Errorf("a forgotten key came back, %v", err)
	}
	if info, err := os.Stat(k.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("rights of the key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, sendFolder, ".new-*")); len(left) > 0 {
		t.Errorf("%d temporary files", len(left))
	}
	// Half a key must not become another one.
	if err := os.WriteFile(k.path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keepKey(dir, fields); err == nil {
		t.Error("a damaged key was taken")
	}
}

// A key is kept exactly as long as the submission may have been accepted.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		err  error
		kept bool
	}{
		{&serving.Problem{Status: 422, Code: httpapi.CodeDocument}, false},
		{&serving.Problem{Status: 413, Code: httpapi.CodeTooLarge}, false},
		{&serving.Problem{Status: 409, Code: httpapi.CodeConflict}, true},
		{&serving.Problem{Status: 408, Code: httpapi.CodeUploadStalled}, true},
		{&serving.Problem{Status: 429, Code: httpapi.CodeRate}, true},
		{&serving.Problem{Status: 503, Code: httpapi.CodeTemporary}, true},
		{&serving.Problem{Status: 500, Code: httpapi.CodeInternal}, true},
		{&passingError{text: "lost"}, true},
		{context.Canceled, true},
	} {
		k, err := keepKey(t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.settle(c.err); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(k.path); (err == nil) != c.kept {
			t.Errorf("%v: kept %v", c.err, !c.kept)
		}
	}
}

// A file that changes between its digest and its sending is not sent: repeated,
// it would not be known again.
func TestChangedPiece(t *testing.T) {
	dir := t.TempDir()
	doc, piece := filepath.Join(dir, "doc.json"), filepath.Join(dir, "EXEMPLE-Camille.pdf")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(doc, "{}")
	for _, after := range []string{"same", "SAME", "s"} {
		write(piece, "same")
		s, err := newOutgoing(sendFlags{attach: []string{piece}}, doc)
		if err != nil {
			t.Fatal(err)
		}
		write(piece, after)
		r, size, _ := s.body(io.Discard)
		b, err := io.ReadAll(r)
		s.close()
		if after == "same" && (err != nil || int64(len(b)) != size || s.changed() != nil) {
			t.Errorf("a file that stays: %d of %d bytes, %v", len(b), size, err)
		}
		if after != "same" && (err == nil || s.changed() == nil || strings.Contains(s.changed().Error(), "EXEMPLE")) {
			t.Errorf("a file that changes: %v", err)
		}
	}
	// Nothing of a path is in an error either.
	for _, f := range []sendFlags{{attach: []string{piece + ".absent"}}, {attach: []string{dir}}} {
		if _, err := newOutgoing(f, doc); err == nil || strings.Contains(err.Error(), "EXEMPLE") {
			t.Errorf("an absent piece: %v", err)
		}
	}
	write(doc, `{}, "kind": "opp"`)
	if _, err := newOutgoing(sendFlags{}, doc); err == nil {
		t.Error("what is not one object was put into the call")
	}
}

// A part that was cut leaves no file, and one that stands is not replaced.
func TestWritePart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "piece-01.pdf")
	answer := func(text string) io.Reader { return strings.NewReader(text) }
	if _, err := writePart(path, io.MultiReader(answer("four"), iotest.ErrReader(io.ErrUnexpectedEOF)), ""); !errors.Is(err, broker.ErrTemporary) {
		t.Errorf("a cut part: %v", err)
	}
	if _, err := writePart(path, answer("other"), strings.Repeat("0", 64)); !errors.Is(err, broker.ErrTemporary) {
		t.Errorf("another part: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("half a part was left")
	}
	if _, err := writePart(path, answer("whole"), ""); err != nil {
		t.Error(err)
	}
	if _, err := writePart(path, answer("again"), ""); err == nil {
		t.Error("a part was replaced")
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "whole" {
		t.Errorf("the part that stood: %v", err)
	}
}

// The watcher is silent about what was there, and tells each change once.
func TestNoticeChange(t *testing.T) {
	var out bytes.Buffer
	term := &terminal{out: &out}
	m := &mailbox{zone: clock.ZoneOf("", "59")}
	w := &watcher{known: map[string]string{}, first: true}
	l := listed{ID: "a", SentAt: broker.FormatTime(time.Unix(0, 0)), States: []statedState{{Recipient: "x", Label: "Déposé"}}}
	step := func(l listed, want string) {
		t.Helper()
		out.Reset()
		if err := term.noticeChange(m, w, l); err != nil || !strings.HasPrefix(out.String(), want) || want == "" && out.Len() > 0 {
			t.Errorf("%q, %v, want %q", out.String(), err, want)
		}
	}
	step(l, "")
	w.first = false
	step(l, "")
	l.ID = "b"
	step(l, "nouveau")
	step(l, "")
	l.States = []statedState{{Recipient: "x", Label: "Ouvert", Flags: []string{"overdue"}}}
	step(l, "changé")
	step(l, "")
}

// A key that was there before this call may be that of an accepted submission
// whose receipt was lost: no answer to this call ends it, else the same
// submission is deposited twice.
func TestSettleAnOldKey(t *testing.T) {
	for _, err := range []error{errChanged, &serving.Problem{Status: 400, Code: httpapi.CodeUploadCut}, &serving.Problem{Status: 413, Code: httpapi.CodeTooLarge}} {
		dir := t.TempDir()
		first, kerr := keepKey(dir, nil)
		if kerr != nil {
			t.Fatal(kerr)
		}
		again, kerr := keepKey(dir, nil)
		if kerr != nil {
			t.Fatal(kerr)
		}
		if serr := again.settle(err); serr != nil {
			t.Fatal(serr)
		}
		if last, kerr := keepKey(dir, nil); kerr != nil || last.value != first.value {
			t.Errorf("%v: the key of the first call was forgotten, %v", err, kerr)
		}
	}
}

// Somebody who finds a token where it should not be has the whole of it, not
// its first characters.
func TestRevokeByTheTokenItself(t *testing.T) {
	secret, digest, hint, err := httpapi.NewToken(strings.NewReader(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"items":[{"hint":"vmt_autre","digest":"`+strings.Repeat("0", 64)+`"},{"hint":"`+hint+`","digest":"`+digest+`"}]}`)
	})
	b := &client{http: &http.Client{Transport: serving.InProcess(h)}}
	for _, named := range []string{secret, hint, digest, digest[:10]} {
		k, err := tokenBeginning(context.Background(), b, named)
		if err != nil || k.Digest != digest {
			t.Errorf("by %d characters: %v", len(named), err)
		}
	}
	if _, err := tokenBeginning(context.Background(), b, secret[:20]+"A"+secret[21:]); err == nil {
		t.Error("another token was found")
	}
}

// An --out without a name must not print the document of a child instead.
func TestReadOutNeedsAName(t *testing.T) {
	var out, talk bytes.Buffer
	code := run(context.Background(), []string{"read", "01981c0e-0000-7000-8000-000000000000", "--as", "je-lille", "--data", t.TempDir(), "--out", ""}, strings.NewReader(""), &out, &talk)
	if code != exitUsage || !strings.Contains(talk.String(), "--out") {
		t.Errorf("exit %d, %s", code, talk.String())
	}
}
