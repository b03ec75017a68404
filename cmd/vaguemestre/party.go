package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/broker/clock"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// acting is what every command that acts for a party is told.
type acting struct {
	data string
	as   string
}

func (a *acting) bind(c *cobra.Command) {
	dataFlag(c, &a.data)
	c.Flags().StringVar(&a.as, "as", "", "the party that acts, which lives here (required)")
	required(c, "as")
}

// mailbox is one party of a data directory, and how to ask its broker for it.
type mailbox struct {
	*client
	party broker.PartyID
	zone  clock.Zone // of the hours that are shown and typed
	dir   *wiring.Data
}

// askAs calls f with the mailbox of a party. What goes wrong comes back in the
// words of the command line.
func (t *terminal) askAs(ctx context.Context, a acting, f func(*mailbox) error) error {
	m, err := mailboxOf(a)
	if err != nil {
		return err
	}
	return t.ask(ctx, a.data, func(c *client) error {
		m.client = c.acting(m.party)
		return t.told(f(m))
	})
}

// mailboxOf finds a party before a passphrase is asked for.
func mailboxOf(a acting) (*mailbox, error) {
	d, err := readData(a.data)
	if err != nil {
		return nil, err
	}
	p, ok := d.Directory.Party(broker.PartyID(a.as))
	if !ok || string(p.Home) != d.Config.Broker {
		return nil, &usageError{text: "--as: no party of that id lives here", hint: "those that do: " + strings.Join(living(d), ", ")}
	}
	return &mailbox{party: p.ID, zone: clock.ZoneOf(p.Zone, p.Departement), dir: d}, nil
}

// living lists the parties of which a data directory is the home.
func living(d *wiring.Data) (ids []string) {
	for _, p := range d.Directory.Parties() {
		if string(p.Home) == d.Config.Broker {
			ids = append(ids, string(p.ID))
		}
	}
	slices.Sort(ids)
	return ids
}

// acting is the client of one party.
func (c *client) acting(p broker.PartyID) *client {
	return &client{http: &http.Client{Transport: &named{next: c.http.Transport, party: string(p)}}, data: c.data, live: c.live}
}

// named names a party in every call.
type named struct {
	next  http.RoundTripper
	party string
}

// passingError is what the same command may get over later. It is
// broker.ErrTemporary to those who ask, in words of the command.
type passingError struct {
	text  string
	cause error
}

func (e *passingError) Error() string {
	if e.cause == nil {
		return e.text
	}
	return e.text + ": " + e.cause.Error()
}

func (e *passingError) Unwrap() error { return e.cause }

func (e *passingError) Is(target error) bool { return target == broker.ErrTemporary }

// RoundTrip implements http.RoundTripper.
func (n *named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(httpapi.HeaderParty, n.party)
	resp, err := n.next.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		// The broker may or may not have done what was asked.
		return nil, &passingError{"the broker did not answer", err}
	}
	return resp, err
}

// told prints every faulty field of a refusal, one a line, and gives the error
// back with a hint for whoever typed the command.
func (t *terminal) told(err error) error {
	var p *serving.Problem
	if !errors.As(err, &p) {
		return err
	}
	for _, e := range p.Errors {
		t.say("vaguemestre: fault: %s", oneLine(typed(e.Path)+": "+e.Message+" ("+e.Code+")"))
	}
	return &hinted{err, advice(p)}
}

// typed names a member of a call as it was given on the command line.
func typed(path string) string {
	if inside, ok := strings.CutPrefix(path, "document."); ok {
		return inside
	}
	switch member, _, _ := strings.Cut(path, "["); member {
	case "kind", "to", "cc", "urgency", "thread", "event", "number", "reason", "place", "expires", "party", "application":
		return "--" + member
	case "in_reply_to", "reply_to":
		return "--reply-to"
	case "actor", "actor.name":
		return "--actor"
	case "actor.function":
		return "--function"
	case "done_at":
		return "--date"
	case "reason_code":
		return "--reason-code"
	case "pieces":
		return "--attach"
	case "rights":
		return "--right"
	case "from":
		return "--as"
	case "document":
		return "DOC.json"
	}
	return path
}

// advice is the hint of a problem, where the one for programs would not help.
func advice(p *serving.Problem) string {
	switch p.Code {
	case httpapi.CodeMessage:
		return "vaguemestre inbox --as PARTY --data DIR lists what the party received, with --sent what it sent"
	case httpapi.CodeDocument:
		return "vaguemestre schema KIND prints the form of a document"
	case httpapi.CodePieces:
		return "give one --attach for each entry of pieces in DOC.json, in the same order"
	case httpapi.CodeAlready:
		return "vaguemestre status ID --data DIR shows what was said; to correct it, send a transmission"
	case httpapi.CodeNoExport, httpapi.CodeErased:
		return "ask the other side: it keeps its own copy"
	}
	return p.Advice
}

// hour shows an instant as the API writes it, in the local time of the party.
func (m *mailbox) hour(instant string) string {
	at, err := time.Parse(time.RFC3339, instant)
	if err != nil {
		return instant
	}
	return clock.Date(at, m.zone) + " " + clock.Hour(at, m.zone)
}

// notice is the first line of what an installation shows that is not
// institutions apart (DESIGN section 2); "" for none.
func noticeLine(notice string) string {
	switch notice {
	case "":
		return ""
	case broker.NoticeDemo:
		return "DÉMONSTRATION : données fictives, sans valeur."
	case broker.NoticeShared:
		return "HÉBERGEMENT COMMUN : un même exploitant détient les clés des institutions."
	}
	return "AVERTISSEMENT : " + notice
}

// notice prints that line.
func (t *terminal) notice(notice string) {
	if line := noticeLine(notice); line != "" {
		t.print("%s", line)
	}
}
