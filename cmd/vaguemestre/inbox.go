package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
)

// listed is one line of a list, as the API gives it.
type listed struct {
	ID       string        `json:"id"`
	Box      string        `json:"box"`
	From     string        `json:"from"`
	To       []string      `json:"to"`
	Cc       []string      `json:"cc"`
	Urgency  string        `json:"urgency"`
	SentAt   string        `json:"sent_at"`
	Notice   string        `json:"notice,omitempty"`
	BodySize int64         `json:"body_size"`
	Waiting  bool          `json:"waiting"`
	States   []statedState `json:"states"`
}

// statedState is what became of a pli for one recipient.
type statedState struct {
	Recipient string   `json:"recipient"`
	Copy      bool     `json:"copy"`
	Progress  string   `json:"progress"`
	Label     string   `json:"label"`
	Closure   string   `json:"closure,omitempty"`
	Flags     []string `json:"flags"`
	Acted     bool     `json:"acted"`
	Alarms    []string `json:"alarms"`
}

type listedPage struct {
	Items []listed `json:"items"`
	Next  string   `json:"next_cursor"`
}

func newInboxCommand(t *terminal) *cobra.Command {
	var a acting
	var waiting, sent bool
	c := &cobra.Command{
		Use:   "inbox --as PARTY --data DIR",
		Short: "List what a party received, or sent",
		Long: "List the messages that a party received, oldest first, with their states; with\n" +
			"--waiting only those of which an act is still expected. What a message says and its\n" +
			"kind are inside it: see read. With --json, one object a line.",
		Example: "  vaguemestre inbox --as parquet-lille --waiting --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.askAs(c.Context(), a, func(m *mailbox) error {
				noticed := false
				return m.list(c.Context(), boxOf(sent), waiting, func(l listed) error {
					if t.json {
						return t.answer(l)
					}
					if !noticed {
						t.notice(string(l.Notice))
						noticed = true
					}
					t.print("%s", m.line(l))
					return nil
				})
			})
		},
	}
	a.bind(c)
	c.Flags().BoolVar(&waiting, "waiting", false, "only what somebody must still act upon")
	c.Flags().BoolVar(&sent, "sent", false, "list what the party sent instead")
	return c
}

func boxOf(sent bool) string {
	if sent {
		return "sent"
	}
	return "received"
}

// list reads a box to its end.
func (m *mailbox) list(ctx context.Context, box string, waiting bool, f func(listed) error) error {
	q := url.Values{"box": {box}, "limit": {"200"}}
	if waiting {
		q.Set("waiting", "true")
	}
	for {
		var p listedPage
		if err := m.call(ctx, http.MethodGet, "/v1/messages?"+q.Encode(), nil, &p); err != nil {
			return err
		}
		for _, l := range p.Items {
			if err := f(l); err != nil {
				return err
			}
		}
		if p.Next == "" {
			return nil
		}
		q.Set("cursor", p.Next)
	}
}

// line is a message on one line.
func (m *mailbox) line(l listed) string {
	to := strings.Join(l.To, ",")
	if len(l.Cc) > 0 {
		to += " (copie " + strings.Join(l.Cc, ",") + ")"
	}
	states := make([]string, len(l.States))
	for i, s := range l.States {
		states[i] = s.words()
		if len(l.States) > 1 {
			states[i] = s.Recipient + " " + states[i]
		}
	}
	out := fmt.Sprintf("%s  %s  %s  %s → %s  %s", l.ID, l.Urgency, m.hour(l.SentAt), l.From, to, strings.Join(states, " ; "))
	if l.Waiting {
		out += "  [en attente]"
	}
	return out
}

// words says a state in French: progress, closure, and what needs somebody.
func (s statedState) words() string {
	out := []string{s.Label}
	if s.Closure != "" {
		out = append(out, eventLabel(s.Closure))
	}
	for _, f := range s.Flags {
		out = append(out, eventLabel(f))
	}
	return strings.Join(out, ", ")
}

// eventLabel is the French word of an event; the event itself when this program
// does not know it.
func eventLabel(e string) string {
	if row, ok := broker.LookupEvent(broker.Event(e)); ok {
		return row.Label
	}
	return e
}
