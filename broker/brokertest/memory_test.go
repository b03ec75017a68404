package brokertest_test

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
)

var began = time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)

func newDisk(t *testing.T) *brokertest.Disk {
	t.Helper()
	d, err := brokertest.NewDisk("relais", began, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMemory(t *testing.T) {
	brokertest.TestStore(t, func(t *testing.T) journal.Store { return newDisk(t).Open() })
}

// A process that dies in a commit leaves all of it or nothing, and can do
// nothing more; the next one goes on from there.
func TestMemoryBreaks(t *testing.T) {
	for how, left := range map[brokertest.Break]bool{brokertest.Before: false, brokertest.After: true} {
		d := newDisk(t)
		m := d.Open()
		m.OnCommit = func([]string) brokertest.Break { return how }
		e := journal.Event{Type: journal.TypeNoted, At: began}
		e.Puts = []journal.Put{{Space: "a", Key: "k", Value: []byte("v")}}
		write := func(m *brokertest.Memory) error {
			return m.Update(func(tx journal.Tx) error { _, err := tx.Append(e); return err })
		}
		if err := write(m); !errors.Is(err, journal.ErrFailed) || !m.Gone() {
			t.Errorf("the commit that breaks: %v", err)
		}
		_, open := m.Bodies().Open("")
		_, create := m.Bodies().Create()
		for _, err := range []error{write(m), m.View(func(journal.View) error { return nil }), open, create, m.Bodies().Remove("")} {
			if !errors.Is(err, journal.ErrFailed) {
				t.Errorf("a dead process does something: %v", err)
			}
		}
		m = d.Open()
		err := m.View(func(v journal.View) error {
			if _, ok := v.Get("a", "k"); ok != left {
				t.Errorf("written: %v, want %v", ok, left)
			}
			return nil
		})
		if err != nil || write(m) != nil {
			t.Errorf("the next process: %v", err)
		}
	}
}
