package journal

import (
	"crypto/sha256"
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is the right edge of a tree: the roots of the complete subtrees
// that it is made of, the largest first. It is all that appending needs, and
// gives the root.
type Frontier struct {
	Size  uint64
	Nodes [][32]byte
}

// ErrFrontier says that bytes are not the frontier of a tree of that size.
var ErrFrontier = errors.New("journal: not a frontier")

// Append adds the hash of a leaf. It calls complete, if not nil, for each
// subtree that the leaf completes, smallest first: level 0 is the leaf itself.
func (f *Frontier) Append(leaf [32]byte, complete func(level int, hash [32]byte)) {
	h, level := leaf, 0
	for {
		if complete != nil {
			complete(level, h)
		}
		if f.Size>>level&1 == 0 {
			break
		}
		last := len(f.Nodes) - 1
		h = tlog.NodeHash(f.Nodes[last], h)
		f.Nodes = f.Nodes[:last]
		level++
	}
	f.Nodes = append(f.Nodes, h)
	f.Size++
}

// Root is the RFC 6962 root: SHA-256 of nothing for an empty tree.
func (f *Frontier) Root() [32]byte {
	if len(f.Nodes) == 0 {
		return sha256.Sum256(nil)
	}
	h := tlog.Hash(f.Nodes[len(f.Nodes)-1])
	for i := len(f.Nodes) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.Nodes[i], h)
	}
	return h
}

// AppendNodes writes the nodes after b, 32 bytes each.
func (f *Frontier) AppendNodes(b []byte) []byte {
	for i := range f.Nodes {
		b = append(b, f.Nodes[i][:]...)
	}
	return b
}

// ParseFrontier reads the nodes of a tree of that size.
func ParseFrontier(size uint64, nodes []byte) (Frontier, error) {
	n := bits.OnesCount64(size)
	if len(nodes) != 32*n {
		return Frontier{}, ErrFrontier
	}
	f := Frontier{Size: size, Nodes: make([][32]byte, n, n+2)}
	for i := range f.Nodes {
		f.Nodes[i] = [32]byte(nodes[32*i:])
	}
	return f, nil
}
