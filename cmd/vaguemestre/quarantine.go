package main

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
)

func newQuarantineCommand(t *terminal) *cobra.Command {
	c := group("quarantine", "List what is withheld until a person telephones, let it through or send it back",
		newQuarantineListCommand(t), newQuarantineReleaseCommand(t), newQuarantineReturnCommand(t))
	c.Long = "A message is withheld when the key of its sender was revoked after its deposit, or\n" +
		"when it is urgent and its document is faulty. Telephone its sender at a number that\n" +
		"you know, not one of the message. If it was sent so, let it through: release. If it\n" +
		"was not, return it. Any other act (ack) ends the quarantine too."
	return c
}

func newQuarantineListCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:     "list --data DIR",
		Short:   "List what is withheld",
		Long:    "List what is withheld, messages and evidences alike. With --json, one object a line.",
		Example: "  vaguemestre quarantine list --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := present(data); err != nil {
				return err
			}
			return t.askJournal(c.Context(), data, func(b *client) error {
				return each(c.Context(), b, "/admin/v1/journal/alarms", func(a waitingAlarm) error {
					if a.Cause != string(broker.Quarantined) {
						return nil
					}
					if t.json {
						return t.answer(a)
					}
					t.print("%s  %s  %s: %s", a.Since, a.ID, a.Recipient, a.Label)
					return nil
				})
			})
		},
	}
	dataFlag(c, &data)
	return c
}

// released is what a person says who lets a message through, as the API takes it.
type released struct {
	Actor  person `json:"actor"`
	Reason string `json:"reason"`
}

func newQuarantineReleaseCommand(t *terminal) *cobra.Command {
	var a acting
	var s released
	c := &cobra.Command{
		Use:   "release ID --as PARTY --actor NAME --reason TEXT --data DIR",
		Short: "Let through what is withheld, once its sender has confirmed it",
		Long: "Sign that a message is at the party's disposal after all, once a person has\n" +
			"telephoned its sender: the alarm ends on both sides, and applications may read it.\n" +
			"The name and the reason stay here, sealed for the party: who confirmed, when, by\n" +
			"which number. This cannot be undone; said again in the same words, it changes\n" +
			"nothing.",
		Example: "  vaguemestre quarantine release 01981c0e-… --as parquet-lille --actor 'MODÈLE Alix' \\\n" +
			"    --reason \"confirmé par la permanence, rappelée à son numéro de l'annuaire\" --data ./data",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return t.askAs(c.Context(), a, func(m *mailbox) error {
				var done acted
				if err := m.call(c.Context(), http.MethodPost, "/admin"+messagePath(args[0], "release"), s, &done); err != nil {
					return err
				}
				if t.json {
					return t.answer(done)
				}
				return t.printActed(m, &done)
			})
		},
	}
	a.bind(c)
	v := c.Flags()
	v.StringVar(&s.Actor.Name, "actor", "", "person who lets it through: family name and first name (required)")
	v.StringVar(&s.Actor.Function, "function", "", "function of that person")
	v.StringVar(&s.Reason, "reason", "", "who confirmed it, and how; kept here, sealed for the party (required)")
	required(c, "actor")
	required(c, "reason")
	return c
}

func newQuarantineReturnCommand(t *terminal) *cobra.Command {
	var a acting
	s := said{Event: string(broker.Returned)}
	c := &cobra.Command{
		Use:   "return ID --as PARTY --actor NAME --reason TEXT --data DIR",
		Short: "Send back what is withheld",
		Long: "Sign that the party returns a message to its sender, with the reason, which is\n" +
			"sealed for the sender. This cannot be undone.",
		Example: "  vaguemestre quarantine return 01981c0e-… --as parquet-lille --actor 'MODÈLE Alix' \\\n" +
			"    --reason \"l'expéditeur dit ne pas l'avoir envoyé\" --data ./data",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return t.askAs(c.Context(), a, func(m *mailbox) error {
				v, err := m.stated(c.Context(), args[0])
				if err != nil {
					return err
				}
				if !v.withheldFor(m.party) {
					return &hinted{errNotWithheld, "vaguemestre quarantine list --data DIR shows what is; to return another message, ack --event returned"}
				}
				return t.act(c.Context(), m, args[0], s)
			})
		},
	}
	a.bind(c)
	v := c.Flags()
	v.StringVar(&s.Actor.Name, "actor", "", "person who returns it: family name and first name (required)")
	v.StringVar(&s.Actor.Function, "function", "", "function of that person")
	v.StringVar(&s.ReasonCode, "reason-code", broker.ReasonOther, "code of the reason")
	v.StringVar(&s.Reason, "reason", "", "what the sender must know of it, sealed for the sender (required)")
	required(c, "actor")
	required(c, "reason")
	return c
}

var errNotWithheld = errors.New("this message is not withheld for that party")
