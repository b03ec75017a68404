package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Journal. The zero value of a field means its default.
type Options struct {
	Broker string           // when set, the store must be of that broker
	Now    func() time.Time // time.Now
	Rand   io.Reader        // crypto/rand.Reader; given to a store that has Seed(io.Reader)
	// Sign makes the broker's detached signature of a checkpoint text. Nil: no
	// checkpoints.
	Sign func(ctx context.Context, text []byte) ([]byte, error)
	// MinFree is the watermark of LowSpace in bytes, 64 MiB.
	MinFree uint64
	// GroupMax is how many operations share a commit at most, 256. 1 makes
	// each wait for its own: benchmarks compare with that.
	GroupMax int
}

// Committed says where a Batch went.
type Committed struct {
	First uint64 // leaf of its first event; the size of the log for an empty Batch
	Head  Head   // durable head, which covers it
}

// Journal commits batches for many callers through one goroutine, and signs
// and proves what is durable. Safe for concurrent use.
type Journal struct {
	store  Store
	o      Options
	ops    chan *op
	closed chan struct{} // no operation is taken from then on
	done   chan struct{} // the committer has ended
	failed chan struct{} // a write failed

	senders sync.RWMutex // read-held while sending on ops; held to close
	closing bool         // guarded by senders

	head  atomic.Pointer[Head] // last durable
	fault atomic.Pointer[error]

	mu       sync.Mutex // guards the fields below
	watchers map[int]func(Change)
	nextID   int

	signing sync.Mutex // one signature at a time; guards kept
	kept    kept
	unkept  atomic.Pointer[kept] // signed, to be written with the next commit
}

// op is one Commit on its way.
type op struct {
	ctx    context.Context
	decide func(View) (Batch, error)
	done   bool // it is of Done, and decides nothing
	seq    uint64
	id     string
	answer chan struct{} // closed when the fields below are final

	got      Committed
	err      error
	panicked any
	batch    Batch
}

// New starts the committer over s, which the Journal owns from then on: Close
// closes it.
func New(s Store, o Options) (*Journal, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MinFree == 0 {
		o.MinFree = 64 << 20
	}
	if o.GroupMax <= 0 {
		o.GroupMax = 256
	}
	if seeder, ok := s.(interface{ Seed(io.Reader) }); ok && o.Rand != nil {
		seeder.Seed(o.Rand)
	}
	j := &Journal{
		store: s, o: o,
		ops:      make(chan *op, 1024),
		closed:   make(chan struct{}),
		done:     make(chan struct{}),
		failed:   make(chan struct{}),
		watchers: map[int]func(Change){},
	}
	err := s.View(func(v View) error {
		h := v.Head()
		j.head.Store(&h)
		if text, sig, err := v.Checkpoint(); err == nil {
			if at, err := ParseCheckpoint(text); err == nil {
				j.kept = kept{size: at.Size, text: text, sig: sig}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("journal: read the head: %w", err)
	}
	if h := j.Head(); o.Broker != "" && h.Broker != o.Broker {
		return nil, fmt.Errorf("%w: it is of another broker", ErrNoJournal)
	}
	go j.run()
	return j, nil
}

// Commit runs decide inside the write transaction and appends the Batch that
// it returns, all or nothing. It returns when that is durable.
//
// decide runs once, on the committer's goroutine, and sees everything
// committed before it, earlier operations of its group included. It must be
// fast, must not keep the View, and must never call the Journal. Its error
// leaves nothing and is returned as it is; a panic in it leaves nothing and
// goes on in the caller's goroutine. An empty Batch commits nothing, but the
// answer still waits until all that decide has seen is durable.
//
// Errors: an *InvalidError or ErrGone for a Batch that cannot be applied,
// ErrFailed (ambiguous: the process must end), ErrClosed, or the error of ctx:
// each but ErrFailed means that nothing was written.
func (j *Journal) Commit(ctx context.Context, decide func(View) (Batch, error)) (Committed, error) {
	o := &op{ctx: ctx, decide: decide, answer: make(chan struct{})}
	if err := j.send(o); err != nil {
		return Committed{}, err
	}
	// Once the committer has it, only the committer knows whether it was
	// written: leaving early would make every cancellation ambiguous.
	<-o.answer
	if o.panicked != nil {
		panic(o.panicked)
	}
	return o.got, o.err
}

func (j *Journal) send(o *op) error {
	j.senders.RLock()
	defer j.senders.RUnlock()
	if j.closing {
		return j.refusal()
	}
	select {
	case j.ops <- o:
		return nil
	case <-o.ctx.Done():
		return o.ctx.Err()
	case <-j.failed:
		return j.Err()
	}
}

// refusal is why no operation is taken any more.
func (j *Journal) refusal() error {
	if err := j.Err(); err != nil {
		return err
	}
	return ErrClosed
}

// run is the committer: the fsync of one group lets the next one gather.
func (j *Journal) run() {
	defer close(j.done)
	group := make([]*op, 0, j.o.GroupMax)
	for o := range j.ops {
		group = append(group[:0], o)
		// Those whom the last group has just released send what follows first:
		// no wait, and groups several times larger.
		runtime.Gosched()
	drain:
		for len(group) < j.o.GroupMax {
			select {
			case more, ok := <-j.ops:
				if !ok {
					break drain
				}
				group = append(group, more)
			default:
				break drain
			}
		}
		j.commit(group)
		clear(group)
	}
}

// commit writes one group and answers it.
func (j *Journal) commit(group []*op) {
	defer func() {
		for _, o := range group {
			close(o.answer)
		}
	}()
	if err := j.Err(); err != nil {
		answerAll(group, err)
		return
	}
	var change changes
	keep := j.unkept.Load()
	err := j.store.Update(func(tx Tx) error {
		if err := j.carried(tx, group, &change); err != nil {
			return err
		}
		for _, o := range group {
			if o.done {
				continue
			}
			if err := j.apply(tx, o, &change); err != nil {
				return err
			}
		}
		if change.any {
			head := tx.Head() // once: each costs a root
			change.head = &head
		}
		if keep == nil {
			return nil
		}
		return tx.KeepCheckpoint(keep.text, keep.sig)
	})
	// From here a crash loses nothing of the group.
	if err != nil {
		if errors.Is(err, ErrFailed) {
			j.fail(err)
		}
		answerAll(group, err)
		return
	}
	j.unkept.CompareAndSwap(keep, nil)
	head := j.Head()
	if change.head != nil {
		head = *change.head
		j.head.Store(change.head)
	}
	for _, o := range group {
		o.got.Head = head
	}
	if change.head != nil {
		j.tell(change.Change(head))
	}
}

// answerAll gives a group that is not written one answer: also to an operation
// that refused by itself, for what it saw may be what is lost.
func answerAll(group []*op, err error) {
	for _, o := range group {
		o.err, o.got = err, Committed{}
	}
}

// apply runs one operation. An error of the operation stays in it; the one
// returned ends the whole group.
func (j *Journal) apply(tx Tx, o *op, change *changes) error {
	if o.err = o.ctx.Err(); o.err != nil {
		return nil
	}
	if !j.decide(tx, o) || o.err != nil {
		return nil
	}
	o.got.First = tx.Size()
	if len(o.batch.Events) == 0 {
		return nil
	}
	work, err := j.check(tx, o.batch.Events)
	if err != nil {
		o.err = err
		return nil
	}
	for i := range o.batch.Events {
		if _, err := tx.Append(o.batch.Events[i]); err != nil {
			if i == 0 && !errors.Is(err, ErrFailed) {
				o.err = err
				return nil
			}
			return fmt.Errorf("journal: event %d of a batch: %w", i, err)
		}
	}
	change.add(o.batch.Events, work)
	return nil
}

// decide calls the function of o; false when it panicked.
func (j *Journal) decide(tx Tx, o *op) (returned bool) {
	defer func() {
		if !returned {
			o.panicked = recover()
			if o.panicked == nil { // runtime.Goexit
				o.panicked = "journal: decide did not return"
			}
		}
	}()
	o.batch, o.err = o.decide(View(tx))
	return true
}

// fail is final: a commit error is ambiguous, and a read could show what the
// disk does not hold.
func (j *Journal) fail(err error) {
	if j.fault.CompareAndSwap(nil, &err) {
		close(j.failed)
	}
}

// Failed is closed when a write failed. The process must end then (exit 4).
func (j *Journal) Failed() <-chan struct{} { return j.failed }

// Err is the failure, wrapping ErrFailed; nil while there is none.
func (j *Journal) Err() error {
	if err := j.fault.Load(); err != nil {
		return *err
	}
	return nil
}

// Head is the last durable one.
func (j *Journal) Head() Head { return *j.head.Load() }

// View runs f on one durable state. It must be short (10 ms). ErrFailed after
// a failed write: what a read would show may not be on disk.
func (j *Journal) View(f func(View) error) error {
	if err := j.Err(); err != nil {
		return err
	}
	return j.store.View(f)
}

// Bodies is where large ciphertext lives.
func (j *Journal) Bodies() Bodies { return j.store.Bodies() }

// LowSpace says that the disk has less than MinFree bytes left, or cannot
// tell: the caller refuses to accept with ErrNoSpace, while settlements and
// evidences go on.
func (j *Journal) LowSpace() bool {
	free, err := j.store.Free()
	return err != nil || free < j.o.MinFree
}

// Close refuses new operations with ErrClosed, commits those already taken,
// signs and keeps a last checkpoint, and closes the store.
func (j *Journal) Close(ctx context.Context) error {
	j.senders.Lock()
	if j.closing {
		j.senders.Unlock()
		return ErrClosed
	}
	j.closing = true
	close(j.ops)
	j.senders.Unlock()
	<-j.done
	err := j.Err()
	if err == nil && j.o.Sign != nil {
		err = j.keepLast(ctx)
	}
	return errors.Join(err, j.store.Close())
}
