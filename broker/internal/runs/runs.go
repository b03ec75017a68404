// Package runs writes what a long run of a harness leaves for whoever asks what
// was run: docs/runs/<name>-<date>.json. It is for tests.
//
// A record is one JSON object. It begins with Head; its other members are the
// counts of the harness, as numbers, which the table of the README lists.
package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Head is what every record begins with. A record embeds it.
type Head struct {
	Command string  `json:"command"`
	Date    string  `json:"date"`    // RFC 3339, UTC
	Commit  string  `json:"commit"`  // "" where there is no git
	Sources string  `json:"sources"` // SHA-256 over every .go file but tests: what ran, committed or not
	Go      string  `json:"go"`
	Seed    uint64  `json:"seed"`
	Seconds float64 `json:"seconds"`
}

// NewHead describes a run of the module at root that ends now.
func NewHead(root, command string, seed uint64, took time.Duration) (Head, error) {
	h := Head{
		Command: command, Date: time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(),
		Seed: seed, Seconds: took.Round(time.Millisecond).Seconds(),
	}
	git := exec.Command("git", "rev-parse", "HEAD")
	git.Dir = root
	if b, err := git.Output(); err == nil {
		h.Commit = strings.TrimSpace(string(b))
	}
	var err error
	h.Sources, err = sourcesDigest(root)
	return h, err
}

// sourcesDigest is over the names and bytes of the sources, in order of name.
func sourcesDigest(root string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		fmt.Fprintf(sum, "%s %d\n", filepath.ToSlash(name), len(b))
		sum.Write(b)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("runs: digest of the sources: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Wanted says whether a run leaves a record: VAGUEMESTRE_RECORD is set.
func Wanted() bool { return os.Getenv("VAGUEMESTRE_RECORD") != "" }

// Write writes a record of that name, dated date (RFC 3339), and returns its
// path in the module.
func Write(root, name, date string, record any) (string, error) {
	b, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return "", fmt.Errorf("runs: %w", err)
	}
	path := filepath.Join("docs", "runs", name+"-"+date[:len(time.DateOnly)]+".json")
	if err := os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755); err != nil {
		return "", fmt.Errorf("runs: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, path), append(b, '\n'), 0o644); err != nil {
		return "", fmt.Errorf("runs: %w", err)
	}
	return path, nil
}

// Keep writes a record of that name, dated date (RFC 3339), where one is wanted,
// in the module that root finds.
func Keep(t testing.TB, root func() (string, error), name, date string, record any) {
	t.Helper()
	if !Wanted() {
		return
	}
	dir, err := root()
	if err != nil {
		t.Fatal(err)
	}
	path, err := Write(dir, name, date, record)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("record: %s", filepath.ToSlash(path))
}

// Number reads a figure of the environment.
func Number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	s := os.Getenv(name)
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		t.Fatalf("%s is not a figure", name)
	}
	return n
}
