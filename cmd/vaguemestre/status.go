package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/clock"
	"vaguemestre/cmd/vaguemestre/serving"
)

// stated is the state of a message, as the API gives it.
type stated struct {
	listed
	HeaderSHA256 string       `json:"header_sha256,omitempty"`
	Evidences    []statedFact `json:"evidences"`
	Deadlines    []statedDue  `json:"deadlines"`
}

type statedFact struct {
	Digest     string `json:"digest"`
	Event      string `json:"event"`
	Label      string `json:"label"`
	ETSI       string `json:"etsi"`
	Recipient  string `json:"recipient"`
	At         string `json:"at"`
	DoneAt     string `json:"done_at,omitempty"`
	By         string `json:"by"`
	Home       string `json:"home"`
	ReasonCode string `json:"reason_code,omitempty"`
}

type statedDue struct {
	Event      string `json:"event"`
	Recipient  string `json:"recipient"`
	Due        string `json:"due"`
	Indicative bool   `json:"indicative"`
}

func newStatusCommand(t *terminal) *cobra.Command {
	var a acting
	c := &cobra.Command{
		Use:   "status ID --data DIR [--as PARTY]",
		Short: "Tell what became of a message",
		Long: "Tell the state of a message for each recipient, the hours that are watched, always\n" +
			"indicative, and the signed facts in the order of this journal. Nothing is opened.\n" +
			"\n" +
			"A sender sees every recipient, a recipient itself. Without --as, the sender is asked\n" +
			"when it lives here, otherwise each recipient that does.",
		Example: "  vaguemestre status 01981c0e-… --data ./data",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("as") {
				return t.askAs(c.Context(), a, func(m *mailbox) error {
					v, err := m.stated(c.Context(), args[0])
					if err != nil {
						return err
					}
					return t.printStated(m, v)
				})
			}
			return t.statusForAll(c.Context(), a.data, args[0])
		},
	}
	dataFlag(c, &a.data)
	c.Flags().StringVar(&a.as, "as", "", "the party that asks, which lives here")
	return c
}

func (m *mailbox) stated(ctx context.Context, id string) (*stated, error) {
	var v stated
	if err := m.call(ctx, http.MethodGet, messagePath(id), nil, &v); err != nil {
		return nil, err
	}
	return &v, nil
}

// statusForAll asks for every party that lives here, and tells what the one
// that sees all sees.
func (t *terminal) statusForAll(ctx context.Context, data, id string) error {
	d, err := readData(data)
	if err != nil {
		return err
	}
	ids := living(d)
	if len(ids) == 0 {
		return &hinted{errors.New("no party lives here"), "give the data directory of the broker of a party"}
	}
	return t.ask(ctx, data, func(c *client) error {
		var seen []func() error
		var absent error
		for _, party := range ids {
			m, err := mailboxOf(acting{data, party})
			if err != nil {
				return err
			}
			m.client = c.acting(m.party)
			v, err := m.stated(ctx, id)
			if p := (*serving.Problem)(nil); errors.As(err, &p) && p.Code == httpapi.CodeMessage {
				absent = err
				continue
			}
			if err != nil {
				return t.told(err)
			}
			if v.Box == "sent" {
				return t.printStated(m, v)
			}
			seen = append(seen, func() error { return t.printStated(m, v) })
		}
		if len(seen) == 0 {
			return t.told(absent)
		}
		for _, print := range seen {
			if err := print(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *terminal) printStated(m *mailbox, v *stated) error {
	if t.json {
		return t.answer(v)
	}
	t.notice(v.Notice)
	t.print("Pli %s, %s, du %s", v.ID, v.Urgency, m.hour(v.SentAt))
	t.print("De %s à %s", v.From, strings.Join(v.To, ", "))
	if len(v.Cc) > 0 {
		t.print("Copie à %s", strings.Join(v.Cc, ", "))
	}
	for _, s := range v.States {
		t.print("  %s : %s", s.Recipient, s.words())
	}
	for _, d := range v.Deadlines {
		due, err := time.Parse(time.RFC3339, d.Due)
		if err != nil {
			return fmt.Errorf("answer of the broker: %w", err)
		}
		t.print("Réponse de %s attendue avant le %s (indicatif)", d.Recipient, clock.LongDue(due, m.zone))
	}
	rows := [][]string{}
	for _, e := range v.Evidences {
		row := []string{"  " + m.hour(e.At), e.Label, orAllFrench(e.Recipient), "signé " + e.By}
		if e.DoneAt != "" {
			row[1] += " (acte du " + m.day(e.DoneAt) + ")"
		}
		if e.ReasonCode != "" {
			row[1] += " : " + broker.ExplainCode(e.ReasonCode)
		}
		rows = append(rows, row)
	}
	return t.table(rows)
}

// orAllFrench names the recipient of a fact.
func orAllFrench(recipient string) string {
	if recipient == "" {
		return "tous"
	}
	return recipient
}

// day shows the date of an act, with its hour when one was said.
func (m *mailbox) day(instant string) string {
	return strings.TrimSuffix(m.hour(instant), " 00 h 00")
}
