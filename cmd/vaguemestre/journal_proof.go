package main

import (
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// inclusion has the members of proof.json, and the signed checkpoint that it
// leads to.
type inclusion struct {
	V             int            `json:"v"`
	Broker        string         `json:"broker"`
	Origin        string         `json:"origin"`
	Size          uint64         `json:"size"`
	Root          string         `json:"root"`
	Leaves        []includedLeaf `json:"leaves"`
	Checkpoint    string         `json:"checkpoint"`
	CheckpointSig string         `json:"checkpoint_signature"`
}

type includedLeaf struct {
	Leaf string   `json:"leaf"`
	N    uint64   `json:"n"`
	Path []string `json:"path"`
}

func newJournalProofCommand(t *terminal) *cobra.Command {
	var f journalFlags
	c := &cobra.Command{
		Use:   "proof N… --data DIR",
		Short: "Prove that leaves are in the journal, under a signed checkpoint",
		Long: "Print the inclusion paths (RFC 6962) of some leaves and the checkpoint, signed by\n" +
			"the broker, that they lead to. For the whole proof of a pli, see export.",
		Example: "  vaguemestre journal proof 12 --data ./data",
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			leaves, err := numbers(args)
			if err != nil {
				return err
			}
			if err := f.guard(c.Context(), t); err != nil {
				return err
			}
			return t.withNode(c.Context(), f.data, func(_ *wiring.Data, n *wiring.Node) error {
				text, sig, err := n.Journal.Checkpoint(c.Context(), n.Journal.Head().Size)
				if err != nil {
					return err
				}
				head, err := journal.ParseCheckpoint(text)
				if err != nil {
					return err
				}
				in, err := n.Journal.Proof(c.Context(), leaves, head.Size)
				if err != nil {
					return err
				}
				return t.printProof(head, in, text, sig)
			})
		},
	}
	f.bind(c)
	return c
}

func numbers(args []string) ([]uint64, error) {
	var out []uint64
	for _, a := range args {
		n, err := strconv.ParseUint(a, 10, 63)
		if err != nil {
			return nil, &usageError{text: "N is the number of a leaf", hint: "vaguemestre journal list --data DIR shows them"}
		}
		out = append(out, n)
	}
	return out, nil
}

func (t *terminal) printProof(head journal.Head, in []journal.Inclusion, text, sig []byte) error {
	p := inclusion{
		V: 1, Broker: head.Broker, Origin: head.Origin, Size: head.Size, Root: hex.EncodeToString(head.Root[:]),
		Checkpoint: string(text), CheckpointSig: string(sig),
	}
	for _, i := range in {
		l := includedLeaf{Leaf: hex.EncodeToString(i.Leaf[:]), N: i.N, Path: []string{}}
		for _, node := range i.Path {
			l.Path = append(l.Path, hex.EncodeToString(node[:]))
		}
		p.Leaves = append(p.Leaves, l)
	}
	if t.json {
		return t.answer(p)
	}
	for _, l := range p.Leaves {
		t.print("leaf %d of %d: %s", l.N, p.Size, l.Leaf)
		for _, node := range l.Path {
			t.print("  %s", node)
		}
	}
	t.print("root: %s", p.Root)
	if _, err := fmt.Fprintf(t.out, "%s%s", text, sig); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
