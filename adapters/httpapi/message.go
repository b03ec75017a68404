package httpapi

import (
	"errors"
	"fmt"
	"slices"

	"vaguemestre/broker"
	"vaguemestre/broker/clock"
)

// item is what a list tells of a pli: its header and its states.
type item struct {
	ID       string           `json:"id"`
	Box      box              `json:"box"`
	From     broker.PartyID   `json:"from"`
	To       []broker.PartyID `json:"to"`
	Cc       []broker.PartyID `json:"cc"`
	Urgency  broker.Urgency   `json:"urgency"`
	SentAt   string           `json:"sent_at"`
	Notice   string           `json:"notice,omitempty"`
	BodySize int64            `json:"body_size"`
	Waiting  bool             `json:"waiting"`
	States   []pairState      `json:"states"`
}

// pairState is what became of a pli for one recipient.
type pairState struct {
	Recipient broker.PartyID `json:"recipient"`
	Copy      bool           `json:"copy"`
	Progress  broker.Event   `json:"progress"`
	Label     string         `json:"label"` // French, of the progress
	Closure   broker.Event   `json:"closure,omitempty"`
	Flags     []string       `json:"flags"`
	Acted     bool           `json:"acted"`
	Alarms    []broker.Event `json:"alarms"`
}

// messageView is what the states and the machines tell of one pli.
type messageView struct {
	item
	HeaderSHA256 string         `json:"header_sha256,omitempty"`
	Evidences    []evidenceFact `json:"evidences"`
	Deadlines    []deadline     `json:"deadlines"`
}

// deadline is an hour that somebody watches. It is indicative, always.
type deadline struct {
	Event      broker.Event   `json:"event"` // what is signed when it passes
	Recipient  broker.PartyID `json:"recipient"`
	Due        string         `json:"due"`
	Indicative bool           `json:"indicative"`
}

// newItem tells a party what it may know: the sender every pair, a recipient
// its own, since co-recipients do not see each other's acts (DESIGN section 5).
func newItem(s broker.Status, as broker.PartyID) item {
	h := s.Header
	it := item{
		ID: h.ID, Box: boxReceived, From: h.From, To: list(h.To), Cc: list(h.Cc), Urgency: h.Urgency,
		SentAt: h.SentAt, Notice: h.Notice, BodySize: h.BodySize, Waiting: waiting(s, as), States: []pairState{},
	}
	if as == h.From {
		it.Box = boxSent
	}
	for _, p := range s.Pairs {
		if as != h.From && as != p.Recipient {
			continue
		}
		row, _ := broker.LookupEvent(p.State.Progress)
		it.States = append(it.States, pairState{
			Recipient: p.Recipient, Copy: p.Copy, Progress: p.State.Progress, Label: row.Label, Closure: p.State.Closure,
			Flags: list(p.State.FlagWords()), Acted: p.State.Acted, Alarms: list(p.Alarms),
		})
	}
	return it
}

// list is never null in JSON.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// waiting says whether somebody is still to do something: for a recipient,
// itself; for the sender, one of those to whom it wrote. A copy waits only to
// be read: nothing more is ever asked of it.
func waiting(s broker.Status, as broker.PartyID) bool {
	return slices.ContainsFunc(s.Pairs, func(p broker.Pair) bool {
		switch {
		case as != p.Recipient && (as != s.Header.From || p.Copy):
			return false
		case p.Copy:
			return rank(p.State.Progress) < rank(broker.Fetched)
		}
		return !p.State.Acted && p.State.Closure == ""
	})
}

func rank(e broker.Event) int {
	row, _ := broker.LookupEvent(e)
	return row.Rank
}

// visible finds a pli that the caller's party sent, or that reached it. What
// it may not see is broker.ErrNotFound, as what does not exist.
func (a *API) visible(x *exchange) (broker.Status, error) {
	id, err := x.pli()
	if err != nil {
		return broker.Status{}, err
	}
	s, err := a.o.Broker.Status(id)
	if err != nil {
		return broker.Status{}, err
	}
	if s.Header.From == x.caller.party && s.Sent {
		return s, nil
	}
	pair, ok := pairOf(s, x.caller.party)
	if !ok || !pair.State.Readable() && !pair.State.Has(broker.FlagConsignFailed) {
		return broker.Status{}, broker.ErrNotFound
	}
	return s, nil
}

func pairOf(s broker.Status, p broker.PartyID) (broker.Pair, bool) {
	i := slices.IndexFunc(s.Pairs, func(pair broker.Pair) bool { return pair.Recipient == p })
	if i < 0 {
		return broker.Pair{}, false
	}
	return s.Pairs[i], true
}

// message tells the state of one pli. It opens nothing.
func (a *API) message(x *exchange) error {
	s, err := a.visible(x)
	if err != nil {
		return err
	}
	v := messageView{item: newItem(s, x.caller.party), Evidences: []evidenceFact{}, Deadlines: []deadline{}}
	d, err := a.o.Broker.Dossier(s.Header.ID)
	switch {
	case errors.Is(err, broker.ErrNotFound): // no valid deposit stamp: the refusal is all there is
	case err != nil:
		return err
	default:
		v.HeaderSHA256 = broker.Digest(d.HeaderBytes)
		for _, e := range seenBy(d, x.caller.party) {
			v.Evidences = append(v.Evidences, newFact(e))
		}
		if v.Deadlines, err = a.deadlines(s, d, x.caller.party); err != nil {
			return err
		}
	}
	return x.answer(200, v)
}

// deadlines lists when the silence of each recipient becomes an alarm. The
// periods of the law depend on the content, which is not opened here.
func (a *API) deadlines(s broker.Status, d *broker.Dossier, as broker.PartyID) ([]deadline, error) {
	deposit, err := broker.ParseEvidence(d.Deposit)
	if err != nil {
		return nil, fmt.Errorf("deposit: %w", err)
	}
	out := []deadline{}
	for _, pair := range s.Pairs {
		if pair.Copy || pair.State.Acted || as != s.Header.From && as != pair.Recipient {
			continue
		}
		p, ok := a.o.Broker.Directory().Party(pair.Recipient)
		if !ok {
			continue // it left the directory since
		}
		due := clock.Overdue(string(s.Header.Urgency), deposit.SignedAt(), clock.Patience(p.Patience), clock.ZoneOf(p.Zone, p.Departement))
		out = append(out, deadline{Event: broker.Overdue, Recipient: pair.Recipient, Due: broker.FormatTime(due), Indicative: true})
	}
	return out, nil
}
