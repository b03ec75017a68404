package main

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/serving"
)

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
			return t.ask(c.Context(), f.data, func(b *client) error {
				var p serving.Proof
				if err := b.call(c.Context(), http.MethodPost, "/admin/v1/journal/proof", serving.Proving{Leaves: leaves}, &p); err != nil {
					return err
				}
				return t.printProof(p)
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

func (t *terminal) printProof(p serving.Proof) error {
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
	if _, err := fmt.Fprintf(t.out, "%s%s", p.Checkpoint, p.CheckpointSig); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
