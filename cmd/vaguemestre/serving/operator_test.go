package serving

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"vaguemestre/cmd/vaguemestre/wiring"
)

// An export that opens was cut off by a kill: what it left in clear in memory is
// erased when the broker starts again, and what another broker of this machine
// prepares there is not.
func TestClearScratchIsSwept(t *testing.T) {
	if _, err := memoryFolder(); err != nil {
		t.Skip("no folder in memory here")
	}
	p := newPlace(t)
	other := &Operator{Data: &wiring.Data{Dir: t.TempDir()}}
	var left []string
	for _, o := range []*Operator{{Data: p.Data}, other} {
		dir, err := o.scratch(true)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.WriteFile(filepath.Join(dir, "document.txt"), []byte("EXEMPLE"), 0o600); err != nil {
			t.Fatal(err)
		}
		left = append(left, dir)
	}
	p.started(t)
	if _, err := os.Stat(left[0]); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the document in clear outlived the crash: %v", err)
	}
	if _, err := os.Stat(left[1]); err != nil {
		t.Errorf("the folder of another broker: %v", err)
	}
}
