package boltstore

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
)

// hashReader serves the tree of one log from its tiles and last leaves.
type hashReader struct {
	l     *logReader
	level int // of the tile at hand
	index int64
	data  []byte // nil: none at hand
}

// ReadHashes implements tlog.HashReader.
func (r *hashReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		t := tlog.TileForIndex(tileHeight, x)
		if r.data == nil || r.level != t.L || r.index != t.N || len(r.data) < t.W*tlog.HashSize {
			if err := r.read(t); err != nil {
				return nil, err
			}
		}
		h, err := tlog.HashFromTile(t, r.data, x)
		if err != nil {
			return nil, fmt.Errorf("boltstore: %w", err)
		}
		out[i] = h
	}
	return out, nil
}

func (r *hashReader) read(t tlog.Tile) error {
	r.level, r.index = t.L, t.N
	row := r.l.v.bucket(bTiles).Get(tileKey(r.l.row.base, byte(t.L), uint64(t.N)))
	if len(row) >= t.W*tlog.HashSize {
		r.data = row // lent by the transaction, which outlives the reader
		return nil
	}
	if t.L > 0 {
		return fmt.Errorf("boltstore: tile %d/%d: %w", t.L, t.N, journal.ErrNotFound)
	}
	first := uint64(t.N) * tileWidth
	last := min(first+tileWidth, r.l.row.frontier.Size)
	var err error
	r.data, err = r.l.leafHashes(first, last)
	return err
}

// leafHashes hashes the leaves of [first, last) again.
func (l *logReader) leafHashes(first, last uint64) ([]byte, error) {
	out := make([]byte, 0, tileWidth*tlog.HashSize)
	events := l.v.bucket(bEvents)
	for n := first; n < last; n++ {
		row, ok := parseEvent(events.Get(u64(l.row.base + n)))
		if !ok {
			return nil, fmt.Errorf("boltstore: leaf %d: %w", n, journal.ErrNotFound)
		}
		h := journal.LeafHash(row.leaf)
		out = append(out, h[:]...)
	}
	return out, nil
}
