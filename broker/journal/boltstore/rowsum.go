package boltstore

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
)

// rowSum is the sum of the digests of rows, in any order: 4 words, each modulo
// 2^64. It finds what a disk does to rows, not what a person does who can
// compute it again: that is for Verify.
type rowSum [4]uint64

func (s *rowSum) add(b bucket, key, value []byte) {
	for i, w := range rowDigest(b, key, value) {
		s[i] += w
	}
}

func (s *rowSum) take(b bucket, key, value []byte) {
	for i, w := range rowDigest(b, key, value) {
		s[i] -= w
	}
}

func rowDigest(b bucket, key, value []byte) (words rowSum) {
	var room [256]byte
	text := append(room[:0], byte(b))
	text = appendLP(text, key)
	sum := sha256.Sum256(append(text, value...))
	for i := range words {
		words[i] = binary.BigEndian.Uint64(sum[8*i:])
	}
	return words
}

func (s *rowSum) encode() []byte {
	b := make([]byte, 0, 32)
	for _, w := range s {
		b = binary.BigEndian.AppendUint64(b, w)
	}
	return b
}

func parseRowSum(b []byte) (s rowSum, ok bool) {
	if len(b) != 32 {
		return s, false
	}
	for i := range s {
		s[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return s, true
}

// sumRows computes the sum of all derived rows of the file, and of the position
// that they are at: records that were applied must not be applied again.
func sumRows(btx *bolt.Tx) (sum rowSum, err error) {
	sum.add(bMeta, []byte(metaRows), btx.Bucket([]byte(bMeta.String())).Get([]byte(metaRows)))
	for b := range nBuckets {
		if !b.derived() {
			continue
		}
		err := btx.Bucket([]byte(b.String())).ForEach(func(k, v []byte) error {
			sum.add(b, k, v)
			return nil
		})
		if err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// checkSum compares the derived rows with their sum: a row that the disk
// altered, or hid behind an altered key, would be a wrong answer, and a second
// acceptance. A journal of format 1 has none.
func (t *tx) checkSum() error {
	if t.s.format == formatUnsummed {
		return nil
	}
	if err := checkDerivedPages(t.tx.DB().Path()); err != nil {
		return fmt.Errorf("%w: derived rows: %w: %w", journal.ErrFormat, journal.ErrDamaged, err)
	}
	want, ok := parseRowSum(t.bucket(bMeta).Get([]byte(metaSum)))
	got, err := sumRows(t.tx)
	if err != nil {
		return err
	}
	if !ok || got != want {
		return fmt.Errorf("%w: derived rows: %w", journal.ErrFormat, journal.ErrDamaged)
	}
	return nil
}

// checkHeads wants every log to begin where the one before ends, the last to
// end with the events, and each root to be that of its frontier: a wrong one
// would be signed.
func (t *tx) checkHeads(end uint64) error {
	next, n := uint64(0), 0
	for _, l := range t.logs() {
		if l.row.base != next || l.row.frontier.Root() != l.row.root {
			return fmt.Errorf("%w: head of a log: %w", journal.ErrFormat, journal.ErrDamaged)
		}
		next += l.row.frontier.Size
		n++
	}
	if stored := t.bucket(bLogs).Stats().KeyN; n == 0 || n != stored || next != end {
		return fmt.Errorf("%w: heads of the logs: %w", journal.ErrFormat, journal.ErrDamaged)
	}
	return nil
}

// migrate brings a journal of format 1 to this one: the sum of its derived rows
// is new.
func (s *Store) migrate() error {
	if s.format == format {
		return nil
	}
	err := s.db.Load().Update(func(btx *bolt.Tx) error {
		sum, err := sumRows(btx)
		if err != nil {
			return err
		}
		meta := btx.Bucket([]byte(bMeta.String()))
		if err := meta.Put([]byte(metaSum), sum.encode()); err != nil {
			return err
		}
		return meta.Put([]byte("format"), []byte(format))
	})
	if err != nil {
		return fmt.Errorf("boltstore: migrate: %w", err)
	}
	s.format = format
	return s.db.Load().View(func(btx *bolt.Tx) error {
		s.state.Store(&state{db: s.db.Load(), id: int64(btx.ID()), pending: s.pending.copy()})
		return nil
	})
}
