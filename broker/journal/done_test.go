package journal_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// enqueue gives n items and returns their Seq.
func enqueue(t *testing.T, j *journal.Journal, n int) (seqs []uint64) {
	t.Helper()
	e := journal.Event{Type: journal.TypePublished}
	for range n {
		e.Enqueue = append(e.Enqueue, journal.Item{Topic: "t", Dest: "d"})
	}
	commit(t, j, journal.Batch{Events: []journal.Event{e}})
	err := j.View(func(v journal.View) error {
		for _, it := range v.Heads("t", "d", time.Now(), n) {
			seqs = append(seqs, it.Seq)
		}
		return nil
	})
	if err != nil || len(seqs) != n {
		t.Fatalf("%d items: %v", len(seqs), err)
	}
	return seqs
}

// delivered lists the events of that type.
func delivered(t *testing.T, j *journal.Journal) (out []journal.Event) {
	t.Helper()
	err := j.View(func(v journal.View) error {
		for n := range v.Size() {
			e, err := v.Record(n)
			if err != nil {
				return err
			}
			if e.Type == journal.TypeDelivered {
				out = append(out, e)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDone: an item that is alone names its pli; those of one group share an
// event; each is ended once, and what shares the group sees it gone.
func TestDone(t *testing.T) {
	hold := make(chan struct{})
	j, _, _ := newJournal(t, journal.Options{}, nil)
	ctx := context.Background()
	seqs := enqueue(t, j, 1)
	if err := j.Done(ctx, seqs[0], "un-pli"); err != nil {
		t.Fatal(err)
	}
	if err := j.Done(ctx, seqs[0], "un-pli"); !errors.Is(err, journal.ErrGone) {
		t.Errorf("twice: %v", err)
	}
	if got := delivered(t, j); len(got) != 1 || got[0].ID != "un-pli" || got[0].At.IsZero() {
		t.Errorf("%+v", got)
	}
	if err := j.Done(ctx, 1<<40, "x"); !errors.Is(err, journal.ErrGone) {
		t.Errorf("an item that never was: %v", err)
	}

	const n = 200
	seqs = enqueue(t, j, n)
	var wg sync.WaitGroup
	wg.Go(func() { // while it decides, the others gather
		_, err := j.Commit(ctx, func(journal.View) (journal.Batch, error) { <-hold; return journal.Batch{}, nil })
		if err != nil {
			t.Error(err)
		}
	})
	gone := make([]int, n)
	var mu sync.Mutex
	for i, seq := range seqs {
		for range 2 {
			wg.Go(func() {
				switch err := j.Done(ctx, seq, "pli"); {
				case errors.Is(err, journal.ErrGone):
					mu.Lock()
					gone[i]++
					mu.Unlock()
				case err != nil:
					t.Error(err)
				}
			})
		}
		wg.Go(func() { // another way to settle the same item, in whatever group
			_, err := j.Commit(ctx, func(v journal.View) (journal.Batch, error) {
				return journal.Batch{Events: []journal.Event{{Type: journal.TypeRetried, Changes: journal.Changes{
					Settle: []journal.Settlement{{Seq: seq, Outcome: journal.Retry, At: time.Now(), Reason: "essai"}}}}}}, nil
			})
			if err != nil && !errors.Is(err, journal.ErrGone) {
				t.Error(err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond) // let them queue up; fewer only make more groups
	close(hold)
	wg.Wait()
	for i, g := range gone {
		if g != 1 {
			t.Errorf("item %d was ended %d times", i, 2-g)
		}
	}
	settled := 0
	for _, e := range delivered(t, j)[1:] {
		if (e.ID == "pli") != (len(e.Settle) == 1) {
			t.Errorf("%d items, id %q", len(e.Settle), e.ID)
		}
		settled += len(e.Settle)
	}
	if events := len(delivered(t, j)) - 1; settled != n || events > n/4 {
		t.Errorf("%d items ended by %d events", settled, events)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := j.Done(cancelled, 1, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestDoneRefused: an id that no leaf can hold costs the group nothing.
func TestDoneRefused(t *testing.T) {
	j, _, _ := newJournal(t, journal.Options{}, nil)
	seqs := enqueue(t, j, 1)
	var bad *journal.InvalidError
	if err := j.Done(context.Background(), seqs[0], "\x00"); !errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
	if err := j.Done(context.Background(), seqs[0], "pli"); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// TestNewBlob: what was digested is believed, and nothing else.
func TestNewBlob(t *testing.T) {
	for name, change := range map[string]func(*journal.Blob){
		"as made":         func(*journal.Blob) {},
		"other bytes":     func(b *journal.Blob) { b.Bytes = []byte("autre") },
		"other digest":    func(b *journal.Blob) { b.SHA256 = journal.NewBlob([]byte("autre")).SHA256 },
		"part of it":      func(b *journal.Blob) { b.Bytes, b.Size = b.Bytes[:3], 3 },
		"another's bytes": func(b *journal.Blob) { b.Bytes = append([]byte("x"), b.Bytes[1:]...) },
	} {
		j, _, _ := newJournal(t, journal.Options{}, nil)
		b := journal.NewBlob([]byte("scelle"))
		change(&b)
		_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
			return journal.Batch{Events: []journal.Event{{Type: "pli", Changes: journal.Changes{Blobs: []journal.Blob{b}}}}}, nil
		})
		var bad *journal.InvalidError
		if good := name == "as made"; good != (err == nil) || !good && !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
