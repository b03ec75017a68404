package boltstore

import (
	"fmt"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
)

// foldMax is how many rows, or events, may be pending: then they go to the
// file, in the order of their keys. So they do when they may take foldBytes of
// memory: a row may be large.
const (
	foldMax   = 8192
	foldBytes = 32 << 20
)

// nothing is the value of a row that is only a key.
var nothing = []byte{}

// pending is what the latest events changed in the derived buckets and the
// file does not hold yet. Copies share what they have in common.
type pending struct {
	bytes   int                                  // keys and values that were set since; at least what they take
	objects *fresh                               // rows of object.index; shared with every copy
	from    uint64                               // position: the file holds the rows of all events before it
	rows    [nBuckets]*btree.Map[string, []byte] // derived buckets only; a nil value: the row is gone
}

func newPending(from uint64) *pending {
	p := &pending{from: from, objects: newFresh()}
	for b := range nBuckets {
		if b.derived() && b != bObjectIndex {
			p.rows[b] = new(btree.Map[string, []byte])
		}
	}
	return p
}

// copy is a pending of its own. Only the writer copies, and only what it alone
// has.
func (p *pending) copy() *pending {
	q := &pending{from: p.from, bytes: p.bytes, objects: p.objects}
	for b, m := range p.rows {
		if m != nil {
			q.rows[b] = m.Copy()
		}
	}
	return q
}

func (p *pending) len() int {
	n := p.objects.len()
	for _, m := range p.rows {
		if m != nil {
			n += m.Len()
		}
	}
	return n
}

// get reads a row of a derived bucket. The bytes are lent.
func (v *view) get(b bucket, key []byte) []byte {
	if value, ok := v.pending.rows[b].Get(string(key)); ok {
		return value
	}
	return v.bucket(b).Get(key)
}

// cursor walks a derived bucket in the order of its keys: the rows of the file
// under those that are pending.
type cursor struct {
	low  *bolt.Cursor
	k, v []byte // of low, nil at its end
	high btree.MapIter[string, []byte]
	more bool // high is on a row
}

func (v *view) cursor(b bucket) *cursor {
	return &cursor{low: v.bucket(b).Cursor(), high: v.pending.rows[b].Iter()}
}

// seek moves to the first row at or after the key; nil when there is none.
func (c *cursor) seek(key []byte) (k, v []byte) {
	c.k, c.v = c.low.Seek(key)
	c.more = c.high.Seek(string(key))
	return c.row()
}

// next moves to the row after the one that seek or next gave.
func (c *cursor) next() (k, v []byte) {
	c.skip()
	return c.row()
}

// row is the one at hand, past those that are gone.
func (c *cursor) row() (k, v []byte) {
	for c.more && c.high.Value() == nil && (c.k == nil || c.high.Key() <= string(c.k)) {
		c.skip()
	}
	switch {
	case c.more && (c.k == nil || c.high.Key() <= string(c.k)):
		return []byte(c.high.Key()), c.high.Value()
	case c.k == nil:
		return nil, nil
	}
	return c.k, c.v
}

// skip leaves the least key, on both sides where both have it.
func (c *cursor) skip() {
	high := c.more && (c.k == nil || c.high.Key() <= string(c.k))
	if !high || c.k != nil && c.high.Key() == string(c.k) {
		c.k, c.v = c.low.Next()
	}
	if high {
		c.more = c.high.Next()
	}
}

// fold writes the pending rows to the file, and the sum of all that are there.
func (t *tx) fold() {
	sum, _ := parseRowSum(t.bucket(bMeta).Get([]byte(metaSum)))
	sum.take(bMeta, []byte(metaRows), t.bucket(bMeta).Get([]byte(metaRows)))
	for b, rows := range t.pending.rows {
		if rows == nil {
			continue
		}
		rows.Scan(func(key string, value []byte) bool {
			if old := t.bucket(bucket(b)).Get([]byte(key)); old != nil {
				sum.take(bucket(b), []byte(key), old)
			}
			if value != nil {
				sum.add(bucket(b), []byte(key), value)
			}
			t.write(bucket(b), []byte(key), value)
			return t.broken == nil
		})
	}
	for _, key := range t.pending.objects.rows() { // each is new
		sum.add(bObjectIndex, key, nothing)
		t.write(bObjectIndex, key, nothing)
	}
	pos := t.Position()
	t.write(bMeta, []byte(metaRows), u64(pos))
	sum.add(bMeta, []byte(metaRows), u64(pos))
	t.write(bMeta, []byte(metaSum), sum.encode())
	t.pending = newPending(pos)
}

// full says whether it is time to fold.
func (t *tx) full() bool {
	if c := t.s.compaction; c != nil && t.pending.bytes < 8*foldBytes {
		return false // so that the derived rows which it copied stay those of the file
	}
	return t.pending.len() >= t.s.foldMax || t.pending.bytes >= foldBytes || t.Position()-t.pending.from >= uint64(t.s.foldMax)
}

// loadPending derives again what the file does not hold, from the records.
// ErrFormat when it does not say what it holds, or when the records cannot be
// read or contradict the rows: Verify says which.
func (s *Store) loadPending() error {
	return s.db.Load().View(func(btx *bolt.Tx) error {
		rows := btx.Bucket([]byte(bMeta.String())).Get([]byte(metaRows))
		from, end := readU64(rows), uint64(0)
		if last, _ := btx.Bucket([]byte(bEvents.String())).Cursor().Last(); last != nil {
			end = readU64(last) + 1
		}
		if len(rows) != 8 || from > end {
			return fmt.Errorf("%w: the position of the derived rows", journal.ErrFormat)
		}
		t := &tx{view: view{s: s, tx: btx, pending: newPending(from)}, replay: true}
		if err := t.checkHeads(end); err != nil {
			return err
		}
		if err := t.checkSum(); err != nil {
			return err
		}
		c := t.bucket(bEvents).Cursor()
		for k, b := c.Seek(u64(from)); k != nil; k, b = c.Next() {
			if err := t.derive(readU64(k), b); err != nil {
				return fmt.Errorf("%w: record at position %d: %w", journal.ErrFormat, readU64(k), err)
			}
		}
		s.pending = t.pending
		s.state.Store(&state{db: s.db.Load(), id: int64(btx.ID()), pending: t.pending.copy()})
		return nil
	})
}

// derive applies the record of a row of events.
func (t *tx) derive(pos uint64, b []byte) error {
	row, ok := parseEvent(b)
	if !ok {
		return journal.ErrRecord
	}
	base := uint64(0)
	for _, l := range t.logs() {
		if l.row.base <= pos {
			base = l.row.base
		}
	}
	r, err := row.parse(pos - base)
	if err != nil {
		return err
	}
	settled, err := t.items(r.Settle)
	if err != nil {
		return err
	}
	t.apply(pos, &r, settled)
	return t.broken
}
