package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the README's tables from docs/runs")

// The tables of the README say what the records of docs/runs say: run this
// test with -update after a new record.
func TestReadmeTables(t *testing.T) {
	path := filepath.Join("..", "..", "README.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := string(b)
	want := section(t, got, "bench", benchTable(t))
	want = section(t, want, "runs", runsTable(t))
	if got == want {
		return
	}
	if !*update {
		t.Fatal("the README's tables differ from docs/runs: go test ./cmd/vaguemestre -run Readme -update")
	}
	if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func section(t *testing.T, text, name, table string) string {
	t.Helper()
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	i, j := strings.Index(text, begin), strings.Index(text, end)
	if i < 0 || j < i {
		t.Fatalf("README: no section %s", name)
	}
	return text[:i+len(begin)] + table + text[j:]
}

// record is one file of docs/runs: what was run, on which commit, and what it
// counted.
type record struct {
	Harness string // from the name of the file, without its date
	Command string
	Commit  string
	Counts  map[string]float64 // every member that is a number
}

func records(t *testing.T, pattern string) []record {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "runs", pattern))
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(files)
	var out []record
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]any
		if err := json.Unmarshal(b, &members); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		harness := strings.TrimSuffix(name[:max(0, len(name)-len(time.DateOnly))], "-")
		r := record{Harness: harness, Counts: map[string]float64{}}
		r.Command, _ = members["command"].(string)
		r.Commit, _ = members["commit"].(string)
		r.Commit = r.Commit[:min(7, len(r.Commit))]
		for name, v := range members {
			if n, ok := v.(float64); ok {
				r.Counts[name] = n
			}
		}
		out = append(out, r)
	}
	return out
}

func benchTable(t *testing.T) string {
	var s strings.Builder
	for _, r := range records(t, "bench-*.json") {
		fmt.Fprintf(&s, "`%s`, at %s:\n\n| | per second | of the bound | p50 | p99 |\n|---|---|---|---|---|\n", r.Command, r.Commit)
		fmt.Fprintf(&s, "| cryptography alone (the bound) | %.0f | 1.00 | | |\n", r.Counts["bound_per_s"])
		for _, n := range []string{"1", "16", "64", "256"} {
			p := "submitters_" + n + "_"
			fmt.Fprintf(&s, "| complete exchanges, %s submitters | %.0f | %.2f | %.1f ms | %.1f ms |\n", n,
				r.Counts[p+"per_s"], r.Counts[p+"ratio"], r.Counts[p+"p50_ms"], r.Counts[p+"p99_ms"])
		}
		fmt.Fprintf(&s, "| one commit per operation, 64 submitters | %.0f | %.2f | | |\n", r.Counts["naive_per_s"], r.Counts["naive_per_s"]/r.Counts["bound_per_s"])
		fmt.Fprintf(&s, "| storage alone, grouped / one by one | %.0f / %.0f | ×%.1f | | |\n\n", r.Counts["storage_per_s"], r.Counts["storage_naive_per_s"], r.Counts["storage_per_s"]/r.Counts["storage_naive_per_s"])
	}
	return s.String()
}

func runsTable(t *testing.T) string {
	var s strings.Builder
	s.WriteString("| Harness | Command | Commit | Counts |\n|---|---|---|---|\n")
	for _, r := range records(t, "*.json") {
		if r.Harness == "bench" {
			continue
		}
		var keys []string
		for k := range r.Counts {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		var counts []string
		for _, k := range keys {
			counts = append(counts, fmt.Sprintf("%s %.0f", strings.ReplaceAll(k, "_", " "), r.Counts[k]))
		}
		fmt.Fprintf(&s, "| %s | `%s` | %s | %s |\n", r.Harness, r.Command, r.Commit, strings.Join(counts, ", "))
	}
	s.WriteString("\n")
	return s.String()
}
