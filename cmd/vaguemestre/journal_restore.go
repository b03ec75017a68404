package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
)

func newJournalHeadsCommand(t *terminal) *cobra.Command {
	var data, of string
	c := &cobra.Command{
		Use:   "heads --of BROKER --data DIR",
		Short: "Show how far the journal of another broker was seen here",
		Long: "Print the last head of each log of another broker that an evidence held here states,\n" +
			"as checkpoints. When that broker is restored from a backup, its operator gives them\n" +
			"to vaguemestre serve --head: what is missing is named before anything is served.",
		Example: "  vaguemestre journal heads --of courrier-justice-lille --data ./data > heads.txt",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.ask(c.Context(), data, func(b *client) error {
				var h serving.HeadsOf
				if err := b.call(c.Context(), http.MethodGet, "/admin/v1/journal/heads?of="+url.QueryEscape(of), nil, &h); err != nil {
					return err
				}
				if t.json {
					return t.answer(h)
				}
				if len(h.Checkpoints) == 0 {
					t.say("No evidence of that broker is held here.")
					return nil
				}
				t.print("%s", strings.TrimSuffix(strings.Join(h.Checkpoints, "\n"), "\n"))
				return nil
			})
		},
	}
	dataFlag(c, &data)
	c.Flags().StringVar(&of, "of", "", "the other broker (required)")
	required(c, "of")
	return c
}

func newJournalResendCommand(t *terminal) *cobra.Command {
	var data, to, since string
	c := &cobra.Command{
		Use:   "resend --to BROKER --since TIME --data DIR",
		Short: "Carry again what a broker lost that was restored from a backup",
		Long: "Put every pli and evidence that the parties of another broker were sent from here\n" +
			"since a time in the queue again. What that broker still has changes nothing there;\n" +
			"what it lost, it receives as if for the first time. Plis that it had sent itself and\n" +
			"lost are not recovered so: they are here, and its operator is told which by hand.",
		Example: "  vaguemestre journal resend --to courrier-justice-lille --since 2026-11-20T04:00:00Z --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			at, err := time.Parse(time.RFC3339, since)
			if err != nil {
				return &usageError{text: "--since: want a time such as 2026-11-20T04:00:00Z", hint: "give the time of the backup that was restored, or an earlier one"}
			}
			return t.ask(c.Context(), data, func(b *client) error {
				var n broker.Resent
				if err := b.call(c.Context(), http.MethodPost, "/admin/v1/journal/resend", serving.Resending{To: to, Since: at}, &n); err != nil {
					return err
				}
				if t.json {
					return t.answer(n)
				}
				t.print("in the queue again: %d plis, %d evidences", n.Plis, n.Evidences)
				return nil
			})
		},
	}
	dataFlag(c, &data)
	c.Flags().StringVar(&to, "to", "", "the broker that was restored (required)")
	c.Flags().StringVar(&since, "since", "", "from when on, RFC 3339 (required)")
	required(c, "to")
	required(c, "since")
	return c
}

func newJournalSettledCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "settled --data DIR",
		Short: "Take down the alarm of a journal that lacks its end",
		Long: "Say that what a restored journal lacked was sent again by the other brokers, or is\n" +
			"known to be lost. The decision is journaled.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.ask(c.Context(), data, func(b *client) error {
				var done map[string]any
				if err := b.call(c.Context(), http.MethodPost, "/admin/v1/journal/settled", nil, &done); err != nil {
					return err
				}
				if t.json {
					return t.answer(done)
				}
				t.print("the alarm of the missing end is taken down")
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}

func newJournalCompactCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "compact --data DIR",
		Short: "Give the space of what was erased back to the disk",
		Long: "Write the journal file anew without the space that purged and replaced content left,\n" +
			"and put it in the place of the old one. A running broker goes on meanwhile. The disk\n" +
			"needs room for both; a crash leaves one of the two, whole. Then nothing of what was\n" +
			"purged is left in the file.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.ask(c.Context(), data, func(b *client) error {
				var done serving.Compacted
				if err := b.call(c.Context(), http.MethodPost, "/admin/v1/journal/compact", nil, &done); err != nil {
					return err
				}
				if t.json {
					return t.answer(done)
				}
				t.print("compacted: %d bytes, %d before", done.After, done.Before)
				return nil
			})
		},
	}
	dataFlag(c, &data)
	return c
}

// compared verifies a journal against heads that others kept, before it is
// served. A missing end is returned, to be told once the broker runs; anything
// else keeps it from running.
func (f *journalFlags) compared(ctx context.Context, t *terminal) (*boltstore.MissingError, error) {
	if len(f.heads) == 0 {
		return nil, nil
	}
	_, err := f.verify(ctx, t)
	if missing := (*boltstore.MissingError)(nil); errors.As(err, &missing) {
		return missing, nil
	}
	return nil, err
}
