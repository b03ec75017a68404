package export

import (
	"bytes"
	"encoding/hex"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// checkpoint: the exporting broker signed the root that the proof leads to.
func (c *checking) checkpoint() error {
	text, err := c.t.read(fileCheckpoint)
	if err != nil {
		return err
	}
	head, err := journal.ParseCheckpoint(text)
	if err != nil || head != c.proof.head() {
		return fault(fileCheckpoint, "does not say what proof.json says")
	}
	at, err := c.signedByExporter(fileCheckpoint)
	if err != nil {
		return err
	}
	for _, f := range c.inscribed {
		// The checkpoint covers it, so it was made before; clocks differ a little.
		if f.at.After(at.Add(broker.Skew)) {
			return fault(fileCheckpoint, "earlier than a fact that it covers")
		}
	}
	return nil
}

// journal: each fact has its leaf, and each leaf is under the signed root.
func (c *checking) journal() error {
	if len(c.proof.Leaves) != len(c.inscribed) {
		return fault(fileProof, "not one leaf for each fact")
	}
	var last uint64
	for i, want := range c.inscribed {
		l := c.proof.Leaves[i]
		if err := c.leaf(leafName(i), want, l); err != nil {
			return err
		}
		if i >= firstEvidence {
			if l.N < last {
				return fault(fileProof, "the evidences are not in the order of the journal")
			}
			last = l.N
		}
		if !c.proof.includes(l) {
			return fault(fileProof, leafName(i)+" is not under the root of the journal")
		}
	}
	return nil
}

// leaf: leaf/NN.json says that fact.
func (c *checking) leaf(name string, want inscribed, l proofLeaf) error {
	b, err := c.t.read(name)
	if err != nil {
		return err
	}
	hash := journal.LeafHash(b)
	leaf, err := journal.ParseLeaf(b)
	switch {
	case err != nil:
		return fault(name, "not in the form of a leaf")
	case !bytes.Equal([]byte(hex.EncodeToString(hash[:])), []byte(l.Leaf)) || leaf.N != l.N:
		return fault(name, "not the leaf of proof.json")
	case leaf.Type != want.kind || leaf.ID != c.header.ID || leaf.Digest != want.digest:
		return fault(name, "says another fact")
	case want.at.After(leaf.At.Add(broker.Skew)):
		return fault(name, "journaled before it was signed")
	case want.log.Origin == c.proof.Origin && want.log.Size > l.N:
		// An evidence cannot be in a journal before what it cites of it.
		return fault(name, "the evidence cites a longer journal")
	}
	return nil
}
