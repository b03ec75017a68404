package journal

import (
	"bytes"
	"errors"
	"math/bits"
	"testing"
)

// FuzzParseFrontier: the nodes of a frontier are written as they were read, are
// as many as the size has bits, and serve to append and to compute a root.
func FuzzParseFrontier(f *testing.F) {
	f.Add(uint64(0), []byte{})
	f.Add(uint64(1), make([]byte, 32))
	f.Add(uint64(6), bytes.Repeat([]byte{1, 2}, 32))
	f.Add(^uint64(0)>>1, make([]byte, 63*32))
	f.Add(uint64(3), make([]byte, 32))
	f.Fuzz(func(t *testing.T, size uint64, nodes []byte) {
		front, err := ParseFrontier(size, nodes)
		if err != nil {
			if !errors.Is(err, ErrFrontier) {
				t.Fatal(err)
			}
			return
		}
		if front.Size != size || len(front.Nodes) != bits.OnesCount64(size) || !bytes.Equal(front.AppendNodes(nil), nodes) {
			t.Fatalf("read otherwise: %d nodes for %d leaves", len(front.Nodes), size)
		}
		before := front.Root()
		if size == ^uint64(0) {
			return // no leaf more can be counted
		}
		front.Append([32]byte{1}, nil)
		if front.Size != size+1 || len(front.Nodes) != bits.OnesCount64(size+1) || front.Root() == before {
			t.Fatal("a leaf changes nothing")
		}
	})
}
