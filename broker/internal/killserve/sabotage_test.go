package killserve

import (
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
)

const (
	// window is the time that a kill has between an answer and its commit: most
	// requests of a life are in it.
	window = 150 * time.Millisecond
	// tries is how many kills may be needed: ten times what is.
	tries = 40
)

// faultyBuilds are programs that this harness must refuse, each by its word.
var faultyBuilds = []struct {
	name  string
	edits []sabotage.Edit
	word  string
}{
	{"the answer leaves before the commit", sabotage.AnswerBeforeCommit(window), lost},
	{"duplicates are looked for in what is not committed", sabotage.DuplicatesUncommitted(window), lost},
	{"the API ignores the idempotency key", []sabotage.Edit{{
		File: "adapters/httpapi/submit.go",
		Old:  `sub := broker.Submission{From: x.caller.party, Basis: broker.Declared, Key: key}`,
		New:  `sub := broker.Submission{From: x.caller.party, Basis: broker.Declared, Key: key + newRequestID()}`,
	}}, twice},
}

// TestSabotage: each faulty build is found, by what it does.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	sound := newHouse(t, build(t, nil))
	for _, b := range faultyBuilds {
		t.Run(b.name, func(t *testing.T) {
			r := play(t, sound.twin(t, build(t, b.edits)), 59, tries, 5*time.Second, b.word)
			t.Log(r.record(t, 0))
			if !r.book.found(b.word) {
				t.Errorf("%s was not found:\n%s", b.word, strings.Join(r.book.faults, "\n"))
			}
		})
	}
}
