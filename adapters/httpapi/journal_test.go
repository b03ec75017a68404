package httpapi_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// An auditor with the right of audit alone checks the journal by its leaves:
// every leaf is in the signed tree, and that tree extends an older one.
func TestAudit(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	for i := range 3 {
		tn.send(ase, fmt.Sprint("k", i), e, pdf)
	}
	secret := tn.token(ase, broker.RightAudit)
	get := func(path string, v any) {
		t.Helper()
		a := tn.as(ase, request{method: "GET", path: path, token: secret})
		a.into(t, 200, v)
	}
	var head struct {
		Origin, Root, Checkpoint string
		Size                     uint64
	}
	get("/v1/journal/head", &head)
	at, err := journal.ParseCheckpoint([]byte(head.Checkpoint))
	if err != nil || at.Size != head.Size || hex.EncodeToString(at.Root[:]) != head.Root {
		t.Fatalf("head %+v, %v", head, err)
	}
	var page struct {
		Items []struct {
			N    uint64
			Leaf string
		}
	}
	get("/v1/journal/entries?limit=500", &page)
	if uint64(len(page.Items)) < head.Size {
		t.Fatalf("%d leaves of %d", len(page.Items), head.Size)
	}
	for _, it := range page.Items[:head.Size] {
		if _, err := journal.ParseLeaf([]byte(it.Leaf)); err != nil {
			t.Fatal(err)
		}
		var proof struct {
			LeafHash string `json:"leaf_hash"`
			Path     []string
		}
		get(fmt.Sprintf("/v1/journal/proofs?leaf=%d&size=%d", it.N, head.Size), &proof)
		hash := journal.LeafHash([]byte(it.Leaf))
		if hex.EncodeToString(hash[:]) != proof.LeafHash {
			t.Errorf("leaf %d: another hash", it.N)
		}
		if err := tlog.CheckRecord(hashes(t, proof.Path), int64(head.Size), tlog.Hash(at.Root), int64(it.N), tlog.Hash(hash)); err != nil {
			t.Errorf("leaf %d: %v", it.N, err)
		}
	}
	old := at.Size
	tn.send(ase, "k9", e, pdf)
	tn.Nodes[nord].Journal.Head()
	var grown struct {
		Size uint64
		Path []string
	}
	get(fmt.Sprintf("/v1/journal/consistency?from=%d", old), &grown)
	var now tlog.Hash
	err = tn.Nodes[nord].Journal.View(func(v journal.View) (err error) {
		now, err = tlog.TreeHash(int64(grown.Size), v.Hashes())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckTree(tlog.TreeProof(hashes(t, grown.Path)), int64(grown.Size), now, int64(old), tlog.Hash(at.Root)); err != nil {
		t.Errorf("%d leaves to %d: %v", old, grown.Size, err)
	}
	if text, err := json.Marshal(page); err != nil || holds(string(text)) != "" {
		t.Error("leaves hold more than facts")
	}
}

func hashes(t *testing.T, path []string) []tlog.Hash {
	t.Helper()
	var out []tlog.Hash
	for _, s := range path {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != 32 {
			t.Fatalf("not a hash: %v", err)
		}
		out = append(out, tlog.Hash(b))
	}
	return out
}
