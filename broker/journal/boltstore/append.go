package boltstore

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"vaguemestre/broker/journal"
)

// tx is the write transaction.
type tx struct {
	view
	replay bool     // events, objects and blobs are in the file: only what is derived from them is not
	dirty  bool     // the row of the log in course must be written
	wrote  bool     // something must be committed
	broken error    // the engine refused a write: the transaction cannot go on
	bodies []string // digests of the files that it names
	noted  []noted  // objects that are in pending.objects since

	dropped [][]byte // keys of blob.bytes that are gone, while a compaction goes on
}

var _ journal.Tx = (*tx)(nil)

// put sets a row. The value of a derived one is kept as it is.
func (t *tx) put(b bucket, key, value []byte) {
	if b.derived() {
		t.pending.rows[b].Set(string(key), value)
		t.pending.bytes += len(key) + len(value)
	} else if !t.replay {
		t.write(b, key, value)
	}
}

// remove takes a row away. What the file does not hold leaves no trace.
func (t *tx) remove(b bucket, key []byte) {
	switch {
	case !b.derived():
		if !t.replay {
			t.write(b, key, nil)
		}
	case t.bucket(b).Get(key) != nil:
		t.pending.rows[b].Set(string(key), nil)
	default:
		t.pending.rows[b].Delete(string(key))
	}
}

// write sets a row of the file, or takes it away when the value is nil. It
// keeps the first refusal of the engine, which fails the whole transaction in
// finish.
func (t *tx) write(b bucket, key, value []byte) {
	t.wrote = true
	switch {
	case t.broken != nil:
	case value == nil:
		t.broken = t.bucket(b).Delete(key)
		if b == bBlobBytes && t.s.compaction != nil {
			t.dropped = append(t.dropped, key)
		}
	default:
		t.broken = t.bucket(b).Put(key, value)
	}
}

// Append implements journal.Tx.
func (t *tx) Append(e journal.Event) (n uint64, err error) {
	l := t.log()
	n = l.row.frontier.Size
	var salt [16]byte
	if _, err := io.ReadFull(t.s.rand, salt[:]); err != nil {
		return 0, fmt.Errorf("boltstore: salt: %w", err)
	}
	en, err := journal.NewEntry(n, e, salt)
	if err != nil {
		return 0, err
	}
	settled, err := t.items(en.Event.Settle)
	if err != nil {
		return 0, err
	}
	if err := t.checkBodies(en.Event.Blobs); err != nil {
		return 0, err
	}
	// Nothing of this event is refused from here on.
	pos := l.row.base + n
	t.put(bEvents, u64(pos), (&eventRow{leaf: en.Leaf, salt: salt, record: en.Record}).encode())
	l.row.frontier.Append(en.Hash, func(level int, hash [32]byte) { t.addToTile(l, n, level, hash) })
	t.dirty = true
	l.row.root = [32]byte{}
	r := journal.Record{Event: en.Event, Objects: en.Objects, Inline: inline(en.Event.Blobs)}
	t.apply(pos, &r, settled)
	t.bodies = append(t.bodies, large(en.Event.Blobs)...)
	if t.broken != nil {
		return 0, t.s.fail(t.broken)
	}
	return n, nil
}

// Head implements journal.View: the root is computed when it is asked for.
func (t *tx) Head() journal.Head {
	t.rootNow()
	return t.view.Head()
}

// Log implements journal.View.
func (t *tx) Log(origin string) (journal.Log, error) {
	t.rootNow()
	return t.view.Log(origin)
}

// Logs implements journal.View.
func (t *tx) Logs() []journal.Head {
	heads := t.view.Logs()
	heads[len(heads)-1] = t.Head()
	return heads
}

func (t *tx) rootNow() {
	if l := t.log(); l.row.root == [32]byte{} {
		l.row.root = l.row.frontier.Root()
	}
}

// finish writes what is written once a transaction.
func (t *tx) finish() error {
	if t.dirty {
		t.rootNow()
		t.put(bLogs, u64(t.cur.row.base), t.cur.row.encode())
		if t.full() {
			t.fold()
		}
	}
	return t.broken
}

// addToTile keeps the hash of a subtree that leaf n completed, where it is the
// leaf of a tile above; and the tile of leaves that is full.
func (t *tx) addToTile(l *logReader, n uint64, level int, hash [32]byte) {
	if level == 0 || level%tileHeight != 0 {
		return
	}
	if level == tileHeight {
		index := n / tileWidth
		data, err := l.leafHashes(index*tileWidth, n+1)
		if err != nil {
			t.broken = err
			return
		}
		t.put(bTiles, tileKey(l.row.base, 0, index), data)
	}
	key := tileKey(l.row.base, byte(level/tileHeight), n>>level/tileWidth)
	old := t.bucket(bTiles).Get(key)
	t.put(bTiles, key, append(append(make([]byte, 0, len(old)+32), old...), hash[:]...))
}

// apply makes true what the record at that position says, settled being the
// items that it settles. In a replay the bytes of objects and blobs are nil.
func (t *tx) apply(pos uint64, r *journal.Record, settled []journal.Item) {
	for i, sum := range r.Objects {
		var object []byte
		if !t.replay {
			object = r.Event.Objects[i]
		}
		t.keepObject(pos<<8|uint64(i), sum, object)
	}
	for i := range r.Blobs {
		t.keepBlob(pos<<8|uint64(i), &r.Blobs[i], r.Inline[i])
	}
	for _, name := range r.Erase {
		t.erase(name)
	}
	t.applyPuts(r.Puts)
	t.applyWork(pos, &r.Event, settled)
	t.applyTimers(r.Timers)
}

func (t *tx) keepBlob(key uint64, b *journal.Blob, inline bool) {
	if t.holds(b) {
		return
	}
	t.erase(b.Name)
	row := blobRow{pos: key, size: uint64(b.Size), sum: digest(b.SHA256), inline: inline}
	t.put(bBlobs, []byte(b.Name), row.encode())
	if inline {
		t.put(bBlobBytes, u64(key), b.Bytes)
	}
}

// inline says of each blob whether it comes with its bytes.
func inline(blobs []journal.Blob) []bool {
	out := make([]bool, len(blobs))
	for i := range blobs {
		out[i] = blobs[i].Bytes != nil
	}
	return out
}

// holds says whether that very blob is held under its name.
func (t *tx) holds(b *journal.Blob) bool {
	row, ok := parseBlob(t.get(bBlobs, []byte(b.Name)))
	return ok && row.sum == digest(b.SHA256)
}

// checkBodies wants the file of every blob that comes without its bytes and is
// not held yet.
func (t *tx) checkBodies(blobs []journal.Blob) error {
	for i := range blobs {
		if blobs[i].Bytes != nil || t.holds(&blobs[i]) {
			continue
		}
		if err := t.s.bodies.check(&blobs[i]); err != nil {
			return err
		}
	}
	return nil
}

// digest reads hex digits that were checked before.
func digest(hexDigits string) (sum [32]byte) {
	if len(hexDigits) == 64 {
		hex.Decode(sum[:], []byte(hexDigits))
	}
	return sum
}

func (t *tx) erase(name string) {
	row, ok := parseBlob(t.get(bBlobs, []byte(name)))
	if !ok {
		return
	}
	t.remove(bBlobs, []byte(name))
	if row.inline {
		t.remove(bBlobBytes, u64(row.pos))
	}
}

func (t *tx) applyPuts(puts []journal.Put) {
	for i := range puts {
		p := &puts[i]
		if p.Value == nil {
			t.remove(bPuts, putKey(p.Space, p.Key))
		} else {
			t.put(bPuts, putKey(p.Space, p.Key), bytes.Clone(p.Value))
		}
	}
}

// items finds the items of the settlements, or says ErrGone.
func (t *tx) items(settle []journal.Settlement) ([]journal.Item, error) {
	var out []journal.Item
	for i := range settle {
		from := bItems
		if settle[i].Outcome == journal.Requeue {
			from = bLetters
		}
		key := u64(settle[i].Seq)
		it, ok := parseItem(key, t.get(from, key))
		if !ok {
			return nil, journal.ErrGone
		}
		out = append(out, it)
	}
	return out, nil
}

func (t *tx) applyWork(pos uint64, e *journal.Event, settled []journal.Item) {
	index := uint64(0)
	enter := func(it journal.Item) {
		it.Seq = pos<<8 | index
		it.Enter(e.At)
		index++
		t.enqueue(&it)
	}
	for i := range e.Enqueue {
		enter(e.Enqueue[i])
	}
	for i, it := range settled {
		s := &e.Settle[i]
		// An earlier settlement of this event may have moved the lane, never
		// this item: each is settled once.
		switch s.Outcome {
		case journal.Done:
			t.leave(&it)
		case journal.Retry:
			t.delay(it, s.At, s.Reason)
		case journal.Dead:
			t.leave(&it)
			it.Reason = s.Reason
			t.put(bLetters, u64(it.Seq), encodeItem(&it))
		case journal.Requeue:
			t.remove(bLetters, u64(it.Seq))
			enter(it)
		}
	}
}

func (t *tx) applyTimers(timers []journal.Timer) {
	for i := range timers {
		tm := &timers[i]
		if old, ok := t.Timer(tm.Key); ok {
			t.remove(bTimerDue, timerDueKey(old.Due, old.Key))
		}
		if tm.Due.IsZero() {
			t.remove(bTimers, []byte(tm.Key))
			continue
		}
		t.put(bTimers, []byte(tm.Key), encodeTimer(tm))
		t.put(bTimerDue, timerDueKey(tm.Due, tm.Key), nothing)
	}
}

// KeepCheckpoint implements journal.Tx.
func (t *tx) KeepCheckpoint(text, sig []byte) error {
	at, err := journal.ParseCheckpoint(text)
	if err != nil {
		return err
	}
	if at.Origin != t.log().row.origin {
		return journal.ErrCheckpoint
	}
	if old, _, err := t.Checkpoint(); err == nil {
		if kept, err := journal.ParseCheckpoint(old); err == nil && kept.Size > at.Size {
			return nil
		}
	}
	t.put(bCheckpoints, u64(t.log().row.base), appendLP(appendLP(nil, text), sig))
	return nil
}

// beginLog starts a log in the transaction; previous is the one it follows.
func (s *Store) beginLog(t *tx, previous *logReader) error {
	var random [16]byte
	if _, err := io.ReadFull(s.rand, random[:]); err != nil {
		return fmt.Errorf("boltstore: origin: %w", err)
	}
	origin, err := journal.NewOrigin(s.broker, random)
	if err != nil {
		return err
	}
	row := logRow{origin: origin}
	var head *journal.Head
	if previous != nil {
		h := previous.Head()
		head, row.base = &h, previous.row.base+h.Size
	}
	t.cur = &logReader{v: &t.view, row: row}
	at := s.now()
	if at.IsZero() {
		at = time.Now()
	}
	if _, err := t.Append(journal.FirstEvent(at, head)); err != nil {
		return err
	}
	return t.finish()
}
