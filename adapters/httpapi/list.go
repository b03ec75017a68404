package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// Bounds of one page of a list. A request that has looked at so much ends its
// page early, with a cursor: a page may hold less than asked and not be the last.
const (
	defaultPage = 50
	maxPage     = 200
	maxLooked   = 2000     // plis whose states are looked at
	scanned     = 256      // ids read in one transaction of the journal
	maxOpened   = 50       // plis opened for the filter by thread
	maxOpenedB  = 64 << 20 // bytes of their bodies
)

// filter is what a list is asked for.
type filter struct {
	box     box
	waiting bool
	urgency broker.Urgency
	thread  string
	from    broker.PartyID
	after   string // id
	limit   int
}

// page is the answer.
type page struct {
	Items []item `json:"items"`
	Next  string `json:"next_cursor,omitempty"`
}

// list gives a page of a box, in the order of ids.
func (a *API) list(x *exchange) error {
	f, err := parseFilter(x.r.URL.RawQuery)
	if err != nil {
		return err
	}
	p, err := a.walk(x.r.Context(), x.caller.party, f)
	if err != nil {
		return err
	}
	return x.answer(200, p)
}

// parseFilter reads the query. A parameter that is unknown or given twice is
// refused: a filter that is silently ignored shows too much.
func parseFilter(raw string) (filter, error) {
	f := filter{box: boxReceived, limit: defaultPage}
	q, err := queryOf(raw, "box", "waiting", "urgency", "thread", "from", "since", "limit", "cursor")
	if err != nil {
		return f, err
	}
	wrong := func(name, hint string) (filter, error) {
		return f, newProblem(CodeRequest).with(newFault(name, faultFormat)).hint(name + ": " + hint)
	}
	if v, ok := q["box"]; ok {
		f.box = box(v)
	}
	if f.box != boxReceived && f.box != boxSent {
		return wrong("box", "received or sent")
	}
	if v, ok := q["waiting"]; ok && v != "true" && v != "false" {
		return wrong("waiting", "true or false")
	}
	f.waiting = q["waiting"] == "true"
	if v, ok := q["urgency"]; ok && !slices.Contains([]string{string(broker.U0), string(broker.U1), string(broker.U2)}, v) {
		return wrong("urgency", "U0, U1 or U2")
	}
	f.urgency = broker.Urgency(q["urgency"])
	if v, ok := q["thread"]; ok && !isID(v) {
		return wrong("thread", "the id of a thread")
	}
	f.thread, f.from = q["thread"], broker.PartyID(q["from"])
	if v, ok := q["since"]; ok {
		at, err := time.Parse(time.RFC3339, v)
		if err != nil {
			return wrong("since", "an instant, as RFC 3339 writes it")
		}
		f.after = firstID(at)
	}
	if v, ok := q["limit"]; ok {
		if f.limit, err = strconv.Atoi(v); err != nil || f.limit < 1 || f.limit > maxPage {
			return wrong("limit", "1 to 200")
		}
	}
	if v, ok := q["cursor"]; ok {
		id, err := parseCursor(v, f.box)
		if err != nil {
			return wrong("cursor", "next_cursor of a page of the same box")
		}
		f.after = max(f.after, id)
	}
	return f, nil
}

// queryOf reads a query strictly.
func queryOf(raw string, known ...string) (map[string]string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, newProblem(CodeRequest)
	}
	q := map[string]string{}
	for name, list := range values {
		if !slices.Contains(known, name) || len(list) != 1 {
			return nil, newProblem(CodeRequest).hint(fmt.Sprintf("the parameters of this route, once each: %v", known))
		}
		q[name] = list[0]
	}
	return q, nil
}

// walk looks at plis until the page is full, the box is at its end, or enough
// was looked at.
func (a *API) walk(ctx context.Context, p broker.PartyID, f filter) (page, error) {
	out, after := page{Items: []item{}}, f.after
	w := &walker{a: a, party: p, f: f, opened: maxOpened, bytes: maxOpenedB}
	for looked := 0; ; {
		ids, err := a.ids(f.box, p, after)
		if err != nil {
			return page{}, err
		}
		for _, id := range ids {
			it, ok, err := w.look(ctx, id)
			if errors.Is(err, errEnough) {
				out.Next = cursor(f.box, after)
				return out, nil
			}
			if err != nil {
				return page{}, err
			}
			after, looked = id, looked+1
			if ok {
				out.Items = append(out.Items, it)
			}
			if len(out.Items) == f.limit || looked == maxLooked {
				out.Next = cursor(f.box, after)
				return out, nil
			}
		}
		if len(ids) < scanned {
			return out, nil
		}
	}
}

// ids lists the next plis of a box after one, in one short transaction.
func (a *API) ids(b box, p broker.PartyID, after string) (ids []string, err error) {
	read := broker.ReadReceived
	if b == boxSent {
		read = broker.ReadSent
	}
	err = a.o.Broker.Journal().View(func(v journal.View) error {
		ids = read(v, p, after, scanned)
		return nil
	})
	return ids, err
}

// walker holds plis against a filter.
type walker struct {
	a      *API
	party  broker.PartyID
	f      filter
	opened int   // plis that may still be opened
	bytes  int64 // of bodies that may still be opened
}

var errEnough = errors.New("httpapi: enough was opened for one request")

// look says whether a pli passes the filter, and what a list tells of it.
func (w *walker) look(ctx context.Context, id string) (item, bool, error) {
	s, err := w.a.o.Broker.Status(id)
	if err != nil {
		return item{}, false, fmt.Errorf("a listed pli: %w", err)
	}
	h, f := s.Header, w.f
	if f.urgency != "" && h.Urgency != f.urgency || f.from != "" && h.From != f.from || f.waiting && !waiting(s, w.party) {
		return item{}, false, nil
	}
	if f.thread != "" {
		thread, err := w.thread(ctx, id, h.BodySize)
		if err != nil || thread != f.thread {
			return item{}, false, err
		}
	}
	return newItem(s, w.party), true, nil
}

// thread finds the thread of a pli, which is inside it only: an erased one has
// none. Nothing of what is opened is shown, so nothing is fetched.
func (w *walker) thread(ctx context.Context, id string, size int64) (string, error) {
	if t, ok := w.a.threads.get(id); ok {
		return t, nil
	}
	if w.opened == 0 || w.bytes <= 0 {
		return "", errEnough
	}
	w.opened, w.bytes = w.opened-1, w.bytes-size
	c, err := w.a.o.Broker.Read(ctx, id, w.party)
	if errors.Is(err, broker.ErrNotFound) || errors.Is(err, broker.ErrNotYet) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer c.Close()
	w.a.threads.put(id, c.Inner.Thread)
	return c.Inner.Thread, nil
}
