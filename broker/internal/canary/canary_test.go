package canary

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"
)

// TestCanary plays the exchange in a child process and searches what is left.
func TestCanary(t *testing.T) {
	root := t.TempDir()
	tmp := filepath.Join(root, searched, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPlay$", "-test.v", "-test.timeout=3m")
	cmd.Env = append(os.Environ(), childRoot+"="+root, "TMPDIR="+tmp, "GOTRACEBACK=all")
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	err := cmd.Run()
	if err := os.WriteFile(filepath.Join(root, searched, "go-test.txt"), printed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	// It says how many marks it planted once all went well, then panics.
	if out := printed.String(); err == nil || !strings.Contains(out, " marks\n") || !strings.Contains(out, "panic: ") {
		t.Fatalf("the play did not go to its end: %v\n%s", err, printed.String())
	}
	h := newHunter(readMarks(t, root))
	files, hits := h.folder(t, filepath.Join(root, searched))
	t.Logf("%d marks, %d forms, %d files, %d bytes read (decoded ones included)", len(h.marks), h.count(), files, h.searched)
	report(t, hits)
	wantPlaces(t, root)
	shown(t, h, root)
}

func (h *hunter) count() (n int) {
	for _, p := range h.patterns {
		n += len(p)
	}
	return n
}

func readMarks(t *testing.T, root string) []mark {
	t.Helper()
	var marks []mark
	if err := json.Unmarshal(readFile(t, filepath.Join(root, "marks.json")), &marks); err != nil || len(marks) < 500 {
		t.Fatalf("%d marks: %v", len(marks), err)
	}
	return marks
}

// folder searches every file below a folder, and every name.
func (h *hunter) folder(t *testing.T, root string) (files int, hits []hit) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		hits = append(hits, h.search("the name "+name, []byte(name))...)
		if d.IsDir() {
			return nil
		}
		files++
		hits = append(hits, h.search(name, readFile(t, path))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files, hits
}

// report names the first hits of each sort of mark in each place; a mark says
// nothing of anybody.
func report(t *testing.T, hits []hit) {
	t.Helper()
	for _, h := range firsts(hits) {
		t.Error(h)
	}
	if len(hits) > 0 {
		t.Errorf("%d hits in all", len(hits))
	}
}

// firsts are the first three hits of each sort of mark in each place.
func firsts(hits []hit) (out []hit) {
	seen := map[string]int{}
	for _, h := range hits {
		file, _, _ := strings.Cut(h.path, " (")
		sort := file + "\x00" + h.mark[strings.LastIndexAny(h.mark, ".:,")+1:]
		if seen[sort]++; seen[sort] <= 3 {
			out = append(out, h)
		}
	}
	return out
}

// wantPlaces wants every place to be there, so that an empty one does not look
// clean.
func wantPlaces(t *testing.T, root string) {
	t.Helper()
	for pattern, least := range map[string]int{
		"data/*/journal.db": 20000, "data/*/bodies/*/*": 90000, "data/*/vaguemestre.toml": 100, "data/*/keys/*/*": 100, "backup-*": 20000,
		"log/broker.json": 1000, "log/broker.txt": 1000, "log/queue.json": 500, "log/queue.txt": 500,
		"errors.txt": 5000, "views.json": 10000, "goroutines.txt": 200, "go-test.txt": 300, "export/*/evidence/*": 200, "export/*/body.pgp": 2000,
	} {
		files, err := filepath.Glob(filepath.Join(root, searched, pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("nothing to search in %s: %v", pattern, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Size() < int64(least) {
				t.Errorf("hardly anything to search in %s: %v", pattern, err)
			}
		}
	}
}

// shown searches the exports with --open, where the reader must find what was
// said: every mark of a document, a person and an act.
func shown(t *testing.T, h *hunter, root string) {
	t.Helper()
	_, hits := h.folder(t, filepath.Join(root, authorised))
	found := map[string]bool{}
	for _, x := range hits {
		found[x.mark] = true
	}
	var missing []string
	for _, m := range h.marks {
		if !found[m.Where] && visible(m.Where) {
			missing = append(missing, m.Where)
		}
	}
	sort.Strings(missing)
	t.Logf("%d marks shown to their reader", len(found))
	for i, m := range missing {
		if i == 20 {
			t.Errorf("and %d more", len(missing)-i)
			break
		}
		t.Errorf("not shown to its reader: %s", m)
	}
}

// visible says whether a mark is for the reader: not what is refused, nor what
// only the caller and the broker know.
func visible(where string) bool {
	for _, hidden := range []string{"bad ", "name of a member", "refused", "panic", "error of", "hint of", "hostile"} {
		if strings.HasPrefix(where, hidden) {
			return false
		}
	}
	return !strings.HasSuffix(where, "idempotency key") && !strings.HasSuffix(where, "a second time") && !strings.HasSuffix(where, "without dashes")
}
