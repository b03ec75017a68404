package killserve

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/served"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/crypto/seal"
)

var parties = []string{served.ASE, served.Parquet, served.Juge}

// house is a broker that was made, and one token for each party.
type house struct {
	*served.House
	tokens map[string]string
}

// folder is a folder for a house. Its path is short, since it holds a socket.
func folder(t *testing.T) string {
	t.Helper()
	root, err := os.MkdirTemp("", "killserve-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(root); err != nil {
			t.Error(err)
		}
	})
	return root
}

// newHouse makes the broker and the tokens.
func newHouse(t *testing.T, program string) house {
	t.Helper()
	h, err := served.New(program, folder(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := h.Make(ctx); err != nil {
		t.Fatal(err)
	}
	if err := relock(h); err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := await(p, time.Minute); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{}
	for _, party := range parties {
		if tokens[party], err = h.Token(ctx, party, "logiciel-"+party, "send", "read", "act", "export"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
	return house{h, tokens}
}

// twin is a copy of a house that was never used, with another program.
func (h house) twin(t *testing.T, program string) house {
	t.Helper()
	c, err := served.New(program, folder(t))
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(h.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(h.Data, path)
		to := filepath.Join(c.Data, name)
		switch {
		case err != nil || d.Type() == fs.ModeSocket:
			return err
		case d.IsDir():
			return os.Mkdir(to, 0o700)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return house{c, h.tokens}
}

// await waits until a process is heard.
func await(p *served.Process, patience time.Duration) error {
	select {
	case <-p.Ready:
		return nil
	case <-p.Gone:
		return errors.New("the broker ended while it started:\n" + p.Said())
	case <-time.After(patience):
		return errors.Join(errors.New("the broker is never ready:\n"+p.Said()), p.Cmd.Process.Kill())
	}
}

// relock locks the private keys in the form that is quick to open. A start then
// takes a tenth of the time, and a run has ten times the kills.
func relock(h *served.House) error {
	pass := h.Passphrase()
	return filepath.WalkDir(filepath.Join(h.Data, "keys"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".key") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		id, err := seal.Unlock(b, pass)
		if err != nil {
			return err
		}
		if b, err = id.Lock(pass, seal.LockIterated); err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o600)
	})
}

// strays lists what is in the data directory and should not be once its broker
// has stopped in order: a body that the journal does not hold, a file or folder
// of any other name, a temporary file.
func strays(h *served.House, j *journal.Journal) ([]string, error) {
	var out []string
	err := filepath.WalkDir(h.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(h.Data, path)
		if err != nil {
			return err
		}
		if held, err := belongs(j, filepath.ToSlash(name), d.IsDir()); err != nil || held {
			return err
		}
		out = append(out, name)
		return nil
	})
	if err != nil {
		return nil, err
	}
	temporary, err := os.ReadDir(h.Tmp)
	for _, e := range temporary {
		out = append(out, "TMPDIR/"+e.Name())
	}
	return out, err
}

func belongs(j *journal.Journal, name string, folder bool) (held bool, err error) {
	parts := strings.Split(name, "/")
	if folder {
		switch {
		case name == ".", name == "keys", name == "sending", name == "bodies", name == "certs":
			return true, nil
		}
		return len(parts) == 2 && (parts[0] == "keys" || parts[0] == "bodies"), nil
	}
	switch {
	case name == "vaguemestre.toml", name == "journal.db", name == "secret", name == "sending/salt":
		return true, nil
	case len(parts) == 3 && parts[0] == "keys":
		return strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".pgp"), nil
	case len(parts) == 3 && parts[0] == "bodies":
		err = j.View(func(v journal.View) error {
			held = v.HasBlob(journal.BodyName(parts[2]))
			return nil
		})
		return held, err
	}
	return false, nil
}

// open opens the journal of a house whose broker has stopped, and hands it to f.
func open(ctx context.Context, h *served.House, f func(*journal.Journal) error) error {
	s, err := boltstore.OpenReadOnly(h.Data)
	if err != nil {
		return err
	}
	j, err := journal.New(s, journal.Options{})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	return errors.Join(f(j), j.Close(ctx))
}

// pending counts the deliveries that wait, and dead letters.
func pending(j *journal.Journal) (items, letters int, timer bool, err error) {
	err = j.View(func(v journal.View) error {
		items = v.Pending(broker.TopicPli) + v.Pending(broker.TopicEvidence)
		letters = len(v.Letters(0, 1000))
		_, timer = v.NextTimer()
		return nil
	})
	return items, letters, timer, err
}
