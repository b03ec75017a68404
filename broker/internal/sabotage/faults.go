package sabotage

import (
	"fmt"
	"time"
)

// Slowly is a statement that gives a kill time to come between an answer and
// its commit. The window is there without it, and narrower.
func Slowly(window time.Duration) string { return fmt.Sprintf("time.Sleep(%d)", window) }

// AnswerBeforeCommit makes Accept answer while its commit is still to come.
func AnswerBeforeCommit(window time.Duration) []Edit {
	return []Edit{{
		File: "broker/accept.go",
		Old:  `err = b.commit(ctx, in) // From here a crash loses nothing.`,
		New:  `go func() { ` + Slowly(window) + `; _ = b.commit(context.WithoutCancel(ctx), in) }()`,
	}}
}

// DuplicatesUncommitted makes Accept look for duplicates in what is not
// committed: a repetition is answered from memory.
func DuplicatesUncommitted(window time.Duration) []Edit {
	return []Edit{
		{File: "broker/accept.go", Old: "\t\"slices\"\n", New: "\t\"slices\"\n\t\"sync\"\n"},
		{File: "broker/accept.go", Old: "// submission is a Submission", New: "var uncommitted sync.Map\n\n// submission is a Submission"},
		{
			File: "broker/accept.go",
			Old:  `id, mac, known, err := b.knownKey(s)`,
			New: `if r, ok := uncommitted.Load(b.idemKey(s)); ok {
		return r.(Receipt), nil
	}
	id, mac, known, err := b.knownKey(s)`,
		},
		{
			File: "broker/accept.go",
			Old:  `err = b.commit(ctx, in) // From here a crash loses nothing.`,
			New: `uncommitted.Store(in.idemKey, Receipt{ID: in.pli.Header.ID, Thread: s.thread, Deposit: in.pli.DepositBytes, DepositSig: in.pli.DepositSig})
	` + Slowly(window) + `
	err = b.commit(ctx, in)`,
		},
	}
}

// NothingSwept leaves the bodies that a crash left.
func NothingSwept() []Edit {
	return []Edit{{
		File: "broker/broker.go",
		Old:  `if _, err := b.journal.Bodies().Sweep(); err != nil {`,
		New:  `if err := error(nil); err != nil {`,
	}}
}
