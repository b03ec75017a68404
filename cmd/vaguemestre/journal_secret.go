package main

import (
	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

func newJournalRenewSecretCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "renew-secret --data DIR",
		Short: "Go on without the local secret, when no copy of it is left",
		Long: "Draw a new local secret for a data directory whose file secret is lost, and journal\n" +
			"that. Put the file back from a backup instead, if there is one: that loses nothing.\n" +
			"\n" +
			"Lost with the old secret: an application that repeats a call because the answer never\n" +
			"came is no longer recognised, and the same document goes out a second time; a pli\n" +
			"that waits may be overtaken by a later one of the same situation. So stop the\n" +
			"applications first, and find out with each of them which of its last calls are in the\n" +
			"journal (journal list): these must not be repeated.\n" +
			"\n" +
			"No key and no proof is touched. A secret that is there is never replaced.",
		Example: "  vaguemestre journal renew-secret --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.within(c.Context(), data, (*wiring.Data).RenewSecret, func(_ *wiring.Data, n *wiring.Node) error {
				waiting := 0
				err := n.Journal.View(func(v journal.View) error {
					waiting = v.Pending(broker.TopicPli)
					return nil
				})
				if err != nil {
					return err
				}
				t.say("Calls that were answered before are no longer recognised: do not repeat them.")
				if t.json {
					return t.answer(map[string]any{"renewed": true, "waiting": waiting})
				}
				t.print("a new local secret is in force, and journaled; deliveries that wait: %d", waiting)
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}
