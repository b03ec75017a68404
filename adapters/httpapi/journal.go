package httpapi

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"

	"vaguemestre/broker/journal"
)

// The journal is shown by its leaves: numbers, hours, types, ids of plis,
// digests. What the leaves stand for is never shown here.

// headView is a signed head of the log in course.
type headView struct {
	Broker        string `json:"broker"`
	Origin        string `json:"origin"`
	Size          uint64 `json:"size"`
	Root          string `json:"root"`
	Checkpoint    string `json:"checkpoint"`
	CheckpointSig string `json:"checkpoint_sig"`
}

func (a *API) journalHead(x *exchange) error {
	if _, err := queryOf(x.r.URL.RawQuery); err != nil {
		return err
	}
	j := a.o.Broker.Journal()
	text, sig, err := j.Checkpoint(x.r.Context(), 0)
	if err != nil {
		return err
	}
	h, err := journal.ParseCheckpoint(text)
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, headView{
		Broker: h.Broker, Origin: h.Origin, Size: h.Size, Root: hex.EncodeToString(h.Root[:]), Checkpoint: string(text), CheckpointSig: string(sig),
	})
}

// Bounds of one page of leaves: a transaction must be short.
const (
	defaultLeaves = 100
	maxLeaves     = 500
)

// entriesView is a page of leaves.
type entriesView struct {
	Origin string      `json:"origin"`
	Size   uint64      `json:"size"` // of the log
	Items  []entryView `json:"items"`
}

type entryView struct {
	N    uint64 `json:"n"`
	Leaf string `json:"leaf"` // the very bytes, which are ASCII
}

func (a *API) journalEntries(x *exchange) error {
	q, err := queryOf(x.r.URL.RawQuery, "from", "limit")
	if err != nil {
		return err
	}
	from, err := number(q, "from", 0)
	if err != nil {
		return err
	}
	most, err := number(q, "limit", defaultLeaves)
	if err != nil {
		return err
	}
	if most < 1 || most > maxLeaves {
		return newProblem(CodeRequest).with(newFault("limit", faultFormat)).hint("limit: 1 to 500")
	}
	out := entriesView{Items: []entryView{}}
	err = a.o.Broker.Journal().View(func(v journal.View) error {
		out.Origin, out.Size = v.Head().Origin, v.Size()
		for n := from; n < out.Size && n-from < most; n++ {
			leaf, err := v.Leaf(n)
			if err != nil {
				return fmt.Errorf("leaf %d: %w", n, err)
			}
			out.Items = append(out.Items, entryView{n, string(leaf)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, out)
}

// proofView proves one leaf, or one tree in another (RFC 6962 section 2.1).
type proofView struct {
	Origin string   `json:"origin"`
	Size   uint64   `json:"size"`
	N      *uint64  `json:"n,omitempty"`
	From   *uint64  `json:"from,omitempty"`
	Leaf   string   `json:"leaf_hash,omitempty"`
	Path   []string `json:"path"`
}

func (a *API) journalProof(x *exchange) error {
	j := a.o.Broker.Journal()
	q, err := queryOf(x.r.URL.RawQuery, "leaf", "size")
	if err != nil {
		return err
	}
	head := j.Head()
	n, err := number(q, "leaf", none)
	if err != nil {
		return err
	}
	size, err := number(q, "size", head.Size)
	if err != nil {
		return err
	}
	in, err := j.ProofIn(x.r.Context(), head.Origin, []uint64{n}, size)
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, proofView{Origin: head.Origin, Size: size, N: &n, Leaf: hex.EncodeToString(in[0].Leaf[:]), Path: hexes(in[0].Path)})
}

func (a *API) journalConsistency(x *exchange) error {
	j := a.o.Broker.Journal()
	q, err := queryOf(x.r.URL.RawQuery, "from", "size")
	if err != nil {
		return err
	}
	head := j.Head()
	from, err := number(q, "from", none)
	if err != nil {
		return err
	}
	size, err := number(q, "size", head.Size)
	if err != nil {
		return err
	}
	p, err := j.Consistency(from, size)
	if err != nil {
		return err
	}
	return x.answer(http.StatusOK, proofView{Origin: head.Origin, Size: size, From: &from, Path: hexes(p)})
}

func hexes(path [][32]byte) []string {
	out := []string{}
	for _, h := range path {
		out = append(out, hex.EncodeToString(h[:]))
	}
	return out
}

// none is the default of a number that is mandatory.
const none = ^uint64(0)

// number reads a parameter that counts leaves.
func number(q map[string]string, name string, otherwise uint64) (uint64, error) {
	v, ok := q[name]
	if !ok && otherwise != none {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(v, 10, 53) // what every JSON reader keeps exactly
	if err != nil {
		code := faultFormat
		if !ok {
			code = faultMandatory
		}
		return 0, newProblem(CodeRequest).with(newFault(name, code))
	}
	return n, nil
}
