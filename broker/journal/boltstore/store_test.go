package boltstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// newStore makes a journal and opens it.
func newStore(t testing.TB, dir string, o ...boltstore.Option) *boltstore.Store {
	t.Helper()
	if err := boltstore.Create(dir, "relais-essai", o...); err != nil {
		t.Fatal(err)
	}
	return openStore(t, dir, o...)
}

func openStore(t testing.TB, dir string, o ...boltstore.Option) *boltstore.Store {
	t.Helper()
	s, err := boltstore.Open(dir, o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) {
	for _, foldMax := range []int{1, 7, 300, 1 << 20} {
		t.Run(fmt.Sprint("fold ", foldMax), func(t *testing.T) {
			brokertest.TestStore(t, func(t *testing.T) journal.Store {
				return newStore(t, t.TempDir(), boltstore.WithFoldMax(foldMax))
			})
		})
	}
}

// start is when the events of these tests begin.
var start = time.Date(2026, 11, 20, 22, 41, 7, 123e6, time.UTC)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}
