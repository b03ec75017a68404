package brokertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/tidwall/btree"
	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

// Disk is a journal in memory that outlives the processes that open it, one
// after the other. It is for simulations: it passes the suite of stores, costs
// no file, and a process that has it open dies where it is told to.
type Disk struct {
	broker, origin string
	rand           io.Reader

	mu    sync.Mutex
	now   *memory           // what is durable; never changed, only replaced; guarded by mu
	files map[string][]byte // large bodies by digest; guarded by mu
}

// NewDisk makes a journal with event 0 of its first log. rand gives its origin
// and the salts of its records.
func NewDisk(broker string, at time.Time, rand io.Reader) (*Disk, error) {
	var random [16]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return nil, err
	}
	origin, err := journal.NewOrigin(broker, random)
	if err != nil {
		return nil, err
	}
	d := &Disk{broker: broker, origin: origin, rand: rand, now: &memory{}, files: map[string][]byte{}}
	return d, d.Open().Update(func(tx journal.Tx) error {
		_, err := tx.Append(journal.FirstEvent(at, nil))
		return err
	})
}

// Open gives the disk to another process. What the one before left half-done
// is gone, but for body files.
func (d *Disk) Open() *Memory {
	return &Memory{disk: d, fresh: map[string]bool{}}
}

// Break is how a commit ends.
type Break int

// The ways to end.
const (
	Whole  Break = iota // it is durable, and the caller is told
	Before              // nothing of it is written, and the process is gone
	After               // all of it is written, and the process is gone before it can tell
)

// Memory is one process that has a Disk open.
type Memory struct {
	// OnCommit decides of one commit, by the types of its events. Nil: Whole.
	OnCommit func(types []string) Break

	disk    *Disk
	writing sync.Mutex
	fresh   map[string]bool // files that this process wrote; guarded by disk.mu
	gone    bool            // the process crashed; guarded by disk.mu
}

var _ journal.Store = (*Memory)(nil)

var errGone = fmt.Errorf("%w: the process is gone", journal.ErrFailed)

// Gone says whether the process crashed.
func (m *Memory) Gone() bool {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	return m.gone
}

// Kill makes an end of the process between two commits.
func (m *Memory) Kill() {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	m.gone = true
}

// state is what is durable.
func (m *Memory) state() (*memory, error) {
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if m.gone {
		return nil, errGone
	}
	return m.disk.now, nil
}

// View implements journal.Store.
func (m *Memory) View(f func(journal.View) error) error {
	s, err := m.state()
	if err != nil {
		return err
	}
	return f(&memoryView{memory: s, disk: m.disk})
}

// Update implements journal.Store.
func (m *Memory) Update(f func(journal.Tx) error) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	s, err := m.state()
	if err != nil {
		return err
	}
	t := &memoryTx{memoryView: memoryView{memory: s.copy(), disk: m.disk}}
	if err := f(t); err != nil {
		return err
	}
	if !t.wrote {
		return nil
	}
	end := Whole
	if m.OnCommit != nil {
		end = m.OnCommit(t.types)
	}
	m.disk.mu.Lock()
	defer m.disk.mu.Unlock()
	if end != Before {
		m.disk.now = t.memory
	}
	if end != Whole {
		m.gone = true
		return errGone
	}
	return nil
}

// Bodies implements journal.Store.
func (m *Memory) Bodies() journal.Bodies { return (*memoryBodies)(m) }

// Backup is not offered: what is in memory needs none.
func (m *Memory) Backup(context.Context, io.Writer) error { return errors.ErrUnsupported }

// Compact is not offered: nothing here takes space for long.
func (m *Memory) Compact(context.Context, uint64) (before, after int64, err error) {
	return 0, 0, errors.ErrUnsupported
}

// Free implements journal.Store: there is always room.
func (m *Memory) Free() (uint64, error) { return math.MaxInt64, nil }

// Close implements journal.Store.
func (m *Memory) Close() error { return nil }

// memory is one state of the journal. A copy costs little: the trees share
// what they have in common, and the lists only grow.
type memory struct {
	leaves   []memoryLeaf
	hashes   []tlog.Hash // as tlog.StoredHashIndex numbers them
	frontier journal.Frontier

	objects btree.Map[string, []byte] // by the bytes of their digest
	blobs   btree.Map[string, journal.Blob]
	puts    btree.Map[string, []byte] // by space, 0, key
	items   btree.Map[uint64, journal.Item]
	letters btree.Map[uint64, journal.Item]
	timers  btree.Map[string, journal.Timer]

	checkpoint, signature []byte
}

type memoryLeaf struct{ leaf, record []byte }

func (s *memory) copy() *memory {
	c := &memory{
		leaves: s.leaves, hashes: s.hashes, checkpoint: s.checkpoint, signature: s.signature,
		frontier: journal.Frontier{Size: s.frontier.Size, Nodes: append([][32]byte(nil), s.frontier.Nodes...)},
	}
	c.objects, c.blobs, c.puts = *s.objects.Copy(), *s.blobs.Copy(), *s.puts.Copy()
	c.items, c.letters, c.timers = *s.items.Copy(), *s.letters.Copy(), *s.timers.Copy()
	return c
}

// memoryTx is the write transaction: a copy, which replaces the state in the
// end.
type memoryTx struct {
	memoryView
	types []string
	wrote bool
}

var _ journal.Tx = (*memoryTx)(nil)

// Append implements journal.Tx.
func (t *memoryTx) Append(e journal.Event) (uint64, error) {
	n := t.Size()
	var salt [16]byte
	if _, err := io.ReadFull(t.disk.rand, salt[:]); err != nil {
		return 0, err
	}
	en, err := journal.NewEntry(n, e, salt)
	if err != nil {
		return 0, err
	}
	settled, err := t.settled(en.Event.Settle)
	if err != nil {
		return 0, err
	}
	if err := t.checkBodies(en.Event.Blobs); err != nil {
		return 0, err
	}
	t.wrote = true
	t.types = append(t.types, e.Type)
	t.leaves = append(t.leaves, memoryLeaf{en.Leaf, en.Record})
	t.frontier.Append(en.Hash, func(_ int, h [32]byte) { t.hashes = append(t.hashes, h) })
	for i, sum := range en.Objects {
		if _, held := t.objects.Get(string(sum[:])); !held {
			t.objects.Set(string(sum[:]), bytes.Clone(en.Event.Objects[i]))
		}
	}
	t.applyBlobs(en.Event.Blobs, en.Event.Erase)
	for _, p := range en.Event.Puts {
		if p.Value == nil {
			t.puts.Delete(p.Space + "\x00" + p.Key)
		} else {
			t.puts.Set(p.Space+"\x00"+p.Key, bytes.Clone(p.Value))
		}
	}
	t.applyWork(n, &en.Event, settled)
	for _, tm := range en.Event.Timers {
		if tm.Due.IsZero() {
			t.timers.Delete(tm.Key)
		} else {
			t.timers.Set(tm.Key, tm)
		}
	}
	return n, nil
}

// settled finds the items that an event settles.
func (t *memoryTx) settled(settle []journal.Settlement) ([]journal.Item, error) {
	var out []journal.Item
	for _, s := range settle {
		from := &t.items
		if s.Outcome == journal.Requeue {
			from = &t.letters
		}
		it, ok := from.Get(s.Seq)
		if !ok {
			return nil, journal.ErrGone
		}
		out = append(out, it)
	}
	return out, nil
}

func (t *memoryTx) checkBodies(blobs []journal.Blob) error {
	for i := range blobs {
		if held, ok := t.blobs.Get(blobs[i].Name); blobs[i].Bytes != nil || ok && held.SHA256 == blobs[i].SHA256 {
			continue
		}
		t.disk.mu.Lock()
		file, ok := t.disk.files[blobs[i].SHA256]
		t.disk.mu.Unlock()
		if !ok || int64(len(file)) != blobs[i].Size {
			return journal.ErrNotFound
		}
	}
	return nil
}

func (t *memoryTx) applyBlobs(blobs []journal.Blob, erase []string) {
	for _, b := range blobs {
		if held, ok := t.blobs.Get(b.Name); !ok || held.SHA256 != b.SHA256 {
			t.blobs.Set(b.Name, b)
		}
	}
	for _, name := range erase {
		t.blobs.Delete(name)
	}
}

func (t *memoryTx) applyWork(pos uint64, e *journal.Event, settled []journal.Item) {
	index := uint64(0)
	enter := func(it journal.Item) {
		it.Seq = pos<<8 | index
		it.Enter(e.At)
		index++
		t.items.Set(it.Seq, it)
	}
	for _, it := range e.Enqueue {
		enter(it)
	}
	for i, s := range e.Settle {
		it := settled[i]
		switch s.Outcome {
		case journal.Done:
			t.items.Delete(s.Seq)
		case journal.Retry:
			it.Due, it.Reason = s.At, s.Reason
			it.Attempts++
			t.items.Set(s.Seq, it)
		case journal.Dead:
			t.items.Delete(s.Seq)
			it.Reason = s.Reason
			t.letters.Set(s.Seq, it)
		case journal.Requeue:
			t.letters.Delete(s.Seq)
			enter(it)
		}
	}
}

// KeepCheckpoint implements journal.Tx.
func (t *memoryTx) KeepCheckpoint(text, sig []byte) error {
	at, err := journal.ParseCheckpoint(text)
	if err != nil {
		return err
	}
	if at.Origin != t.disk.origin {
		return journal.ErrCheckpoint
	}
	if kept, err := journal.ParseCheckpoint(t.checkpoint); err == nil && kept.Size > at.Size {
		return nil
	}
	t.wrote, t.checkpoint, t.signature = true, bytes.Clone(text), bytes.Clone(sig)
	return nil
}

func sumKey(digest string) string {
	sum, err := hex.DecodeString(digest)
	if err != nil || len(sum) != sha256.Size {
		return ""
	}
	return string(sum)
}
