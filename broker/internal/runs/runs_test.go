package runs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	root := t.TempDir()
	source := filepath.Join(root, "a.go")
	if err := os.WriteFile(source, []byte("package a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := NewHead(root, "go test", 7, 1500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	path, err := Write(root, "kill-serve", "2026-11-22T08:24:08Z", struct {
		Head
		Kills int `json:"kills"`
	}{h, 3})
	if err != nil || filepath.ToSlash(path) != "docs/runs/kill-serve-2026-11-22.json" {
		t.Fatalf("path %q, %v", path, err)
	}
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil || got["kills"] != 3.0 || got["seed"] != 7.0 || got["seconds"] != 1.5 || got["command"] != "go test" {
		t.Errorf("record %s, %v", b, err)
	}
	// The digest is of what runs: a source counts, a test and a record do not.
	if err := os.WriteFile(filepath.Join(root, "a_test.go"), []byte("package a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := NewHead(root, "", 0, 0)
	if err != nil || again.Sources != h.Sources {
		t.Errorf("a test changes the digest of the sources: %v", err)
	}
	if err := os.WriteFile(source, []byte("package b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := NewHead(root, "", 0, 0)
	if err != nil || other.Sources == h.Sources {
		t.Errorf("a source does not change the digest of the sources: %v", err)
	}
}
