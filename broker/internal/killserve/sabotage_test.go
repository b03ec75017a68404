package killserve

import (
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
)

// faultyBuilds are programs that this harness must refuse, each by its word.
var faultyBuilds = []struct {
	name  string
	edits []sabotage.Edit
	word  string
}{
	{"the answer leaves before the commit", sabotage.AnswerBeforeCommit(), lost},
	{"duplicates are looked for in what is not committed", sabotage.DuplicatesUncommitted(), lost},
	{"the API ignores the idempotency key", []sabotage.Edit{{
		File: "adapters/httpapi/submit.go",
		Old:  `sub := broker.Submission{From: x.caller.party, Basis: broker.Declared, Key: key}`,
		New:  `sub := broker.Submission{From: x.caller.party, Basis: broker.Declared, Key: key + a.requestID()}`,
	}}, twice},
	{"an act is answered before its commit", []sabotage.Edit{{
		File: "broker/act.go",
		Old:  `err = b.commit(ctx, &evidenceInput{evidence: se, travel: b.toSender(h.From)})`,
		New:  `go func() { ` + sabotage.Slowly + `; _ = b.commit(context.WithoutCancel(ctx), &evidenceInput{evidence: se, travel: b.toSender(h.From)}) }()`,
	}}, lost},
	{"what a crash left is not swept", sabotage.NothingSwept(), left},
}

// TestSabotage: each faulty build is found, by what it does.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	sound := newHouse(t, build(t, nil))
	for _, b := range faultyBuilds {
		t.Run(b.name, func(t *testing.T) {
			r := play(t, sound.twin(t, build(t, b.edits)), 59, 20, 5*time.Second, b.word)
			t.Log(r.record(t, 0))
			if !r.book.found(b.word) {
				t.Errorf("%s was not found:\n%s", b.word, strings.Join(r.book.faults, "\n"))
			}
		})
	}
}
