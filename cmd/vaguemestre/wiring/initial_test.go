package wiring

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"vaguemestre/config"
)

// firstConfig is the configuration of a broker that is being made.
func firstConfig() config.Config {
	return config.Config{
		Broker:  "courrier-essai",
		Limits:  config.Limits{Body: config.DefaultBody, FreeSpace: config.MinFreeSpace},
		API:     config.API{Listen: config.ListenOff, RatePerSecond: config.DefaultRate, Burst: config.DefaultBurst},
		Admin:   config.Admin{Listen: config.DefaultAdminListen},
		Log:     config.Log{Format: config.LogAuto},
		Brokers: []config.Broker{{ID: "courrier-essai", Libelle: "Essai"}},
		Parties: []config.Party{{ID: "ase-59", Role: "ase", Institution: "Essai", Departement: "59", Home: "courrier-essai"}},
	}
}

// A directory that has its configuration may be in use: whatever ends Initial,
// the mark by which another call erases everything must not stand beside it.
// Else the keys and the journal go with the next `init`, once somebody has moved
// vaguemestre.toml away for a moment.
func TestInitialLeavesNoMark(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	err := Initial(context.Background(), dir, firstConfig(), []byte("demonstration"), func(*Data, *Node) error {
		// The mark can neither be removed nor replaced: as good as a kill there.
		mark := filepath.Join(dir, markUnfinished)
		return errors.Join(os.Remove(mark), os.MkdirAll(filepath.Join(mark, "kept"), 0o700))
	})
	if err == nil {
		t.Fatal("Initial came to its end")
	}
	if _, err := os.Stat(filepath.Join(dir, config.FileName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the configuration stands beside the mark: %v", err)
	}
}
