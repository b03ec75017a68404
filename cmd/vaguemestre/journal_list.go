package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// leaf is one line of `journal list --json`.
type leaf struct {
	N      uint64 `json:"n"`
	At     string `json:"at"`
	Type   string `json:"type"`
	ID     string `json:"id,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// listPage is how many leaves are read in one transaction: a long one would
// make the file grow.
const listPage = 512

func newJournalListCommand(t *terminal) *cobra.Command {
	var f journalFlags
	var from uint64
	var letters, alarms bool
	c := &cobra.Command{
		Use:   "list --data DIR",
		Short: "List the leaves of the journal, its dead letters or its alarms",
		Long: "List the leaves of the log in course: number, hour, type, pli, digest. No name, no\n" +
			"kind and no content is in them. With --letters, list what was given up and waits\n" +
			"for a person (see requeue); with --alarms, the plis that somebody must look at.\n" +
			"With --json, one object a line.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if letters && alarms || (letters || alarms) && c.Flags().Changed("from") {
				return &usageError{text: "--letters, --alarms and --from are three lists", hint: seeHelp(c)}
			}
			return f.readJournal(c.Context(), t, func(j *journal.Journal) error {
				switch {
				case letters:
					return t.listLetters(c.Context(), j)
				case alarms:
					return t.listAlarms(j)
				}
				for size := j.Head().Size; from < size; from += listPage {
					if err := c.Context().Err(); err != nil {
						return err
					}
					if err := t.listLeaves(j, from, min(from+listPage, size)); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	f.bind(c)
	c.Flags().Uint64Var(&from, "from", 0, "number of the first leaf")
	c.Flags().BoolVar(&letters, "letters", false, "list the dead letters")
	c.Flags().BoolVar(&alarms, "alarms", false, "list the alarms")
	return c
}

func (t *terminal) listLeaves(j *journal.Journal, from, end uint64) error {
	var page []leaf
	err := j.View(func(v journal.View) error {
		for n := from; n < end; n++ {
			b, err := v.Leaf(n)
			if err != nil {
				return fmt.Errorf("leaf %d: %w", n, err)
			}
			l, err := journal.ParseLeaf(b)
			if err != nil {
				return fmt.Errorf("leaf %d: %w", n, err)
			}
			page = append(page, leaf{N: l.N, At: broker.FormatTime(l.At), Type: l.Type, ID: l.ID, Digest: l.Digest})
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range page {
		if t.json {
			if err := t.answer(l); err != nil {
				return err
			}
			continue
		}
		t.print("%s", strings.TrimRight(fmt.Sprintf("%8d  %s  %-15s  %-36s  %s", l.N, l.At, l.Type, l.ID, l.Digest), " "))
	}
	return nil
}
