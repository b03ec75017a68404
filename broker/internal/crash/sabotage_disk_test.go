//go:build linux

package crash

import (
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

// noSync is a journal that trusts the kernel.
var noSync = []sabotage.Edit{{
	File: "broker/journal/boltstore/store.go",
	Old:  "NoStatistics:    true,\n\t\tMaxSize:",
	New:  "NoStatistics:    true,\n\t\tNoSync:          true,\n\t\tNoGrowSync:      true,\n\t\tMaxSize:",
}}

// TestSabotageImages: what TestImages must find.
func TestSabotageImages(t *testing.T) {
	_ = watch(t, t.TempDir()) // or skip
	mustFind(t, []faultyBuild{
		{name: "nothing is synced", run: "TestImages", word: lost, edits: noSync},
		{name: "the answer leaves before the commit", run: "TestImages", word: lost, edits: sabotage.AnswerBeforeCommit(window)},
		{
			name: "a journal is made under its own name", run: "TestImages", word: broken,
			edits: []sabotage.Edit{{
				File: "broker/journal/boltstore/create.go",
				Old:  "if err := initialise(f.Name(), dir, broker, o); err != nil {\n\t\treturn err",
				New:  "if err := initialise(final, dir, broker, o); err != nil {\n\t\treturn err\n\t} else if err := syncDir(dir); err != nil {\n\t\treturn err\n\t} else {\n\t\treturn syncDir(filepath.Dir(dir))",
			}},
		},
		{
			name: "the file of a body is not synced", run: "TestImages", word: lost,
			edits: []sabotage.Edit{{File: "broker/journal/boltstore/bodies.go", Old: `if err := w.f.Sync(); err != nil {`, New: `if err := error(nil); err != nil {`}},
		},
		{
			name: "the name of a body is not synced", run: "TestImages", word: lost,
			edits: []sabotage.Edit{{File: "broker/journal/boltstore/bodies.go", Old: `return blob, syncDir(filepath.Dir(final))`, New: `return blob, nil`}},
		},
		{
			name: "the names of a copy are not synced", run: "TestImages", word: lost,
			edits: []sabotage.Edit{{File: "cmd/vaguemestre/wiring/backup.go", Old: `if err := errors.Join(SyncTree(out), SyncFolder(filepath.Dir(filepath.Clean(out)))); err != nil {`, New: `if err := error(nil); err != nil {`}},
		},
	}, "VAGUEMESTRE_IMAGES=1500")
}

// TestSabotageFaults: what TestFaults must find.
func TestSabotageFaults(t *testing.T) {
	_ = watch(t, t.TempDir()) // or skip
	mustFind(t, []faultyBuild{{
		name: "it goes on after a failed fsync", run: "TestFaults", word: broken,
		edits: []sabotage.Edit{{File: "broker/journal/boltstore/store.go", Old: "case err != nil:\n\t\treturn s.fail(err)", New: "case err != nil:\n\t\treturn err"}},
	}}, "VAGUEMESTRE_FAULTS=12")
}
