package journal_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// A Change names every pli of its group, also those whose items ended in one
// event (watch.go: "IDs of the plis concerned, each once, sorted").
func TestDoneTellsEveryPli(t *testing.T) {
	j, _, _ := newJournal(t, journal.Options{}, nil)
	ctx := context.Background()
	seqs := enqueue(t, j, 2)
	var mu sync.Mutex
	var told []string
	defer j.Watch(func(c journal.Change) { mu.Lock(); told = append(told, c.IDs...); mu.Unlock() })()
	hold := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = j.Commit(ctx, func(journal.View) (journal.Batch, error) { <-hold; return journal.Batch{}, nil })
	})
	time.Sleep(20 * time.Millisecond)
	for i, id := range []string{"pli-a", "pli-b"} {
		wg.Go(func() {
			if err := j.Done(ctx, seqs[i], id); err != nil {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	close(hold)
	wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(told)
	if !slices.Equal(told, []string{"pli-a", "pli-b"}) {
		t.Errorf("told of %q", told)
	}
}
