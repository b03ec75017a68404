package serving

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker/journal"
	"vaguemestre/config"
)

// A journal whose write fails ends the process's work at once, with the error
// that says so; nothing of the sockets is left.
func TestRunEndsWithTheJournal(t *testing.T) {
	p := newPlace(t)
	p.started(t)
	p.store.mu.Lock()
	p.store.fail = true
	p.store.mu.Unlock()
	p.Node.Broker.Note(t.Context(), "", "a_word") // fails, as it must
	if err := <-p.ended; !errors.Is(err, journal.ErrFailed) {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Lstat(filepath.Join(p.Data.Dir, SocketName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

// What a crash left is erased at the start, and nothing else.
func TestRunSweeps(t *testing.T) {
	p := newPlace(t)
	for _, name := range []string{".vaguemestre-api/export-1", ".vaguemestre-2", ".sock-3", "bodies/aa"} {
		if err := os.MkdirAll(filepath.Join(p.Data.Dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	_, stop := p.started(t)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(p.Data.Dir, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left: %q, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(p.Data.Dir, "bodies", "aa")); err != nil {
		t.Error(err)
	}
}

// Without an API by TCP, nothing listens for it.
func TestNoAPI(t *testing.T) {
	p := newPlace(t)
	p.Data.Config.API.Listen = config.ListenOff
	st, stop := p.started(t)
	if st.API != "" || st.Admin == "" {
		t.Errorf("%+v", st)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// hangs keeps every commit from ending, until the returned function is called.
func (p *place) hangs(t *testing.T) (end func()) {
	p.store.mu.Lock()
	end = sync.OnceFunc(p.store.mu.Unlock)
	t.Cleanup(end)
	return end
}

// waitLog waits until something is logged.
func (p *place) waitLog(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(p.log.String(), text); {
		if time.Now().After(end) {
			t.Fatalf("never logged: %s", text)
		}
		time.Sleep(time.Millisecond)
	}
}

// The end waits for what is due to be delivered.
func TestDrainDelivers(t *testing.T) {
	p := newPlace(t)
	p.accept(t)
	end := p.hangs(t) // no delivery becomes durable
	_, stop := p.started(t)
	go stop()
	p.waitLog(t, "stopping: no new submission")
	time.Sleep(10 * drainLook)
	if strings.Contains(p.log.String(), "nothing is left to do") {
		t.Error("a delivery is due, and was not waited for")
	}
	end()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.log.String(), "nothing is left to do") {
		t.Error("the grace was waited for")
	}
	if _, received, err := p.Node.Broker.Plis("ase-59"); err != nil || len(received) != 1 {
		t.Errorf("%d received, %v", len(received), err)
	}
}

// What does not come to its end holds the end up for the grace only.
func TestDrainEnds(t *testing.T) {
	p := newPlace(t)
	p.Grace = 5 * drainLook
	p.accept(t)
	end := p.hangs(t)
	_, stop := p.started(t)
	go stop()
	p.waitLog(t, "stopping with work left")
	end()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
