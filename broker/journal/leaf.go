package journal

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"strconv"
	"time"
)

// Leaf is what the bytes of a leaf say.
type Leaf struct {
	N      uint64
	At     time.Time
	Type   string
	Nonce  string // 64 lower-case hex digits: SHA-256(salt || record)
	ID     string // "" when absent
	Digest string // "" when absent
}

// ErrLeaf says that bytes are not a leaf as the package comment describes it.
var ErrLeaf = errors.New("journal: not a leaf")

const leafTime = "2006-01-02T15:04:05.000Z"

// Append writes the one encoding of l after b. Its values must be valid.
func (l Leaf) Append(b []byte) []byte {
	b = append(b, `{"v":1,"n":`...)
	b = strconv.AppendUint(b, l.N, 10)
	b = append(b, `,"at":"`...)
	b = l.At.UTC().AppendFormat(b, leafTime)
	b = append(b, `","type":"`...)
	b = append(b, l.Type...)
	b = append(b, `","nonce":"`...)
	b = append(b, l.Nonce...)
	if l.ID != "" {
		b = append(b, `","id":"`...)
		b = append(b, l.ID...)
	}
	if l.Digest != "" {
		b = append(b, `","digest":"`...)
		b = append(b, l.Digest...)
	}
	return append(b, `"}`...)
}

// ParseLeaf reads the bytes of a leaf. Whatever Append would not write is
// ErrLeaf.
func ParseLeaf(b []byte) (Leaf, error) {
	l, ok := scanLeaf(b)
	if !ok || !bytes.Equal(l.Append(nil), b) {
		return Leaf{}, ErrLeaf
	}
	return l, nil
}

func scanLeaf(b []byte) (l Leaf, ok bool) {
	if len(b) > 1024 {
		return l, false
	}
	rest, ok := bytes.CutPrefix(b, []byte(`{"v":1,"n":`))
	if !ok {
		return l, false
	}
	number, rest, ok := bytes.Cut(rest, []byte(`,"at":"`))
	if !ok {
		return l, false
	}
	var err error
	if l.N, err = strconv.ParseUint(string(number), 10, 64); err != nil {
		return l, false
	}
	at, rest, ok := bytes.Cut(rest, []byte(`","type":"`))
	if !ok {
		return l, false
	}
	if l.At, err = time.Parse(leafTime, string(at)); err != nil || checkTime("at", l.At) != nil {
		return l, false
	}
	kind, rest, ok := bytes.Cut(rest, []byte(`","nonce":"`))
	if !ok || !isType(string(kind)) {
		return l, false
	}
	l.Type = string(kind)
	rest, ok = bytes.CutSuffix(rest, []byte(`"}`))
	if !ok {
		return l, false
	}
	if head, digest, found := bytes.Cut(rest, []byte(`","digest":"`)); found {
		if !isHex64(string(digest)) {
			return l, false
		}
		rest, l.Digest = head, string(digest)
	}
	if head, id, found := bytes.Cut(rest, []byte(`","id":"`)); found {
		if len(id) == 0 || checkText("id", string(id), maxName) != nil {
			return l, false
		}
		rest, l.ID = head, string(id)
	}
	l.Nonce = string(rest)
	return l, isHex64(l.Nonce)
}

// LeafHash is the hash of a leaf in the tree: SHA-256(0x00 || b), RFC 6962
// section 2.1.
func LeafHash(b []byte) [32]byte {
	var short [512]byte // no allocation for a leaf of usual length
	return sha256.Sum256(append(short[:1], b...))
}
