package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
)

func indexKey(sum [32]byte, key uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, 16), sum[:8]...), key)
}

// object finds an object. The bytes are lent by the transaction.
func (v *view) object(sum [32]byte) (object []byte, ok bool) {
	objects := v.bucket(bObjects)
	c := v.cursor(bObjectIndex)
	for k, _ := c.seek(sum[:8]); bytes.HasPrefix(k, sum[:8]); k, _ = c.next() {
		if o := objects.Get(k[8:]); o != nil && sha256.Sum256(o) == sum {
			return o, true
		}
	}
	return nil, false
}

// keepObject keeps the bytes, unless they are kept already.
func (t *tx) keepObject(key uint64, sum [32]byte, object []byte) {
	if _, ok := t.object(sum); ok {
		return
	}
	t.put(bObjects, u64(key), object)
	t.put(bObjectIndex, indexKey(sum, key), nothing)
}
