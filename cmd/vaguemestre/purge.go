package main

import (
	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/wiring"
)

func newPurgeCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "purge ID --data DIR",
		Short: "Erase the content of a pli here, and sign that it was erased",
		Long: "Erase the sealed content of a pli and the sealed details of its evidences from\n" +
			"this data directory. Signatures and journal stay: what was proven stays proven.\n" +
			"The other side keeps its copy. This cannot be undone.",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return t.withNode(c.Context(), data, func(_ *wiring.Data, n *wiring.Node) error {
				if err := n.Broker.Purge(c.Context(), args[0]); err != nil {
					return err
				}
				if t.json {
					return t.answer(map[string]any{"id": args[0], "purged": true})
				}
				t.print("%s: content erased, evidence signed and journaled", args[0])
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}
