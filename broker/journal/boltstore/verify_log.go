package boltstore

import (
	"bytes"
	"crypto/sha256"
	"math/bits"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
)

// logAudit walks one log from its first leaf to its last.
type logAudit struct {
	*audit
	log      logRow
	frontier journal.Frontier
	events   *bolt.Cursor
	tile     []byte            // hashes of the leaves since the last full tile
	tiles    map[string][]byte // expected rows of tiles above level 0, and those full
}

func (a *audit) checkLog(i int) error {
	w := &logAudit{audit: a, log: a.logs[i], tiles: map[string][]byte{},
		events: a.v.bucket(bEvents).Cursor()}
	var previous *journal.Head
	if i > 0 {
		h := a.logs[i-1].head(a.v.s.broker)
		previous = &h
	}
	for n := uint64(0); n < w.log.frontier.Size; n++ {
		if n%1024 == 0 && a.ctx.Err() != nil {
			return a.ctx.Err()
		}
		leaf, r, err := w.event(n)
		if err != nil {
			return err
		}
		if n == 0 {
			if err := w.first(leaf, r, previous); err != nil {
				return err
			}
		}
		if err := w.grow(n, leaf); err != nil {
			return err
		}
		if err := a.compareRows(w.log.base + n); err != nil {
			return err
		}
		if err := a.replay.Apply(w.log.base+n, r); err != nil {
			return w.bad(n, err.Error())
		}
		w.compare()
	}
	if err := w.end(); err != nil {
		return err
	}
	if i < len(a.logs)-1 {
		return nil
	}
	if err := a.compareRows(w.log.base + w.log.frontier.Size); err != nil {
		return err
	}
	if k, _ := a.v.bucket(bEvents).Cursor().Seek(u64(w.log.base + w.log.frontier.Size)); k != nil {
		return w.bad(w.log.frontier.Size, "a row of events after the end")
	}
	return nil
}

func (w *logAudit) bad(n uint64, what string) error {
	return &BadRecordError{Origin: w.log.origin, N: n, What: what}
}

// event reads leaf and record n, and the objects of the record.
func (w *logAudit) event(n uint64) ([]byte, *journal.Record, error) {
	pos := u64(w.log.base + n)
	row, ok := parseEvent(step(w.events, pos))
	if !ok {
		return nil, nil, w.bad(n, "it is missing, or something is before it")
	}
	r, err := row.parse(n)
	if err != nil {
		return nil, nil, w.bad(n, "its leaf and its record differ, or cannot be read")
	}
	for i, sum := range r.Objects {
		key, ok := w.replay.Objects[sum]
		if !ok {
			key = (w.log.base+n)<<8 | uint64(i) // the first with these bytes
		}
		if o := w.v.bucket(bObjects).Get(u64(key)); o == nil || sha256.Sum256(o) != sum {
			return nil, nil, w.bad(n, "an object is missing or altered")
		}
	}
	return row.leaf, &r, nil
}

// step moves to the next row, which must have that key.
func step(c *bolt.Cursor, key []byte) []byte {
	var k, b []byte
	if readU64(key) == 0 {
		k, b = c.First()
	} else if k, b = c.Next(); k == nil {
		k, b = c.Seek(key) // the first of a later log
	}
	if !bytes.Equal(k, key) {
		return nil
	}
	return b
}

// first wants event 0 to say what the log follows.
func (w *logAudit) first(leaf []byte, r *journal.Record, previous *journal.Head) error {
	l, err := journal.ParseLeaf(leaf)
	want := journal.FirstEvent(r.At, previous)
	if err != nil || l.Type != want.Type || l.Digest != want.Digest || len(r.Objects) != len(want.Objects) {
		return w.bad(0, "it does not name the log before it")
	}
	return nil
}

// grow adds a leaf to the tree, and compares the tiles that it completes.
func (w *logAudit) grow(n uint64, leaf []byte) error {
	var fault error
	w.frontier.Append(journal.LeafHash(leaf), func(level int, hash [32]byte) {
		if level == 0 {
			w.tile = append(w.tile, hash[:]...)
		}
		if level == 0 || level%tileHeight != 0 {
			return
		}
		if level == tileHeight {
			fault = w.fullTile(n)
		}
		key := string(tileKey(w.log.base, byte(level/tileHeight), n>>level/tileWidth))
		w.tiles[key] = append(w.tiles[key], hash[:]...)
	})
	return fault
}

// fullTile compares a stored tile of leaves with what the leaves give.
func (w *logAudit) fullTile(n uint64) error {
	key := tileKey(w.log.base, 0, n/tileWidth)
	row := w.v.bucket(bTiles).Get(key)
	first := n / tileWidth * tileWidth
	if len(row) != len(w.tile) {
		return w.bad(first, "its tile is missing or has another length")
	}
	for i := 0; i < len(row); i += 32 {
		if !bytes.Equal(row[i:i+32], w.tile[i:i+32]) {
			return w.bad(first+uint64(i/32), "the tree has another hash for it")
		}
	}
	w.tiles[string(key)] = nil // compared
	w.tile = w.tile[:0]
	return nil
}

// compare looks whether a head was asked for at this size.
func (w *logAudit) compare() {
	var root [32]byte
	for i := range w.wants {
		h := &w.wants[i].head
		if h.Origin != w.log.origin || h.Size != w.frontier.Size {
			continue
		}
		if root == ([32]byte{}) {
			root = w.frontier.Root()
		}
		w.wants[i].same = root == h.Root
	}
}

// end compares the stored frontier and root, and the tiles above the leaves.
func (w *logAudit) end() error {
	at := uint64(0)
	for i, node := range w.log.frontier.Nodes {
		if node != w.frontier.Nodes[i] {
			return w.bad(at, "the tree has another hash for it, or for one after it")
		}
		at += 1 << (63 - bits.LeadingZeros64(w.frontier.Size-at))
	}
	if w.frontier.Root() != w.log.root {
		return w.bad(w.log.frontier.Size, "the root kept for the head is another")
	}
	c := w.v.bucket(bTiles).Cursor()
	prefix := u64(w.log.base)
	seen := 0
	for k, b := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, b = c.Next() {
		want, ok := w.tiles[string(k)]
		if !ok {
			return w.bad(w.log.frontier.Size, "a tile that the tree has not")
		}
		if want != nil && !bytes.Equal(want, b) {
			return w.bad(firstDifference(k, want, b), "the tree has another hash for it, or for one after it")
		}
		seen++
	}
	if seen != len(w.tiles) {
		return w.missingTile()
	}
	return nil
}

func (w *logAudit) missingTile() error {
	first := w.log.frontier.Size
	for key, want := range w.tiles {
		if w.v.bucket(bTiles).Get([]byte(key)) == nil {
			first = min(first, firstDifference([]byte(key), want, nil))
		}
	}
	return w.bad(first, "a tile of the tree is missing")
}

// firstDifference is the first leaf under the first hash that differs in a
// tile above the leaves.
func firstDifference(key, want, got []byte) uint64 {
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	level := uint(key[8]) * tileHeight
	return (readU64(key[9:])*tileWidth + uint64(i/32)) << level
}
