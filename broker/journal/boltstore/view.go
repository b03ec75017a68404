package boltstore

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

// view reads one bbolt transaction.
type view struct {
	s    *Store
	db   *file // of a View; nil in others
	tx   *bolt.Tx
	open [nBuckets]*bolt.Bucket // opened already
	cur  *logReader             // the log in course, once it was read

	pending *pending
}

var _ journal.View = (*view)(nil)

func (v *view) bucket(b bucket) *bolt.Bucket {
	if v.open[b] == nil {
		v.open[b] = v.tx.Bucket([]byte(b.String()))
		if b.grows() {
			v.open[b].FillPercent = 0.95
		}
	}
	return v.open[b]
}

// log is the log in course.
func (v *view) log() *logReader {
	if v.cur == nil {
		row, ok := parseLog(v.bucket(bLogs).Cursor().Last())
		if !ok {
			row = logRow{} // a damaged or empty file: Verify says so
		}
		v.cur = &logReader{v: v, row: row}
	}
	return v.cur
}

// logReader reads one log of the file.
type logReader struct {
	v   *view
	row logRow
}

var _ journal.Log = (*logReader)(nil)

// Head implements journal.Log.
func (l *logReader) Head() journal.Head { return l.row.head(l.v.s.broker) }

// Size implements journal.Log.
func (l *logReader) Size() uint64 { return l.row.frontier.Size }

// Hashes implements journal.Log.
func (l *logReader) Hashes() tlog.HashReader { return &hashReader{l: l} }

// Leaf implements journal.Log.
func (l *logReader) Leaf(n uint64) ([]byte, error) {
	row, _, err := l.event(n)
	return bytes.Clone(row.leaf), err
}

// event reads leaf and record n, which must bear each other out: the nonce of
// the leaf is the digest of the record. ErrDamaged when they do not.
func (l *logReader) event(n uint64) (eventRow, journal.Record, error) {
	if n >= l.row.frontier.Size {
		return eventRow{}, journal.Record{}, journal.ErrNotFound
	}
	row, ok := parseEvent(l.v.bucket(bEvents).Get(u64(l.row.base + n)))
	if !ok {
		return eventRow{}, journal.Record{}, fmt.Errorf("boltstore: leaf %d: %w", n, journal.ErrDamaged)
	}
	r, err := row.parse(n)
	if err != nil {
		return eventRow{}, journal.Record{}, fmt.Errorf("boltstore: leaf %d: %w", n, err)
	}
	return row, r, nil
}

// Record implements journal.Log.
func (l *logReader) Record(n uint64) (journal.Event, error) {
	_, r, err := l.event(n)
	if err != nil {
		return journal.Event{}, err
	}
	e := r.Event
	for _, sum := range r.Objects {
		o, err := l.v.object(sum)
		if err != nil {
			return journal.Event{}, fmt.Errorf("boltstore: object of record %d: %w", n, journal.ErrDamaged)
		}
		e.Objects = append(e.Objects, bytes.Clone(o))
	}
	return e, nil
}

// Checkpoint implements journal.Log.
func (l *logReader) Checkpoint() (text, sig []byte, err error) {
	row := l.v.bucket(bCheckpoints).Get(u64(l.row.base))
	text, rest, ok := cutLP(row)
	if !ok {
		return nil, nil, journal.ErrNotFound
	}
	if sig, _, ok = cutLP(rest); !ok {
		return nil, nil, journal.ErrNotFound
	}
	return bytes.Clone(text), bytes.Clone(sig), nil
}

// Head implements journal.View.
func (v *view) Head() journal.Head { return v.log().Head() }

// Size implements journal.View.
func (v *view) Size() uint64 { return v.log().Size() }

// Position implements journal.View.
func (v *view) Position() uint64 {
	l := v.log()
	return l.row.base + l.row.frontier.Size
}

// Hashes implements journal.View.
func (v *view) Hashes() tlog.HashReader { return v.log().Hashes() }

// Leaf implements journal.View.
func (v *view) Leaf(n uint64) ([]byte, error) { return v.log().Leaf(n) }

// Record implements journal.View.
func (v *view) Record(n uint64) (journal.Event, error) { return v.log().Record(n) }

// Checkpoint implements journal.View.
func (v *view) Checkpoint() (text, sig []byte, err error) { return v.log().Checkpoint() }

// Logs implements journal.View.
func (v *view) Logs() []journal.Head {
	var out []journal.Head
	for _, l := range v.logs() {
		out = append(out, l.Head())
	}
	return out
}

func (v *view) logs() []*logReader {
	var out []*logReader
	c := v.bucket(bLogs).Cursor()
	for k, b := c.First(); k != nil; k, b = c.Next() {
		if row, ok := parseLog(k, b); ok {
			out = append(out, &logReader{v: v, row: row})
		}
	}
	return out
}

// Log implements journal.View.
func (v *view) Log(origin string) (journal.Log, error) {
	if l := v.log(); l.row.origin == origin {
		return l, nil
	}
	for _, l := range v.logs() {
		if l.row.origin == origin {
			return l, nil
		}
	}
	return nil, journal.ErrNotFound
}

// Object implements journal.View.
func (v *view) Object(sha256 string) ([]byte, error) {
	if !isDigest(sha256) {
		return nil, journal.ErrNotFound
	}
	o, err := v.object(digest(sha256))
	return bytes.Clone(o), err
}

// Blob implements journal.View.
func (v *view) Blob(name string) ([]byte, error) {
	stored := v.get(bBlobs, []byte(name))
	row, ok := parseBlob(stored)
	switch {
	case stored != nil && !ok:
		return nil, fmt.Errorf("boltstore: row of a blob: %w", journal.ErrDamaged)
	case !ok || !row.inline:
		return nil, journal.ErrNotFound
	}
	b := v.bucket(bBlobBytes).Get(u64(row.pos))
	if b == nil || uint64(len(b)) != row.size || sha256.Sum256(b) != row.sum {
		return nil, fmt.Errorf("boltstore: bytes of a blob: %w", journal.ErrDamaged)
	}
	return bytes.Clone(b), nil
}

// HasBlob implements journal.View.
func (v *view) HasBlob(name string) bool { return v.get(bBlobs, []byte(name)) != nil }

// Get implements journal.View.
func (v *view) Get(space, key string) ([]byte, bool) {
	b := v.get(bPuts, putKey(space, key))
	if b == nil {
		return nil, false
	}
	return append([]byte{}, b...), true
}

// Scan implements journal.View.
func (v *view) Scan(space, prefix, from string, f func(key string, value []byte) bool) {
	base := putKey(space, "")
	within := putKey(space, prefix)
	c := v.cursor(bPuts)
	for k, b := c.seek(putKey(space, max(prefix, from))); bytes.HasPrefix(k, within); k, b = c.next() {
		if !f(string(k[len(base):]), append([]byte{}, b...)) {
			return
		}
	}
}
