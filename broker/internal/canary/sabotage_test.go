package canary

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

// leaks are faults that the canary must see. Each leaves another sort of mark,
// or in another place, so that one build holds them all and each is told from
// the others.
var leaks = []struct {
	name  string
	edits []sabotage.Edit
	found []string // what one line of the report says
}{
	{
		name: "a log of the document in base64",
		edits: []sabotage.Edit{
			{File: "broker/accept.go", Old: "\t\"context\"\n", New: "\t\"context\"\n\t\"encoding/base64\"\n"},
			{
				File: "broker/accept.go",
				Old:  `in, err := b.seal(ctx, s)`,
				New:  "b.log.Debug(\"sealing\", \"document\", base64.StdEncoding.EncodeToString(sub.Document.Bytes()))\n\tin, err := b.seal(ctx, s)",
			},
		},
		found: []string{"base64 at ", "in log/broker.json"},
	},
	{
		name: "detail.json stored in clear",
		edits: []sabotage.Edit{{
			File: "broker/act.go",
			Old:  `err = b.commit(ctx, &evidenceInput{evidence: se, travel: b.toSender(h.From)})`,
			New:  "_ = b.commit(ctx, &noteInput{objects: [][]byte{d.Encode()}})\n\terr = b.commit(ctx, &evidenceInput{evidence: se, travel: b.toSender(h.From)})",
		}},
		found: []string{": place, ", "/journal.db at"},
	},
	{
		name: "an idempotency key stored in hexadecimal",
		edits: []sabotage.Edit{{
			File: "broker/idem.go",
			Old:  `return b.mac("idempotency key", string(s.From), s.Key)`,
			New:  `return fmt.Sprintf("%s/%x", s.From, s.Key)`,
		}},
		found: []string{": idempotency key, ", "/journal.db at"},
	},
	{
		name: "a recoverer that logs the value of a panic",
		edits: []sabotage.Edit{{
			File: "broker/queue/router.go",
			Old:  `produced, err = nil, &PanicError{Type: fmt.Sprintf("%T", recover()), Stack: string(debug.Stack())}`,
			New:  `produced, err = nil, &PanicError{Type: fmt.Sprintf("%v", recover()), Stack: string(debug.Stack())}`,
		}},
		found: []string{"panic with a text, ", "in log/queue."},
	},
	{
		name: "a temporary file in clear",
		edits: []sabotage.Edit{
			{File: "broker/accept.go", Old: "\t\"io\"\n", New: "\t\"io\"\n\t\"os\"\n"},
			{
				File: "broker/accept.go",
				Old:  `in, err := b.seal(ctx, s)`,
				New:  "_ = os.WriteFile(os.TempDir()+\"/\"+s.thread, s.Document.Bytes(), 0o600)\n\tin, err := b.seal(ctx, s)",
			},
		},
		found: []string{", as plain, ", "in tmp/"},
	},
	{
		name: "a log of what an act says",
		edits: []sabotage.Edit{{
			File: "broker/act.go", Old: `salt, err := b.newSalt()`, New: "salt, err := b.newSalt()\n\tb.log.Debug(\"act\", \"number\", a.Number)",
		}},
		found: []string{": number, ", "in log/broker.txt"},
	},
}

// TestSabotage: each leak turns the canary red, where it leaks.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	var edits []sabotage.Edit
	for _, l := range leaks {
		edits = append(edits, l.edits...)
	}
	res, err := sabotage.Test(context.Background(), root, edits, nil, "./broker/internal/canary", "-run", "^TestCanary$")
	switch {
	case errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	case !res.Failed:
		t.Fatalf("nothing was found:\n%s", res.Output)
	}
	for _, l := range leaks {
		if !found(res.Output, l.found) {
			t.Errorf("%s: no line with %q", l.name, l.found)
		}
	}
	if t.Failed() {
		t.Log(res.Output)
	}
}

func found(output string, words []string) bool {
	for line := range strings.Lines(output) {
		all := strings.Contains(line, "FOUND: ")
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			return true
		}
	}
	return false
}
