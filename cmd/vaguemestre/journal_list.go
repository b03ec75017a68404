package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/serving"
)

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
			if err := f.guard(c.Context(), t); err != nil {
				return err
			}
			return t.askJournal(c.Context(), f.data, func(b *client) error {
				switch {
				case letters:
					return t.listLetters(c.Context(), b)
				case alarms:
					return t.listAlarms(c.Context(), b)
				}
				return each(c.Context(), b, fmt.Sprintf("/admin/v1/journal/leaves?from=%d", from), t.printLeaf)
			})
		},
	}
	f.bind(c)
	c.Flags().Uint64Var(&from, "from", 0, "number of the first leaf")
	c.Flags().BoolVar(&letters, "letters", false, "list the dead letters")
	c.Flags().BoolVar(&alarms, "alarms", false, "list the alarms")
	return c
}

func (t *terminal) printLeaf(l serving.Leaf) error {
	if t.json {
		return t.answer(l)
	}
	t.print("%s", strings.TrimRight(fmt.Sprintf("%8d  %s  %-15s  %-36s  %s", l.N, l.At, l.Type, l.ID, l.Digest), " "))
	return nil
}
