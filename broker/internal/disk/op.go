package disk

import (
	"path"
	"strings"
)

// Kind is what an operation does.
type Kind string

// Kinds of operations. Open is noted only in the counts: it changes nothing.
const (
	Create   Kind = "create"
	Open     Kind = "open"
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "fsync"
	SyncDir  Kind = "fsync of a folder"
	Rename   Kind = "rename"
	Link     Kind = "link"
	Unlink   Kind = "unlink"
	Mkdir    Kind = "mkdir"
	Rmdir    Kind = "rmdir"
	Note     Kind = "note" // a line of NotesName
)

// NotesName is the file at the top whose lines are notes.
const NotesName = "notes"

// Op is one operation that took effect. Paths are slash-separated and relative
// to the top; the top itself is "".
type Op struct {
	Kind Kind
	Path string // what it is done to; for Rename and Link the new name
	From string // the old name of Rename and Link
	File int    // names a file for good, whatever its name
	Off  int64  // of a Write
	Size int64  // of a Truncate
	Data []byte // of a Write or a Note
}

// parent is the folder that holds an entry.
func parent(p string) string {
	if !strings.Contains(p, "/") {
		return ""
	}
	return path.Dir(p)
}

// Under keeps what was done to one entry of the top and to all that is in it.
// Notes are kept.
func Under(ops []Op, top string) []Op {
	within := func(p string) bool { return p == top || strings.HasPrefix(p, top+"/") }
	var out []Op
	for _, o := range ops {
		if o.Kind == Note || within(o.Path) || o.Kind == SyncDir && o.Path == "" {
			out = append(out, o)
		}
	}
	return out
}
