package crash

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
)

// window is the time that a kill has between an answer and its commit.
const window = 20 * time.Millisecond

// faultyBuilds are programs that these tests must refuse, each by its word.
var faultyBuilds = []faultyBuild{
	{
		name:  "the answer leaves before the commit",
		edits: sabotage.AnswerBeforeCommit(window),
		run:   "TestKill", word: lost,
	},
	{
		name: "duplicates are looked for outside the write transaction",
		edits: []sabotage.Edit{{
			File: "broker/step.go",
			Old:  `if _, known := s.Get(spaceIdem, in.idemKey); known {`,
			New:  `if _, known := s.Get(spaceIdem, in.idemKey); known && false {`,
		}},
		run: "TestKill", word: twice,
	},
	{
		name:  "duplicates are looked for in what is not committed",
		edits: sabotage.DuplicatesUncommitted(window),
		run:   "TestKill", word: lost,
	},
	{
		name: "a reception is acknowledged before its commit",
		edits: []sabotage.Edit{{
			File: "broker/receive.go",
			Old:  "err = b.commit(ctx, in)\n\tswitch {\n\tcase errors.Is(err, errReplay):",
			New:  "go func() { " + sabotage.Slowly(window) + "; _ = b.commit(context.WithoutCancel(ctx), in) }()\n\tswitch {\n\tcase errors.Is(err, errReplay):",
		}},
		run: "TestKill", word: lost,
	},
	{
		name: "an act is recorded as often as it is said",
		edits: []sabotage.Edit{{
			File: "broker/step.go",
			Old:  `if held, ok := s.Get(spaceUnique, uniqueKey(e)); ok {`,
			New:  `if held, ok := s.Get(spaceUnique, uniqueKey(e)); ok && false {`,
		}},
		run: "TestSeededCrashes", word: twice,
	},
	{
		name:  "what a crash left is not swept",
		edits: sabotage.NothingSwept(),
		run:   "TestEveryCommit", word: left,
	},
}

// TestSabotage: each faulty build is found, by what it does.
func TestSabotage(t *testing.T) {
	mustFind(t, faultyBuilds, "VAGUEMESTRE_KILLS=20", "VAGUEMESTRE_PATIENCE=3", "VAGUEMESTRE_SEEDS=60")
}

// faultyBuild is a program that a test must refuse, by its word.
type faultyBuild struct {
	name  string
	edits []sabotage.Edit
	run   string // the test that must find it
	word  string
}

// mustFind builds each program and wants its test to refuse it.
func mustFind(t *testing.T, builds []faultyBuild, env ...string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds several programs")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "VAGUEMESTRE_RECORD=", "VAGUEMESTRE_SEED=")
	for _, b := range builds {
		t.Run(b.name, func(t *testing.T) {
			res, err := sabotage.Test(context.Background(), root, b.edits, env, "./broker/internal/crash", "-run", "^"+b.run+"$")
			switch {
			case errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true":
				t.Skip(err)
			case err != nil:
				t.Fatal(err)
			case !res.Failed:
				t.Errorf("%s found nothing:\n%s", b.run, res.Output)
			case !strings.Contains(res.Output, b.word+": "):
				t.Errorf("%s found something else than %s:\n%s", b.run, b.word, res.Output)
			}
		})
	}
}
