package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"

	"vaguemestre/broker/journal"
)

// fresh is the pending rows of object.index: first 8 bytes of the digest → #.
// Digests come in no order, so it is a map, and not copied for each state: a
// view may find in it what is younger than its state, or is never committed.
// Who looks there compares the object itself.
type fresh struct {
	mu     sync.RWMutex
	first  map[uint64]uint64
	others map[uint64][]uint64 // the same prefix again
}

func newFresh() *fresh {
	return &fresh{first: map[uint64]uint64{}, others: map[uint64][]uint64{}}
}

func (f *fresh) len() int {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return len(f.first) + len(f.others)
}

// add notes an object.
func (f *fresh) add(n noted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.first[n.prefix]; !ok {
		f.first[n.prefix] = n.key
	} else {
		f.others[n.prefix] = append(f.others[n.prefix], n.key)
	}
}

// forget takes back what a transaction noted that is not committed.
func (f *fresh) forget(noted []noted) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range noted {
		others := slices.DeleteFunc(f.others[n.prefix], func(key uint64) bool { return key == n.key })
		if f.first[n.prefix] == n.key {
			delete(f.first, n.prefix)
			if len(others) > 0 {
				f.first[n.prefix], others = others[0], others[1:]
			}
		}
		if f.others[n.prefix] = others; len(others) == 0 {
			delete(f.others, n.prefix)
		}
	}
}

// noted is one row of fresh.
type noted struct{ prefix, key uint64 }

// find lists the # that may hold the object.
func (f *fresh) find(prefix uint64) (one uint64, others []uint64, ok bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if one, ok = f.first[prefix]; ok {
		others = slices.Clone(f.others[prefix])
	}
	return one, others, ok
}

// rows lists the keys of the rows, in order.
func (f *fresh) rows() [][]byte {
	f.mu.RLock()
	defer f.mu.RUnlock()
	out := make([][]byte, 0, len(f.first))
	row := func(prefix, key uint64) {
		out = append(out, binary.BigEndian.AppendUint64(u64(prefix), key))
	}
	for prefix, key := range f.first {
		row(prefix, key)
	}
	for prefix, keys := range f.others {
		for _, key := range keys {
			row(prefix, key)
		}
	}
	slices.SortFunc(out, bytes.Compare)
	return out
}

func indexKey(sum [32]byte, key uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 16), sum[:8]...), key)
}

// object finds an object. The bytes are lent by the transaction. ErrNotFound
// when none was kept; ErrDamaged when one was, and is gone or is another.
func (v *view) object(sum [32]byte) ([]byte, error) {
	objects := v.bucket(bObjects)
	prefix := binary.BigEndian.Uint64(sum[:])
	if one, others, ok := v.pending.objects.find(prefix); ok {
		for _, key := range append([]uint64{one}, others...) {
			// One that is not there is of a later state, or was never committed.
			if o := objects.Get(u64(key)); o != nil && sha256.Sum256(o) == sum {
				return o, nil
			}
		}
	}
	missing := journal.ErrNotFound
	c := v.bucket(bObjectIndex).Cursor()
	for k, _ := c.Seek(sum[:8]); bytes.HasPrefix(k, sum[:8]); k, _ = c.Next() {
		o := objects.Get(k[8:])
		got := sha256.Sum256(o)
		switch {
		case o != nil && got == sum:
			return o, nil
		case o == nil || !bytes.HasPrefix(got[:], sum[:8]): // else two objects share a prefix
			missing = journal.ErrDamaged
		}
	}
	return nil, missing
}

// keepObject keeps the bytes, unless they are kept already.
func (t *tx) keepObject(key uint64, sum [32]byte, object []byte) {
	if _, err := t.object(sum); err == nil {
		return
	}
	t.put(bObjects, u64(key), object)
	n := noted{binary.BigEndian.Uint64(sum[:]), key}
	t.pending.objects.add(n)
	t.noted = append(t.noted, n)
}
