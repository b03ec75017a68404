package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
)

// said is an act as the API takes it.
type said struct {
	Event      string `json:"event"`
	Actor      person `json:"actor"`
	DoneAt     string `json:"done_at,omitempty"`
	Number     string `json:"number,omitempty"`
	ReasonCode string `json:"reason_code,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Place      string `json:"place,omitempty"`
}

// acted is the signed answer, as the API gives it.
type acted struct {
	Event     string `json:"event"`
	Digest    string `json:"digest"`
	Evidence  []byte `json:"evidence"`
	Signature string `json:"signature"`
	Repeated  bool   `json:"repeated"`
}

func newAckCommand(t *terminal) *cobra.Command {
	var a acting
	var s said
	var date string
	c := &cobra.Command{
		Use:   "ack ID --as PARTY --event EVENT --actor NAME --data DIR",
		Short: "Say what becomes of a message, in the name of a person",
		Long: "Sign an act of a recipient: " + strings.Join(sayable(), ", ") + ".\n" +
			"The person is named, and shown as declared by whoever runs the broker. What was\n" +
			"said stays; the same act said again in the same words changes nothing, so a call\n" +
			"whose answer was lost is simply repeated.\n" +
			"\n" +
			"A date is that of the act itself: 20/11/2026, 20/11/2026 14 h 30, 2026-11-20,\n" +
			"2026-11-20 14:30, in the local time of the party, or an instant of RFC 3339.\n" +
			"Without an hour it is the beginning of that day.",
		Example: "  vaguemestre ack 01981c0e-… --as je-lille --event registered --actor 'MODÈLE Alix' \\\n" +
			"    --function greffière --number B26/FICTIF/0099 --date '20/11/2026' --data ./data",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return t.askAs(c.Context(), a, func(m *mailbox) (err error) {
				if s.DoneAt, err = doneAt(date, m.zone); err != nil {
					return err
				}
				return t.act(c.Context(), m, args[0], s)
			})
		},
	}
	a.bind(c)
	v := c.Flags()
	v.StringVar(&s.Event, "event", "", "the act (required)")
	v.StringVar(&s.Actor.Name, "actor", "", "person who acts: family name and first name (required)")
	v.StringVar(&s.Actor.Function, "function", "", "function of that person")
	v.StringVar(&s.Number, "number", "", "number of the file, at the greffe that registers")
	v.StringVar(&date, "date", "", "date of the act itself")
	v.StringVar(&s.ReasonCode, "reason-code", "", "code of the reason, where the act wants one")
	v.StringVar(&s.Reason, "reason", "", "what the sender must know of it, sealed for the sender")
	v.StringVar(&s.Place, "place", "", "place of the act, sealed for the sender")
	required(c, "event")
	required(c, "actor")
	return c
}

// sayable lists what a person may say of a message.
func sayable() (words []string) {
	for _, row := range broker.EventTable() {
		if row.Act || row.Event == broker.Opened {
			words = append(words, string(row.Event))
		}
	}
	return words
}

// act says one act of a message, and prints what was signed.
func (t *terminal) act(ctx context.Context, m *mailbox, id string, s said) error {
	var done acted
	if err := m.call(ctx, http.MethodPost, messagePath(id, "acts"), s, &done); err != nil {
		return err
	}
	if t.json {
		return t.answer(done)
	}
	return t.printActed(m, &done)
}

func (t *terminal) printActed(m *mailbox, a *acted) error {
	e, err := broker.ParseEvidence(a.Evidence)
	if err != nil {
		return err
	}
	t.notice(e.Notice)
	again := ""
	if a.Repeated {
		again = " (déjà dit, dans les mêmes termes)"
	}
	t.print("%s : signé pour %s le %s%s", eventLabel(a.Event), e.Recipient, m.hour(e.At), again)
	t.print("Preuve : %s", a.Digest)
	return nil
}
