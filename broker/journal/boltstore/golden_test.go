package boltstore_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// TestGoldenRows: what is stored of a fixed history, every row of every bucket,
// never changes within a format: its file bears the number of the format. Who
// changes a row gives the journal a new format, and migrates the old one.
func TestGoldenRows(t *testing.T) {
	dir := t.TempDir()
	s := newStore(t, dir, boltstore.WithRand(fixedRand()), boltstore.WithClock(func() time.Time { return start }))
	brokertest.RandomHistory(t, s, 1, 150) // past a tile, a letter, an erasure
	keepHead(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	version, bucket, filled := "", "", map[string]bool{}
	for _, row := range dump(t, filepath.Join(dir, "journal.db")) {
		if row.v == nil {
			bucket = string(row.k)
			fmt.Fprintf(&got, "[%s]\n", bucket)
			continue
		}
		if bucket == "meta" && string(row.k) == "format" {
			version = strings.TrimPrefix(string(row.v), "vaguemestre journal ")
		}
		filled[bucket] = true
		fmt.Fprintf(&got, "%x %x\n", row.k, row.v)
	}
	for _, b := range buckets {
		if !filled[b] {
			t.Errorf("the history leaves nothing in %s", b)
		}
	}
	golden(t, filepath.Join("testdata", "rows-"+version+".txt.gz"), []byte(got.String()))
}

// golden compares with a packed file.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, err := w.Write(got)
		if err := errors.Join(err, w.Close(), os.WriteFile(path, packed.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := unpack(path)
	if err != nil {
		t.Fatalf("a new format needs its golden file: %v", err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range max(len(was), len(is)) {
		if i >= len(was) || i >= len(is) || was[i] != is[i] {
			t.Fatalf("%s: line %d is another: a stored row changed without a new format", path, i+1)
		}
	}
}

// TestFormatUnknown: a journal of a format that this program does not know is
// refused before any write, by everything that opens one.
func TestFormatUnknown(t *testing.T) {
	for _, format := range []string{"vaguemestre journal 0", "vaguemestre journal 3", "vaguemestre journal 22", ""} {
		dir := newSample(t).copyOf(t)
		setFormat(t, dir, format)
		before, err := os.ReadFile(filepath.Join(dir, "journal.db"))
		if err != nil {
			t.Fatal(err)
		}
		_, opened := boltstore.Open(dir)
		_, read := boltstore.OpenReadOnly(dir)
		_, verified := verify(dir)
		for _, err := range []error{opened, read, verified} {
			if !errors.Is(err, journal.ErrFormat) {
				t.Errorf("%q: %v", format, err)
			}
		}
		if after, err := os.ReadFile(filepath.Join(dir, "journal.db")); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%q: the file was changed: %v", format, err)
		}
	}
}
