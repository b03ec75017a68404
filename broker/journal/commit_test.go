package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// slow counts the transactions, can hold the first one back, and can fail.
type slow struct {
	journal.Store
	updates atomic.Int64
	hold    chan struct{} // when not nil, the first Update waits for it
	refuse  atomic.Bool   // the next Update fails before it does anything
	forget  atomic.Bool   // the next Update succeeds and says that it failed
	lose    atomic.Bool   // the second Update runs, is rolled back, and fails
	free    atomic.Uint64
}

func (s *slow) Update(f func(journal.Tx) error) error {
	if s.updates.Add(1) == 1 && s.hold != nil {
		<-s.hold
	}
	if s.refuse.Load() {
		return fmt.Errorf("%w: essai", journal.ErrFailed)
	}
	if s.lose.Load() && s.updates.Load() > 1 {
		_ = s.Store.Update(func(tx journal.Tx) error { _ = f(tx); return errors.New("essai") })
		return fmt.Errorf("%w: essai", journal.ErrFailed)
	}
	err := s.Store.Update(f)
	if err == nil && s.forget.Load() {
		return fmt.Errorf("%w: essai", journal.ErrFailed)
	}
	return err
}

func (s *slow) Free() (uint64, error) { return s.free.Load(), nil }

func newJournal(t testing.TB, o journal.Options, hold chan struct{}) (*journal.Journal, *slow, string) {
	t.Helper()
	dir := t.TempDir()
	if err := boltstore.Create(dir, "relais-essai"); err != nil {
		t.Fatal(err)
	}
	store, err := boltstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &slow{Store: store, hold: hold}
	j, err := journal.New(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close(context.Background()) })
	return j, s, dir
}

func noted(c journal.Changes) journal.Batch {
	return journal.Batch{Events: []journal.Event{{Type: journal.TypeNoted, Changes: c}}}
}

func putting(key, value string) journal.Batch {
	return noted(journal.Changes{Puts: []journal.Put{{Space: "a", Key: key, Value: []byte(value)}}})
}

func commit(t testing.TB, j *journal.Journal, b journal.Batch) journal.Committed {
	t.Helper()
	c, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) { return b, nil })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func get(t testing.TB, j *journal.Journal, key string) (value string, ok bool) {
	t.Helper()
	err := j.View(func(v journal.View) error {
		b, found := v.Get("a", key)
		value, ok = string(b), found
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return value, ok
}

// TestGroup: what waits during a commit shares the next one; each operation
// sees those before it; one that is refused costs the others nothing.
func TestGroup(t *testing.T) {
	hold := make(chan struct{})
	j, s, _ := newJournal(t, journal.Options{}, hold)
	refused := errors.New("refused")
	var wg sync.WaitGroup
	var first sync.WaitGroup
	first.Add(1)
	wg.Go(func() {
		first.Done()
		commit(t, j, putting("first", "x"))
	})
	first.Wait()
	const n = 40
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			_, errs[i] = j.Commit(context.Background(), func(v journal.View) (journal.Batch, error) {
				if i%4 == 0 {
					return journal.Batch{}, refused
				}
				if i%4 == 1 { // the second event cannot be applied: nor is the first
					b := putting("never", "x")
					b.Events = append(b.Events, journal.Event{Type: journal.TypeDelivered,
						Changes: journal.Changes{Settle: []journal.Settlement{{Seq: 1 << 30, Outcome: journal.Done}}}})
					return b, nil
				}
				b, _ := v.Get("a", "count")
				return putting("count", string(b)+"x"), nil
			})
		})
	}
	time.Sleep(50 * time.Millisecond) // let them queue up; fewer only make more groups
	close(hold)
	wg.Wait()
	for i, err := range errs {
		want := []error{refused, journal.ErrGone, nil, nil}[i%4]
		if !errors.Is(err, want) || want == refused && err != refused {
			t.Errorf("operation %d: %v, want %v", i, err, want)
		}
	}
	if got, _ := get(t, j, "count"); len(got) != n/2 {
		t.Errorf("%d of %d operations saw the one before", len(got), n/2)
	}
	if _, ok := get(t, j, "never"); ok {
		t.Error("half of a batch was written")
	}
	if got := s.updates.Load(); got > 10 {
		t.Errorf("%d transactions for %d operations", got, n+1)
	}
	if h := j.Head(); h.Size != 1+1+n/2 {
		t.Errorf("size %d", h.Size)
	}
}

func TestCommitted(t *testing.T) {
	j, _, _ := newJournal(t, journal.Options{}, nil)
	b := putting("a", "1")
	b.Events = append(b.Events, putting("b", "2").Events...)
	if c := commit(t, j, b); c.First != 1 || c.Head.Size != 3 || c.Head != j.Head() {
		t.Errorf("%+v", c)
	}
	if c := commit(t, j, journal.Batch{}); c.First != 3 || c.Head.Size != 3 {
		t.Errorf("an empty batch: %+v", c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := j.Commit(ctx, func(journal.View) (journal.Batch, error) { return putting("late", "x"), nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
	if _, ok := get(t, j, "late"); ok {
		t.Error("cancelled, and written")
	}
	func() {
		defer func() {
			if p := recover(); p != "oops" {
				t.Errorf("the panic of decide came as %v", p)
			}
		}()
		j.Commit(context.Background(), func(journal.View) (journal.Batch, error) { panic("oops") })
	}()
	commit(t, j, putting("after", "x")) // the committer lives on
}

func TestWatch(t *testing.T) {
	j, _, _ := newJournal(t, journal.Options{}, nil)
	var got []journal.Change
	stop := j.Watch(func(c journal.Change) { got = append(got, c) })
	c := commit(t, j, journal.Batch{Events: []journal.Event{
		{Type: "pli", ID: "b", Changes: journal.Changes{Enqueue: []journal.Item{{Topic: "t", Dest: "d"}, {Topic: "t", Dest: "d"}}}},
		{Type: "accepted", ID: "a", Changes: journal.Changes{Timers: []journal.Timer{{Key: "k", Due: start}}}},
	}})
	commit(t, j, noted(journal.Changes{Settle: []journal.Settlement{{Seq: c.First << 8, Outcome: journal.Done}}}))
	commit(t, j, journal.Batch{})
	stop()
	commit(t, j, putting("a", "b"))
	if len(got) != 2 {
		t.Fatalf("told %d times, want 2: %+v", len(got), got)
	}
	if g := got[0]; g.Head != c.Head || fmt.Sprint(g.Types, g.IDs, g.Work, g.TimersChanged) != "[accepted pli] [a b] [{t d}] true" {
		t.Errorf("first %+v", g)
	}
	if g := got[1]; fmt.Sprint(g.Types, g.Work, g.TimersChanged) != "[noted] [{t d}] false" {
		t.Errorf("second %+v", g)
	}
}

// TestFailedWrite: after an ambiguous write nothing is answered any more, and
// opening the file again tells what is there.
func TestFailedWrite(t *testing.T) {
	for _, lost := range []bool{false, true} {
		j, s, dir := newJournal(t, journal.Options{}, nil)
		commit(t, j, putting("before", "x"))
		head := j.Head()
		s.refuse.Store(!lost)
		s.forget.Store(lost)
		_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) { return putting("during", "x"), nil })
		if !errors.Is(err, journal.ErrFailed) {
			t.Fatalf("lost=%v: %v", lost, err)
		}
		select {
		case <-j.Failed():
		default:
			t.Error("Failed is not closed")
		}
		s.refuse.Store(false)
		s.forget.Store(false)
		_, err = j.Commit(context.Background(), func(journal.View) (journal.Batch, error) { return putting("after", "x"), nil })
		if !errors.Is(err, journal.ErrFailed) || !errors.Is(j.Err(), journal.ErrFailed) || j.Head() != head {
			t.Errorf("after the failure: %v, %v", err, j.Err())
		}
		if err := j.View(func(journal.View) error { return nil }); !errors.Is(err, journal.ErrFailed) {
			t.Errorf("a read after the failure: %v", err)
		}
		if err := j.Close(context.Background()); !errors.Is(err, journal.ErrFailed) {
			t.Errorf("close: %v", err)
		}
		again, err := boltstore.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		again.View(func(v journal.View) error {
			if _, ok := v.Get("a", "during"); ok != lost {
				t.Errorf("lost=%v: the row is there: %v", lost, ok)
			}
			if _, ok := v.Get("a", "after"); ok {
				t.Error("written after the failure")
			}
			return nil
		})
		again.Close()
		if _, err := boltstore.Verify(context.Background(), dir, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestClose(t *testing.T) {
	signed := 0
	j, _, dir := newJournal(t, journal.Options{Sign: func(context.Context, []byte) ([]byte, error) { signed++; return []byte("signature"), nil }}, nil)
	commit(t, j, putting("a", "x"))
	head := j.Head()
	if err := j.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Commit(context.Background(), nil); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("commit: %v", err)
	}
	if err := j.Close(context.Background()); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("closed twice: %v", err)
	}
	s, err := boltstore.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.View(func(v journal.View) error {
		if text, _, err := v.Checkpoint(); err != nil || !bytes.Equal(text, head.Checkpoint()) || signed != 1 {
			t.Errorf("last checkpoint %q, %d signed: %v", text, signed, err)
		}
		return nil
	})
}

func TestCheckpoint(t *testing.T) {
	now, signed := start, 0
	j, _, _ := newJournal(t, journal.Options{Now: func() time.Time { return now }, Sign: func(_ context.Context, text []byte) ([]byte, error) {
		signed++
		return append([]byte("sig of "), text...), nil
	}}, nil)
	at := func(atLeast uint64) uint64 {
		text, sig, err := j.Checkpoint(context.Background(), atLeast)
		if err != nil || string(sig) != "sig of "+string(text) {
			t.Fatalf("%q %q %v", text, sig, err)
		}
		h, err := journal.ParseCheckpoint(text)
		if err != nil {
			t.Fatal(err)
		}
		return h.Size
	}
	for i, c := range []struct {
		commit        bool
		wait          time.Duration
		atLeast       uint64
		size          uint64
		signaturesNow int
	}{
		{false, 0, 0, 1, 1},
		{false, time.Hour, 1, 1, 1},             // nothing new to sign
		{true, 0, 0, 2, 2},                      // the last is old
		{true, 500 * time.Millisecond, 2, 2, 2}, // young, and long enough
		{false, 0, 3, 3, 3},                     // young, but too short
		{true, time.Second, 0, 4, 4},
	} {
		if c.commit {
			commit(t, j, putting("a", "x"))
		}
		now = now.Add(c.wait)
		if got := at(c.atLeast); got != c.size || signed != c.signaturesNow {
			t.Errorf("step %d: size %d, %d signatures; want %d, %d", i, got, signed, c.size, c.signaturesNow)
		}
	}
	if _, _, err := j.Checkpoint(context.Background(), 99); !errors.Is(err, journal.ErrSize) {
		t.Errorf("more than there is: %v", err)
	}
	silent, _, _ := newJournal(t, journal.Options{}, nil)
	if _, _, err := silent.Checkpoint(context.Background(), 0); !errors.Is(err, journal.ErrNoSigner) {
		t.Errorf("without a key: %v", err)
	}
}

func TestProofs(t *testing.T) {
	j, _, _ := newJournal(t, journal.Options{}, nil)
	old := commit(t, j, putting("a", "x")).Head
	for range 300 {
		commit(t, j, putting("a", "x"))
	}
	head := j.Head()
	inc, err := j.Proof(context.Background(), []uint64{0, 1, 255, 256, 301}, head.Size)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range inc {
		var path tlog.RecordProof
		for _, h := range p.Path {
			path = append(path, h)
		}
		if err := tlog.CheckRecord(path, int64(head.Size), head.Root, int64(p.N), p.Leaf); err != nil {
			t.Errorf("leaf %d: %v", p.N, err)
		}
	}
	path, err := j.Consistency(old.Size, head.Size)
	var tree tlog.TreeProof
	for _, h := range path {
		tree = append(tree, h)
	}
	if err != nil || tlog.CheckTree(tree, int64(head.Size), head.Root, int64(old.Size), old.Root) != nil {
		t.Errorf("consistency: %v", err)
	}
	for _, err := range []error{
		func() error { _, err := j.Proof(context.Background(), []uint64{2}, 2); return err }(),
		func() error { _, err := j.Proof(context.Background(), []uint64{2}, head.Size+1); return err }(),
		func() error { _, err := j.Consistency(3, head.Size+1); return err }(),
		func() error { _, err := j.Consistency(0, 2); return err }(),
	} {
		if !errors.Is(err, journal.ErrSize) {
			t.Errorf("out of range: %v", err)
		}
	}
	if _, err := j.ProofIn(context.Background(), "autre", nil, 0); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("another log: %v", err)
	}
}

func TestLowSpace(t *testing.T) {
	j, s, _ := newJournal(t, journal.Options{MinFree: 100}, nil)
	for free, want := range map[uint64]bool{99: true, 100: false} {
		if s.free.Store(free); j.LowSpace() != want {
			t.Errorf("%d bytes free: low is %v", free, !want)
		}
	}
	s.free.Store(0)
	commit(t, j, putting("settlements", "go on"))
}

func TestNewOtherBroker(t *testing.T) {
	_, s, _ := newJournal(t, journal.Options{Broker: "relais-essai"}, nil)
	if _, err := journal.New(s, journal.Options{Broker: "autre"}); !errors.Is(err, journal.ErrNoJournal) {
		t.Errorf("the journal of another broker: %v", err)
	}
}
