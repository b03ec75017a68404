package sim

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

// faultyBuilds are programs that the simulation must refuse, each by its word.
var faultyBuilds = []struct {
	name  string
	edits []sabotage.Edit
	word  string
}{
	{
		"duplicates are not looked for", []sabotage.Edit{{
			File: "broker/step.go",
			Old:  `if _, known := s.Get(spaceIdem, in.idemKey); known {`,
			New:  `if _, known := s.Get(spaceIdem, in.idemKey); known && false {`,
		}}, wordTwice,
	},
	{
		"a reception is taken twice", []sabotage.Edit{{
			File: "broker/step.go",
			Old:  `if st.Delivered() || st.Acted || settledReception(st, in.outcome.Evidence) {`,
			New:  `if false {`,
		}, {
			File: "broker/receive.go",
			Old:  `known = ok && st.Readable()`,
			New:  `known = ok && st.Readable() && false`,
		}}, wordTwice,
	},
	{
		"a reception is answered whether it is committed or not", []sabotage.Edit{{
			File: "broker/receive.go",
			Old:  "case err != nil && !errors.Is(err, errKnown):\n\t\treturn temporary(\"journal\", err)\n\tcase keyless:",
			New:  "case err != nil && !errors.Is(err, errKnown):\n\t\treturn nil\n\tcase keyless:",
		}}, wordLost,
	},
	{
		"a submission is answered whether it is committed or not", []sabotage.Edit{{
			File: "broker/accept.go",
			Old:  "if err != nil {\n\t\treturn Receipt{}, temporary(\"journal\", err)\n\t}\n\treturn Receipt{\n\t\tID: in.pli.Header.ID,",
			New:  "return Receipt{\n\t\tID: in.pli.Header.ID,",
		}}, wordLost,
	},
	{
		"progress goes back", []sabotage.Edit{{
			File: "broker/state.go",
			Old:  `row.Rank > current.Rank {`,
			New:  `row.Rank > 0 || current.Rank < 0 {`,
		}}, wordBack,
	},
	{
		"signatures of evidences are not looked at", []sabotage.Edit{{
			File: "broker/evidencein.go",
			Old:  "fpr, at, err := b.keys.Verify(e.By, se.Bytes, se.Sig)\n\tif err != nil {",
			New:  "fpr, at, err := b.keys.Verify(e.By, se.Bytes, se.Sig)\n\tif at = e.SignedAt(); false {",
		}}, wordForged,
	},
	{
		"nobody counts the silence", []sabotage.Edit{{
			File: "broker/step.go",
			Old:  `for _, p := range h.To {` + "\n\t\tlast.Timers",
			New:  `for _, p := range h.To[:0] {` + "\n\t\tlast.Timers",
		}}, wordSilent,
	},
	{
		"a relay answers before it holds the pli", []sabotage.Edit{{
			File: "broker/relay.go",
			Old:  "case err != nil:\n\t\treturn temporary(\"journal\", err)\n\t}\n\treturn nil\n}\n\n// passInput",
			New:  "case err != nil:\n\t\treturn nil\n\t}\n\treturn nil\n}\n\n// passInput",
		}}, wordLost,
	},
	{
		"a relay keeps no order", []sabotage.Edit{{
			File: "broker/relay.go",
			Old:  `lane: b.lane(string(h.From), h.Urgency)}`,
			New:  `lane: ""}`,
		}}, wordOrder,
	},
	{
		"a relay keeps what it carried", []sabotage.Edit{{
			File: "broker/relay.go",
			Old:  `ev.Erase = append(ev.Erase, body)`,
			New:  `_ = body`,
		}}, wordLeft,
	},
	{
		"a relay forgets who else waits for a body", []sabotage.Edit{{
			File: "broker/relay.go",
			Old:  "\t\tothers = k != key\n",
			New:  "\t\t_ = k\n",
		}}, wordLost,
	},
	{
		"a sealed evidence is dropped by the relay", []sabotage.Edit{{
			File: "broker/relayevidence.go",
			Old:  "ev.Enqueue = []journal.Item{it}",
			New:  "_ = it",
		}}, wordDiffers,
	},
}

// TestSabotage: each faulty build is found within the seeds of CI, by what it
// does.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds many programs")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range faultyBuilds {
		t.Run(b.name, func(t *testing.T) {
			env := []string{"VAGUEMESTRE_SEEDS=500", "VAGUEMESTRE_SEED=1", "VAGUEMESTRE_STOP=1", "VAGUEMESTRE_RECORD="}
			res, err := sabotage.Test(context.Background(), root, b.edits, env, "./broker/internal/sim", "-run", "^TestSimulation$")
			switch {
			case errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true":
				t.Skip(err)
			case err != nil:
				t.Fatal(err)
			case !res.Failed:
				t.Errorf("nothing was found:\n%s", res.Output)
			case !strings.Contains(res.Output, b.word+": "):
				t.Errorf("something else than %s was found:\n%s", b.word, res.Output)
			}
		})
	}
}
