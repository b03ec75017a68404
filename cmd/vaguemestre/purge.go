package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
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
			return t.ask(c.Context(), data, func(b *client) error {
				var done map[string]any
				if err := b.call(c.Context(), http.MethodPost, "/admin/v1/messages/"+url.PathEscape(args[0])+"/purge", nil, &done); err != nil {
					return err
				}
				if t.json {
					return t.answer(done)
				}
				t.print("%s: content erased, evidence signed and journaled", args[0])
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}
