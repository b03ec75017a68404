package flip

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

const stored = "broker/journal/boltstore/"

// faultyBuilds are programs that TestFlips must refuse, each by its word.
var faultyBuilds = []struct {
	name  string
	edits []sabotage.Edit
	word  string
}{
	{
		name:  "verify skips objects",
		edits: []sabotage.Edit{{File: stored + "verify_log.go", Old: `o == nil || sha256.Sum256(o) != sum`, New: `o == nil || sha256.Sum256(o) == [32]byte{}`}, {File: stored + "verify_rows.go", Old: "	a.checkObjects()\n	return", New: "	return"}},
		word:  unreported,
	},
	{
		name: "verify skips projections",
		edits: []sabotage.Edit{
			{File: stored + "verify_rows.go", Old: "	if pos != a.rows {\n		return nil", New: "	if pos >= 0 {\n		return nil"},
			{File: stored + "verify.go", Old: `err := (&tx{view: *a.v}).checkSum(); err != nil`, New: `err := error(nil); err != nil`},
		},
		word: unreported,
	},
	{
		name:  "verify skips bodies",
		edits: []sabotage.Edit{{File: stored + "verify_rows.go", Old: `err := a.checkFile(h); err != nil`, New: `err := error(nil); err != nil`}},
		word:  unreported,
	},
	{
		name:  "rows are not looked at before they are served",
		edits: []sabotage.Edit{{File: stored + "rowsum.go", Old: `!ok || got != want`, New: `!ok || got != want && t.s.pending == nil && len(t.s.broker) == 0`}},
		word:  wrong,
	},
	{
		name:  "records are read unchecked",
		edits: []sabotage.Edit{{File: stored + "layout.go", Old: `!bytes.Equal(want, e.leaf)`, New: `!bytes.Equal(want[:4], e.leaf[:4])`}},
		word:  wrong,
	},
	{
		name:  "blobs are read unchecked",
		edits: []sabotage.Edit{{File: stored + "view.go", Old: `uint64(len(b)) != row.size || sha256.Sum256(b) != row.sum`, New: `sha256.Sum256(nil) == row.sum && len(b) > 0`}},
		word:  wrong,
	},
}

// TestSabotage: each faulty build is found, by what it does.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds six programs")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range faultyBuilds {
		t.Run(b.name, func(t *testing.T) {
			env := []string{"VAGUEMESTRE_FLIPS=120", "VAGUEMESTRE_RECORD=", "VAGUEMESTRE_SEED=2"}
			res, err := sabotage.Test(context.Background(), root, b.edits, env, "./broker/internal/flip", "-run", "^TestFlips$")
			switch {
			case errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true":
				t.Skip(err)
			case err != nil:
				t.Fatal(err)
			case !res.Failed:
				t.Errorf("TestFlips found nothing:\n%s", res.Output)
			case !strings.Contains(res.Output, b.word+": "):
				t.Errorf("TestFlips found something else than %s:\n%s", b.word, res.Output)
			}
		})
	}
}
