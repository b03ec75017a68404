package main

import (
	"github.com/spf13/cobra"

	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
)

func newJournalBackupCommand(t *terminal) *cobra.Command {
	var f journalFlags
	var out string
	c := &cobra.Command{
		Use:   "backup --data DIR --out DIR",
		Short: "Copy a data directory, and verify the copy",
		Long: "Copy the journal as of one moment, under a signed checkpoint, with its bodies, the\n" +
			"configuration and the locked keys, then verify the copy. A broker that is started\n" +
			"on the copy begins a new log, which names the old one. The copy opens with the\n" +
			"same passphrase: keep it as carefully.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := serving.Vacant(out); err != nil {
				return err
			}
			err := t.ask(c.Context(), f.data, func(b *client) error {
				var done map[string]any
				return b.folder(c.Context(), "/admin/v1/journal/backup", nil, out, &done)
			})
			if err != nil {
				return err
			}
			var r boltstore.Report
			copied := journalFlags{data: out, heads: f.heads}
			if r, err = copied.verify(c.Context(), t); err != nil {
				return err
			}
			return t.printJournal(r)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&out, "out", "", "folder of the copy, which must not exist or be empty (required)")
	required(c, "out")
	_ = c.MarkFlagDirname("out") // completion only
	return c
}
