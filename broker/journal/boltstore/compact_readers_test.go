package boltstore_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
)

// held begins a View and keeps it until end is called.
func held(t *testing.T, s journal.Store) (end func(), ended <-chan error) {
	t.Helper()
	begun, stop, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.View(func(journal.View) error {
			close(begun)
			<-stop
			return nil
		})
	}()
	<-begun
	return func() { close(stop) }, done
}

// TestCompactWaitsForNobody: a backup that reads the old file for hours keeps
// neither the other readers of that file, nor readers and writers of the new one
// waiting, and rows are folded again meanwhile.
func TestCompactWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir)
	brokertest.RandomHistory(t, s, 3, 100)
	path := filepath.Join(dir, "journal.db")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	endLong, long := held(t, s)
	endShort, short := held(t, s)
	compacted := make(chan error, 1)
	go func() {
		_, _, err := s.Compact(context.Background(), 0)
		compacted <- err
	}()
	for {
		now, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(before, now) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	brokertest.MustAppend(t, s, journal.Event{Type: "noted"}) // waits for the swap to end
	time.Sleep(100 * time.Millisecond)                        // for who may wait for the long one to begin to
	endShort()
	select {
	case err = <-short:
	case <-time.After(10 * time.Second):
		t.Error("a reader waits for another to end")
		endLong()
		endLong = func() {}
		err = <-short
	}
	if err != nil {
		t.Fatal(err)
	}
	endLong()
	if err := <-long; err != nil {
		t.Error(err)
	}
	if err := <-compacted; err != nil {
		t.Error(err)
	}
}
