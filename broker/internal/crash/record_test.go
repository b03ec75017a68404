package crash

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
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
)

// record is what a run leaves for whoever asks what was run.
type record struct {
	Command  string  `json:"command"`
	Date     string  `json:"date"`
	Commit   string  `json:"commit"`  // "" where there is no git
	Sources  string  `json:"sources"` // SHA-256 over every .go file but tests: what ran, committed or not
	Go       string  `json:"go"`
	Seed     uint64  `json:"seed"`
	Kills    int     `json:"kills"`
	Seconds  float64 `json:"seconds"`
	Requests int64   `json:"requests"`
	Lost     int64   `json:"answers_lost"`     // then repeated
	Repeated int64   `json:"answers_repeated"` // from what was stored
	Doubled  int64   `json:"sent_twice_at_once"`
	figures
	Faults int `json:"faults"`
}

func (c *client) record(t *testing.T, kills int, f figures, took time.Duration) record {
	t.Helper()
	r := record{
		Command: fmt.Sprintf("VAGUEMESTRE_KILLS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/crash -run TestKill -v", kills, c.seed),
		Date:    time.Now().UTC().Format(time.RFC3339), Go: runtime.Version(), Seed: c.seed, Kills: kills, Seconds: took.Round(time.Millisecond).Seconds(),
		Requests: c.sent.Load(), Lost: c.lostAnswers.Load(), Repeated: c.repeated.Load(), Doubled: c.doubled.Load(),
		figures: f, Faults: len(c.book.faults),
	}
	if b, err := exec.Command("git", "rev-parse", "HEAD").Output(); err == nil {
		r.Commit = strings.TrimSpace(string(b))
	}
	root, err := sabotage.Root()
	if err == nil {
		r.Sources, err = sourcesDigest(root)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
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
	return hex.EncodeToString(sum.Sum(nil)), err
}

// String is the line that every run prints.
func (r record) String() string {
	return fmt.Sprintf("%d kills, %d submissions, %d receipts (%d repeated from the journal), %d answers lost, %d sent twice at once, %d plis, %d consigned, %d acts, %d leaves, %d faults, %.1f s",
		r.Kills, r.Submissions, r.Accepted, r.Repeated, r.Lost, r.Doubled, r.Plis, r.Consigned, r.Acts, r.Leaves, r.Faults, r.Seconds)
}

// write leaves the record when VAGUEMESTRE_RECORD is set.
func (r record) write(t *testing.T) {
	t.Helper()
	if os.Getenv("VAGUEMESTRE_RECORD") == "" {
		return
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "docs", "runs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "kill-"+r.Date[:10]+".json")
	if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("record: docs/runs/%s", filepath.Base(name))
}
