package main

import (
	"github.com/spf13/cobra"

	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
)

func newJournalBackupCommand(t *terminal) *cobra.Command {
	var f journalFlags
	var out string
	var o wiring.BackupOptions
	c := &cobra.Command{
		Use:   "backup --data DIR --out DIR",
		Short: "Copy a data directory, and verify the copy",
		Long: "Copy the journal as of one moment, under a signed checkpoint, with its bodies, the\n" +
			"configuration and the locked keys, then verify the copy. What it holds and lacks is\n" +
			"printed, and stands in its backup.json; SHA256SUMS lists its files. A broker that is\n" +
			"started on the copy begins a new log, which names the old one. The copy opens with\n" +
			"the same passphrase: keep it as carefully, or keep the folder keys apart from it.",
		Example: "  vaguemestre journal backup --data ./data --out ./copie --without-keys",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := serving.Vacant(out); err != nil {
				return err
			}
			var inv wiring.Inventory
			err := t.ask(c.Context(), f.data, func(b *client) error {
				return b.folder(c.Context(), "/admin/v1/journal/backup", o, out, &inv)
			})
			if err != nil {
				return err
			}
			copied := journalFlags{data: out, heads: f.heads}
			r, err := copied.verify(c.Context(), t)
			if err != nil {
				return err
			}
			return t.printBackup(inv, r)
		},
	}
	f.bind(c)
	c.Flags().StringVar(&out, "out", "", "folder of the copy, which must not exist or be empty (required)")
	c.Flags().BoolVar(&o.WithoutKeys, "without-keys", false, "leave the locked private keys out: the folder keys is kept apart")
	required(c, "out")
	_ = c.MarkFlagDirname("out") // completion only
	return c
}

// backedUp is what `journal backup --json` prints.
type backedUp struct {
	verifiedJournal
	Backup wiring.Inventory `json:"backup"`
}

func (t *terminal) printBackup(inv wiring.Inventory, r boltstore.Report) error {
	if t.json {
		return t.answer(backedUp{verifiedJournalOf(r), inv})
	}
	if err := t.printJournal(r); err != nil {
		return err
	}
	t.print("copied: %d files, %d bytes", inv.Files, inv.Bytes)
	for _, what := range inv.Holds {
		t.print("holds: %s", what)
	}
	for _, what := range inv.Lacks {
		t.print("lacks: %s", what)
	}
	return nil
}
