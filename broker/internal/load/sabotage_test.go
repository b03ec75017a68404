package load

import (
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
)

// The deliberate faults lie where pieces are read.
const uploads = "adapters/httpapi/upload.go"

// fault is one edit of a line, with what it needs beside it.
func fault(old, now, more string) []sabotage.Edit {
	return []sabotage.Edit{
		{File: uploads, Old: "\t\"net/textproto\"\n", New: "\t\"net/textproto\"\n\t\"os\"\n"},
		{File: uploads, Old: "// piece is one part of a form that is opened", New: more + "\n\n// piece is one part of a form that is opened"},
		{File: uploads, Old: old, New: now},
	}
}

// TestSabotage requires every deliberate fault to be found.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program several times: not with -short")
	}
	read := "\tn, err := p.part.Read(b)\n"
	begin := "\tout := make([]io.Reader, n)\n"
	large := func(t *testing.T, s *site) []string { return s.large(t) }
	calm := plan{rate: 40, calm: 3 * time.Second, storm: 500 * time.Millisecond, anonBound: anonBound, settle: 10 * time.Second}
	for _, c := range []struct {
		name  string
		edits []sabotage.Edit
		run   func(*testing.T, *site) []string
	}{
		{"a piece is held whole", fault(read, read+"\theld = append(held, b[:n]...)\n", "var held []byte\n\nvar _ = os.Args"), large},
		{"a piece is spooled to a file in clear", fault(read, read+"\tspool(b[:n])\n",
			`func spool(b []byte) {
	f, err := os.OpenFile(os.TempDir()+"/piece", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		f.Write(b)
		f.Close()
	}
}`), large},
		{"memory is kept of every message with a piece", fault(begin, begin+"\theld = append(held, bytesOf(16<<20))\n",
			`var held [][]byte

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(len(os.Args))
	}
	return b
}`), nil},
		{"a descriptor is kept of every message with a piece", fault(begin, begin+"\tif f, err := os.Open(os.DevNull); err == nil {\n\t\theld = append(held, f)\n\t}\n", "var held []*os.File"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, build(t, c.edits...))
			var found []string
			if c.run != nil {
				found = c.run(t, s)
			} else {
				o := run(t, s, calm)
				s.stop(t)
				found = o.faults(t, s, calm)
			}
			if len(found) == 0 {
				t.Error("nothing was found")
			}
			t.Log(found)
		})
	}
}
