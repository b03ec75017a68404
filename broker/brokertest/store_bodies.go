package brokertest

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"vaguemestre/broker/journal"
)

func testBodies(t *testing.T, s journal.Store) {
	small, large := []byte("petit"), bytes.Repeat([]byte("grand "), 40<<10)
	write := func(content []byte) journal.Blob { return writeBody(t, s, content) }
	read := func(digest string) ([]byte, error) { return readBody(s, digest) }
	bs, bl := write(small), write(large)
	if bs.Bytes == nil || bl.Bytes != nil {
		t.Errorf("inline: small %v, large %v", bs.Bytes != nil, bl.Bytes != nil)
	}
	MustAppend(t, s, noted(journal.Changes{Blobs: []journal.Blob{bs, bl}}))
	bs.Bytes = nil // held already: a second reception names it only
	MustAppend(t, s, noted(journal.Changes{Blobs: []journal.Blob{bs, bl}}))
	orphan := write(append(large, 'x'))
	w, err := s.Bodies().Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(large); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Bodies().Sweep(); err != nil || n != 0 {
		t.Errorf("swept %d in use: %v", n, err)
	}
	w.Abort()
	for _, want := range [][]byte{small, large, append(large, 'x')} {
		if got, err := read(digestOf(want)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("body of %d bytes: %d, %v", len(want), len(got), err)
		}
	}
	for range 2 {
		if err := s.Bodies().Remove(orphan.SHA256); err != nil {
			t.Errorf("remove: %v", err)
		}
	}
	if _, err := read(orphan.SHA256); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("after the removal: %v", err)
	}
	for _, digest := range []string{"", "zz", "../../etc", strings.Repeat("0", 64), strings.Repeat("A", 64)} {
		if _, err := read(digest); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("no such body: %v", err)
		}
	}
}

func writeBody(t testing.TB, s journal.Store, content []byte) journal.Blob {
	t.Helper()
	w, err := s.Bodies().Create()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for part := range slices.Chunk(content, 10_000) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	b, err := w.Close()
	if err != nil || b.SHA256 != digestOf(content) || b.Size != int64(len(content)) || b.Name != journal.BodyName(b.SHA256) {
		t.Fatalf("blob %+v: %v", b, err)
	}
	return b
}

func readBody(s journal.Store, digest string) ([]byte, error) {
	b, err := s.Bodies().Open(digest)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
}
