package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// recentMax is how many objects object.recent may list when a transaction
// begins: then they go to object.index in order, several to a page.
const recentMax = 8192

// recent is object.recent in memory: first 8 bytes of the digest → #. It may
// also hold what a transaction that failed would have kept: who looks there
// compares the object itself.
type recent struct {
	mu     sync.RWMutex
	first  map[uint64]uint64
	others map[uint64][]uint64 // the same prefix again
	n      int                 // rows of the bucket, as the writer knows
}

// add notes an object. For the writer only.
func (r *recent) add(prefix, key uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first == nil {
		r.first, r.others = map[uint64]uint64{}, map[uint64][]uint64{}
	}
	r.n++
	if old, ok := r.first[prefix]; ok && old != key {
		r.others[prefix] = append(r.others[prefix], key)
		return
	}
	r.first[prefix] = key
}

// forget drops what is before the key, once its place in the index is durable.
func (r *recent) forget(before uint64) {
	if before == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	old, others := r.first, r.others
	r.first, r.others, r.n = map[uint64]uint64{}, map[uint64][]uint64{}, 0
	keep := func(prefix, key uint64) {
		if key < before {
			return
		}
		r.n++
		if _, ok := r.first[prefix]; ok {
			r.others[prefix] = append(r.others[prefix], key)
		} else {
			r.first[prefix] = key
		}
	}
	for prefix, key := range old {
		keep(prefix, key)
	}
	for prefix, keys := range others {
		for _, key := range keys {
			keep(prefix, key)
		}
	}
}

// find lists the # that may hold the object.
func (r *recent) find(prefix uint64) (keys []uint64, one uint64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	one, ok = r.first[prefix]
	if others := r.others[prefix]; len(others) > 0 {
		keys = slices.Clone(others)
	}
	return keys, one, ok
}

func indexKey(sum [32]byte, key uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 16), sum[:8]...), key)
}

// object finds an object and its #. The bytes are lent by the transaction.
func (v *view) object(sum [32]byte) (object []byte, key uint64, ok bool) {
	objects := v.bucket(bObjects)
	try := func(at uint64) bool {
		object, key = objects.Get(u64(at)), at
		return object != nil && sha256.Sum256(object) == sum
	}
	more, one, ok := v.s.recent.find(binary.BigEndian.Uint64(sum[:]))
	if ok && try(one) {
		return object, key, true
	}
	for _, at := range more {
		if try(at) {
			return object, key, true
		}
	}
	c := v.bucket(bObjectIndex).Cursor()
	for k, _ := c.Seek(sum[:8]); bytes.HasPrefix(k, sum[:8]); k, _ = c.Next() {
		if try(readU64(k[8:])) {
			return object, key, true
		}
	}
	if v.tx.Writable() {
		return nil, 0, false // what memory lists is all that the bucket does
	}
	// This state may be older than the last move to the index.
	c = v.bucket(bObjectRecent).Cursor()
	for k, b := c.First(); k != nil; k, b = c.Next() {
		if bytes.Equal(b, sum[:8]) && try(readU64(k)) {
			return object, key, true
		}
	}
	return nil, 0, false
}

// keepObject keeps the bytes, unless they are kept already.
func (t *tx) keepObject(key uint64, sum [32]byte, object []byte) {
	if _, _, ok := t.object(sum); ok {
		return
	}
	t.put(bObjects, u64(key), object)
	t.put(bObjectRecent, u64(key), sum[:8])
	t.s.recent.add(binary.BigEndian.Uint64(sum[:]), key)
}

// mergeRecent moves the rows of object.recent to the index when there are
// many. All # before the one it returns are there once the transaction is
// durable; 0 when it moved nothing.
func (t *tx) mergeRecent() (before uint64) {
	if t.s.recent.n < recentMax {
		return 0
	}
	var keys [][]byte
	c := t.bucket(bObjectRecent).Cursor()
	for k, b := c.First(); k != nil; k, b = c.Next() {
		keys = append(keys, append(bytes.Clone(b), k...))
		before = max(before, readU64(k)+1)
	}
	slices.SortFunc(keys, bytes.Compare)
	for _, k := range keys {
		t.put(bObjectIndex, k, nil)
	}
	t.emptyBucket(bObjectRecent)
	return before
}

func (t *tx) emptyBucket(b bucket) {
	if t.broken != nil {
		return
	}
	name := []byte(b.String())
	if t.broken = t.tx.DeleteBucket(name); t.broken == nil {
		_, t.broken = t.tx.CreateBucket(name)
	}
	t.open[b] = nil
}

// loadRecent fills the copy in memory.
func (s *Store) loadRecent() error {
	return s.db.View(func(btx *bolt.Tx) error {
		return btx.Bucket([]byte(bObjectRecent.String())).ForEach(func(k, b []byte) error {
			if len(b) == 8 {
				s.recent.add(readU64(b), readU64(k))
			}
			return nil
		})
	})
}
