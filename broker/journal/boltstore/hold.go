package boltstore

import (
	"errors"
	"sync"

	"vaguemestre/broker/journal"
)

// Hold implements journal.Bodies.
func (b *bodies) Hold() (release func() error) {
	b.mu.Lock()
	b.holds++
	b.mu.Unlock()
	return sync.OnceValue(b.release)
}

// release ends one hold; the last erases what was removed meanwhile.
func (b *bodies) release() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holds--; b.holds > 0 {
		return nil
	}
	var failed error
	// Under the lock: a body that is made again from now on is renamed after
	// the old file is gone, and one made before is no longer in the list.
	for digest := range b.later {
		failed = errors.Join(failed, b.unlink(digest))
	}
	clear(b.later)
	return failed
}

// beginSweep keeps fresh bodies fresh until endSweep: the sweep reads the
// journal once, and what enters it after would be in neither list. False while
// the files are held.
func (b *bodies) beginSweep() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holds > 0 {
		return false
	}
	b.sweeps++
	return true
}

func (b *bodies) endSweep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sweeps--; b.sweeps > 0 {
		return
	}
	for _, digest := range b.joined {
		delete(b.fresh, digest)
	}
	b.joined = nil
}

// entered says that the journal names bodies from now on, durably: the sweep
// finds them there.
func (b *bodies) entered(digests []string) {
	if len(digests) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sweeps > 0 {
		b.joined = append(b.joined, digests...)
		return
	}
	for _, digest := range digests {
		delete(b.fresh, digest)
	}
}

// large lists the digests of the blobs whose bytes are in files.
func large(blobs []journal.Blob) (digests []string) {
	for i := range blobs {
		if blobs[i].Bytes == nil {
			digests = append(digests, blobs[i].SHA256)
		}
	}
	return digests
}
