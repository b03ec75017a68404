package serving

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// sent is the answer that sends a folder of two files.
func sent(t *testing.T, problem *Problem) *httptest.ResponseRecorder {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a.txt": "un", "b/c.txt": "deux"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	w := httptest.NewRecorder()
	s := newSender(w)
	if err := s.tree(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if err := s.end(map[string]int{"files": 2}, problem); err != nil {
		t.Fatal(err)
	}
	return w
}

func left(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFolder(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	var result struct{ Files int }
	if err := ReceiveFolder(sent(t, nil).Result(), out, &result); err != nil || result.Files != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	if b, err := os.ReadFile(filepath.Join(out, "b", "c.txt")); err != nil || string(b) != "deux" {
		t.Errorf("%q, %v", b, err)
	}
	if info, err := os.Stat(filepath.Join(out, "a.txt")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := ReceiveFolder(sent(t, nil).Result(), out, &result); !errors.Is(err, ErrExists) {
		t.Errorf("over another: %v", err)
	}
}

// Whatever the broker says at the end, or does not say, half a folder is none.
func TestFolderCut(t *testing.T) {
	whole := sent(t, nil)
	for n := range whole.Body.Len() - len("--\r\n") {
		r := whole.Result()
		r.Body = io.NopCloser(bytes.NewReader(whole.Body.Bytes()[:n]))
		dir := t.TempDir()
		var result struct{ Files int }
		err := ReceiveFolder(r, filepath.Join(dir, "out"), &result)
		if names := left(t, dir); (err == nil) != (len(names) == 2) || err == nil && result.Files != 2 {
			t.Fatalf("cut at %d: %v, %d files left", n, err, len(names))
		}
	}
	dir := t.TempDir()
	err := ReceiveFolder(sent(t, &Problem{Detail: "the disk is full", Advice: "free some", Exit: 4}).Result(), filepath.Join(dir, "out"), nil)
	var p *Problem
	if !errors.As(err, &p) || p.Exit != 4 || p.Hint() != "free some" || len(left(t, dir)) != 0 {
		t.Errorf("%v, %v", err, left(t, dir))
	}
}

// A problem before the first file is an answer of its own.
func TestFolderRefused(t *testing.T) {
	w := httptest.NewRecorder()
	if err := newSender(w).end(nil, &Problem{Status: http.StatusUnprocessableEntity, Detail: "no such pli", Exit: 1}); err != nil {
		t.Fatal(err)
	}
	var p *Problem
	if err := ProblemOf(w.Result()); w.Code != http.StatusUnprocessableEntity || !errors.As(err, &p) || p.Detail != "no such pli" {
		t.Errorf("%d, %v", w.Code, err)
	}
}

// Names that climb out of the folder write nothing.
func TestFolderOutside(t *testing.T) {
	for _, name := range []string{"../x", "/x", "a/../../x", "."} {
		w := httptest.NewRecorder()
		s := newSender(w)
		err := s.put(name, func(w io.Writer) error { _, err := w.Write([]byte("x")); return err })
		if err := errors.Join(err, s.end(map[string]int{}, nil)); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		var result any
		if err := ReceiveFolder(w.Result(), filepath.Join(dir, "out"), &result); err == nil || len(left(t, dir)) != 0 {
			t.Errorf("%s: %v, %v", name, err, left(t, dir))
		}
	}
}

func FuzzReceiveFolder(f *testing.F) {
	f.Add("x", "--x\r\nVaguemestre-File: a\r\n\r\n1\r\n--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x--\r\n")
	f.Add("x", "--x\r\nVaguemestre-File: ../a\r\n\r\n1\r\n--x--")
	f.Add("x", "--x\r\n\r\n")
	f.Fuzz(func(t *testing.T, boundary, body string) {
		dir := t.TempDir()
		r := &http.Response{Header: http.Header{"Content-Type": {fmt.Sprintf("multipart/mixed; boundary=%q", boundary)}}, Body: io.NopCloser(bytes.NewReader([]byte(body)))}
		var result any
		out := filepath.Join(dir, "out")
		if err := ReceiveFolder(r, out, &result); err != nil && len(left(t, dir)) != 0 {
			t.Errorf("left after %v", err)
		}
		for _, path := range left(t, dir) {
			if rel, err := filepath.Rel(out, path); err != nil || !filepath.IsLocal(rel) {
				t.Errorf("outside the folder")
			}
		}
	})
}

func FuzzProblem(f *testing.F) {
	f.Add("application/problem+json", `{"detail":"x","exit":3}`)
	f.Add("text/html", `<`)
	f.Fuzz(func(t *testing.T, kind, body string) {
		err := ProblemOf(&http.Response{StatusCode: 500, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader([]byte(body)))})
		if err == nil || err.Error() == "" {
			t.Error("an error that says nothing")
		}
	})
}
