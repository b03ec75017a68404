package export

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

// errProof says that bytes are not a proof.json as MEMBERS describes it.
var errProof = errors.New("not in the form of proof.json")

// proof is proof.json: that leaves are in the journal of one broker.
type proof struct {
	V      int         `json:"v"`
	Broker string      `json:"broker"`
	Origin string      `json:"origin"`
	Size   uint64      `json:"size"`
	Root   string      `json:"root"`
	Leaves []proofLeaf `json:"leaves"`
}

// proofLeaf is one inclusion; the i-th is that of leaf/NN.json with NN = i.
type proofLeaf struct {
	Leaf string   `json:"leaf"` // hash, hex
	N    uint64   `json:"n"`
	Path []string `json:"path"` // hex, from leaf to root
}

func newProof(h journal.Head, in []journal.Inclusion) proof {
	p := proof{V: 1, Broker: h.Broker, Origin: h.Origin, Size: h.Size, Root: hex.EncodeToString(h.Root[:])}
	for _, i := range in {
		l := proofLeaf{Leaf: hex.EncodeToString(i.Leaf[:]), N: i.N}
		for _, node := range i.Path {
			l.Path = append(l.Path, hex.EncodeToString(node[:]))
		}
		p.Leaves = append(p.Leaves, l)
	}
	return p
}

// encode writes the one form of proof.json. Its values must be valid.
func (p proof) encode() []byte {
	b := fmt.Appendf(nil, `{"v":%d,"broker":"%s","origin":"%s","size":%d,"root":"%s","leaves":[`, p.V, p.Broker, p.Origin, p.Size, p.Root)
	for i, l := range p.Leaves {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"leaf":"`+l.Leaf+`","n":`...)
		b = strconv.AppendUint(b, l.N, 10)
		b = append(b, `,"path":[`...)
		for j, node := range l.Path {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, '"')
			b = append(b, node...)
			b = append(b, '"')
		}
		b = append(b, "]}"...)
	}
	return append(b, "]}"...)
}

// parseProof reads proof.json. Whatever encode would not write is errProof.
func parseProof(b []byte) (proof, error) {
	var p proof
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if len(b) > maxSmall || d.Decode(&p) != nil {
		return proof{}, errProof
	}
	if _, err := d.Token(); err != io.EOF {
		return proof{}, errProof
	}
	if !p.valid() || !bytes.Equal(p.encode(), b) {
		return proof{}, errProof
	}
	return p, nil
}

func (p proof) valid() bool {
	if p.V != 1 || !isBroker(p.Broker) || p.Size > maxNumber || !isHex(p.Root, 64) || len(p.Leaves) > maxFacts+firstEvidence {
		return false
	}
	prefix := p.Broker + "/log/"
	if len(p.Origin) != len(prefix)+32 || p.Origin[:len(prefix)] != prefix || !isHex(p.Origin[len(prefix):], 32) {
		return false
	}
	for _, l := range p.Leaves {
		if !isHex(l.Leaf, 64) || l.N > maxNumber || len(l.Path) > 64 {
			return false
		}
		for _, node := range l.Path {
			if !isHex(node, 64) {
				return false
			}
		}
	}
	return true
}

// head is the head that the proof speaks of. p must be valid.
func (p proof) head() journal.Head {
	return journal.Head{Broker: p.Broker, Origin: p.Origin, Size: p.Size, Root: [32]byte(unhex(p.Root))}
}

// includes says whether the leaf is in the tree (RFC 9162 section 2.1.3.2).
func (p proof) includes(l proofLeaf) bool {
	if l.N >= p.Size {
		return false
	}
	path := make(tlog.RecordProof, len(l.Path))
	for i, node := range l.Path {
		path[i] = tlog.Hash(unhex(node))
	}
	return tlog.CheckRecord(path, int64(p.Size), tlog.Hash(unhex(p.Root)), int64(l.N), tlog.Hash(unhex(l.Leaf))) == nil
}

// unhex decodes digits that isHex accepted, 64 of them.
func unhex(s string) []byte {
	out := make([]byte, 32)
	if _, err := hex.Decode(out, []byte(s)); err != nil {
		return make([]byte, 32)
	}
	return out
}
