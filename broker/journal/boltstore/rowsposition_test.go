package boltstore_test

import (
	"errors"
	"testing"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// A file that does not say how far its derived rows go, or says too far, is
// refused before any write (DESIGN section 6): what is pending in it cannot be
// known. So is every journal that was written before meta "rows" existed, under
// the same format name.
func TestOpenWantsThePositionOfTheRows(t *testing.T) {
	for name, rows := range map[string][]byte{"absent, as in the form before": nil, "short": {0}, "beyond the end": u64(1 << 40)} {
		dir, _ := killed(t, 40)
		tamper(t, dir, "meta", func(t *testing.T, b *bolt.Bucket) {
			if rows == nil {
				if err := b.Delete([]byte("rows")); err != nil {
					t.Fatal(err)
				}
				return
			}
			put(t, b, []byte("rows"), rows)
		})
		for kind, open := range map[string]func() (*boltstore.Store, error){
			"Open": func() (*boltstore.Store, error) { return boltstore.Open(dir) }, "OpenReadOnly": func() (*boltstore.Store, error) { return boltstore.OpenReadOnly(dir) },
		} {
			s, err := open()
			if errors.Is(err, journal.ErrFormat) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Errorf("%s, %s: opened", name, kind)
			_ = s.View(func(v journal.View) error {
				want := brokertest.ReplayOf(t, v)
				if got := v.Pending("t0") + v.Pending("t1"); got != len(want.Items) {
					t.Errorf("%s, %s: %d items pending, the records say %d", name, kind, got, len(want.Items))
				}
				return nil
			})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if _, err := verify(dir); err != nil && kind == "Open" {
				t.Errorf("%s: opened, closed, and condemned: %v", name, err)
			}
		}
	}
}
