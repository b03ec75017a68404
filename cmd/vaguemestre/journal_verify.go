package main

import (
	"encoding/hex"

	"github.com/spf13/cobra"

	"vaguemestre/broker/journal/boltstore"
)

// verifiedJournal is what `journal verify --json` prints when everything
// holds.
type verifiedJournal struct {
	Verified   bool   `json:"verified"`
	Broker     string `json:"broker"`
	Origin     string `json:"origin"`
	Size       uint64 `json:"size"`
	Root       string `json:"root"` // hex
	Logs       int    `json:"logs"`
	Events     uint64 `json:"events"` // in all logs
	Objects    int    `json:"objects"`
	Blobs      int    `json:"blobs"`
	Pending    int    `json:"pending"`
	Letters    int    `json:"letters"`
	Signatures int    `json:"signatures"`
	Heads      int    `json:"heads"`
}

func newJournalVerifyCommand(t *terminal) *cobra.Command {
	var f journalFlags
	c := &cobra.Command{
		Use:   "verify --data DIR",
		Short: "Recompute the whole journal, and name the first bad record",
		Long: "Recompute every leaf, object, body and projection of a journal, or of a copy of\n" +
			"one, and compare. Nothing is changed, and no passphrase is needed. A tail that was\n" +
			"cut off is found only with --head. Exits with 3 and the first bad record.",
		Example: "  vaguemestre journal verify --data ./copie --head ./preuve/checkpoint.txt",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			r, err := f.verify(c.Context(), t)
			if err != nil {
				return err
			}
			return t.printJournal(r)
		},
	}
	f.bind(c)
	return c
}

func verifiedJournalOf(r boltstore.Report) verifiedJournal {
	return verifiedJournal{
		Verified: true, Broker: r.Broker, Origin: r.Origin, Size: r.Size, Root: hex.EncodeToString(r.Root[:]), Logs: len(r.Logs), Events: r.Events,
		Objects: r.Objects, Blobs: r.Blobs, Pending: r.Pending, Letters: r.Letters, Signatures: r.Signatures, Heads: r.Heads,
	}
}

func (t *terminal) printJournal(r boltstore.Report) error {
	v := verifiedJournalOf(r)
	if t.json {
		return t.answer(v)
	}
	t.print("verified: journal of %s, %d leaves, root %s", v.Broker, v.Size, v.Root)
	t.print("origin: %s (%d logs, %d events)", v.Origin, v.Logs, v.Events)
	t.print("held: %d objects, %d bodies and sealed details; %d pending, %d dead letters", v.Objects, v.Blobs, v.Pending, v.Letters)
	t.print("checked: %d signatures of checkpoints, %d heads kept elsewhere", v.Signatures, v.Heads)
	return nil
}
