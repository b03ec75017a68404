package journal_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// Two operations share a group, the second refuses because of what it saw of
// the first, and the write fails: the second must not be told that it holds.
func TestNothingSeenOfALostGroupIsAnswered(t *testing.T) {
	known := errors.New("known already")
	hold := make(chan struct{})
	j, s, _ := newJournal(t, journal.Options{}, hold)
	ctx := context.Background()
	warm := make(chan error, 1)
	go func() {
		_, err := j.Commit(ctx, func(journal.View) (journal.Batch, error) { return putting("warm", "x"), nil })
		warm <- err
	}()
	for s.updates.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	answers := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := j.Commit(ctx, func(v journal.View) (journal.Batch, error) {
				if _, ok := v.Get("a", "key"); ok {
					return journal.Batch{}, known
				}
				return putting("key", "x"), nil
			})
			answers <- err
		}()
	}
	time.Sleep(50 * time.Millisecond) // both wait behind the first write
	s.lose.Store(true)
	close(hold)
	<-warm
	for range 2 {
		if err := <-answers; !errors.Is(err, journal.ErrFailed) {
			t.Errorf("the write failed; an answer is %v", err)
		}
	}
}
