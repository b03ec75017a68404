package killserve

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
)

// Words by which a fault begins, so that a sabotaged build is known by what it
// did and not by chance.
const (
	lost     = "LOST"     // accepted, consigned, fetched or acted, and not there
	twice    = "TWICE"    // more than once
	invented = "INVENTED" // what nobody sent or said
	differs  = "DIFFERS"  // an answer that is not the one of before, or not what was sent
	left     = "LEFT"     // work, a timer, a file that should be gone
	silent   = "SILENT"   // what is never answered
	broken   = "BROKEN"   // a refusal, a journal that does not verify, a broker that ends by itself
)

// receipt is the answer to a submission, from the API and from send alike.
type receipt struct {
	ID           string `json:"id"`
	Thread       string `json:"thread"`
	HeaderSHA256 string `json:"header_sha256"`
	Deposit      []byte `json:"deposit"`
	DepositSig   string `json:"deposit_sig"`
	Repeated     bool   `json:"repeated"`
}

// evidence is the answer to an act, from the API and from ack alike.
type evidence struct {
	Digest    string `json:"digest"`
	Evidence  []byte `json:"evidence"`
	Signature string `json:"signature"`
	Repeated  bool   `json:"repeated"`
}

// ledger is what the crowd was answered: all that it can hold a broker to.
// What can be told at once is told at once; check tells the rest.
type ledger struct {
	mu      sync.Mutex
	entries map[int]*entry // by number of the letter; guarded by mu
	order   []*entry       // those with a receipt; guarded by mu
	faults  []string       // guarded by mu
}

// entry is one letter and what was answered of it.
type entry struct {
	letter    letter
	byCommand bool // deposited by send
	receipts  int
	receipt   receipt             // the first
	acts      map[string]evidence // the first answer, by event/recipient
	fetched   map[string]bool     // by recipient: a part was given
}

// id is that of the first receipt, or "". It never changes once it is there.
func (e *entry) id() string { return e.receipt.ID }

func newLedger() *ledger { return &ledger{entries: map[int]*entry{}} }

func (g *ledger) fault(word, format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.note(word, format, args...)
}

func (g *ledger) note(word, format string, args ...any) {
	g.faults = append(g.faults, word+": "+fmt.Sprintf(format, args...))
}

// found says whether a fault begins with a word.
func (g *ledger) found(word string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.faults, func(f string) bool { return strings.HasPrefix(f, word+": ") })
}

// of finds or opens the entry of a letter; mu is held.
func (g *ledger) of(l letter) *entry {
	e := g.entries[l.number]
	if e == nil {
		e = &entry{letter: l, acts: map[string]evidence{}, fetched: map[string]bool{}}
		g.entries[l.number] = e
	}
	return e
}

func (g *ledger) accepted(l letter, r receipt) *entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.of(l)
	e.receipts++
	switch first := e.receipt; {
	case e.receipts == 1:
		e.receipt = r
		g.order = append(g.order, e)
	case r.ID != first.ID:
		g.note(twice, "letter %d was given two ids", l.number)
	case !bytes.Equal(r.Deposit, first.Deposit) || r.DepositSig != first.DepositSig || r.HeaderSHA256 != first.HeaderSHA256 || r.Thread != first.Thread:
		g.note(differs, "letter %d: another receipt than the first", l.number)
	}
	return e
}

func (g *ledger) acted(l letter, party, event string, got evidence) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.of(l)
	first, again := e.acts[event+"/"+party]
	switch {
	case !again:
		e.acts[event+"/"+party] = got
	case !got.Repeated:
		g.note(twice, "%s of letter %d is new to the broker again", event, l.number)
	case got.Digest != first.Digest || !bytes.Equal(got.Evidence, first.Evidence) || got.Signature != first.Signature:
		g.note(differs, "%s of letter %d: another evidence than the first", event, l.number)
	}
	if broker.Digest(got.Evidence) != got.Digest {
		g.note(differs, "%s of letter %d: the digest is not that of the evidence", event, l.number)
	}
}

func (g *ledger) fetched(l letter, party string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.of(l).fetched[party] = true
}

// any draws a letter that was accepted, or nil.
func (g *ledger) any(draw *rand.Rand) *entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.order) == 0 {
		return nil
	}
	return g.order[draw.IntN(len(g.order))]
}

// figures counts what the checks went over.
type figures struct {
	Submissions int `json:"submissions"`
	Receipts    int `json:"receipts"` // repetitions included
	Plis        int `json:"plis"`
	Consigned   int `json:"consigned"` // pairs
	Fetched     int `json:"fetched"`   // pairs
	Acts        int `json:"acts"`
	Leaves      int `json:"leaves"`
}

// check holds the journal, whose broker has stopped, against the ledger. Nobody
// uses the ledger any more.
func (g *ledger) check(held brokertest.Facts) figures {
	f := figures{Submissions: len(g.entries), Leaves: held.Leaves}
	known := map[string]bool{}
	want := map[brokertest.Fact]bool{}
	for _, n := range slices.Sorted(maps.Keys(g.entries)) {
		e := g.entries[n]
		f.Receipts += e.receipts
		if e.receipts == 0 {
			continue
		}
		id := e.id()
		if known[id] {
			g.note(differs, "two submissions have one id, letter %d", n)
		}
		known[id] = true
		f.Plis += g.once(held.Plis[id], "pli", n)
		g.checkEntry(e, held, want, &f)
	}
	for id := range held.Plis {
		if !known[id] {
			g.note(invented, "the journal holds a pli that no receipt names")
		}
	}
	for fact, digests := range held.Events {
		switch {
		case len(digests) > 1:
			g.note(twice, "%s of %s for %q, %d times", fact.Event, fact.ID, fact.Recipient, len(digests))
		case !want[fact] && fact.Event != broker.Fetched: // one may be signed whose answer was lost
			g.note(invented, "%s of %s for %q, which nobody said", fact.Event, fact.ID, fact.Recipient)
		}
	}
	return f
}

// checkEntry wants each fact of a letter once, and the evidence that was
// answered.
func (g *ledger) checkEntry(e *entry, held brokertest.Facts, want map[brokertest.Fact]bool, f *figures) {
	one := func(event broker.Event, party string) (digest string, n int) {
		fact := brokertest.Fact{Event: event, ID: e.id(), Recipient: broker.PartyID(party)}
		want[fact] = true
		if n = g.once(len(held.Events[fact]), string(event), e.letter.number); n == 1 {
			digest = held.Events[fact][0]
		}
		return digest, n
	}
	if digest, n := one(broker.Accepted, ""); n == 1 && digest != broker.Digest(e.receipt.Deposit) {
		g.note(differs, "the deposit of letter %d is not the one in the journal", e.letter.number)
	}
	for _, p := range e.letter.recipients() {
		_, n := one(broker.Consigned, p)
		f.Consigned += n
		if e.fetched[p] {
			_, n := one(broker.Fetched, p)
			f.Fetched += n
		}
		for _, a := range e.letter.acts[p] {
			answered, ok := e.acts[a.Event+"/"+p]
			if !ok {
				continue // a fault says so
			}
			digest, n := one(broker.Event(a.Event), p)
			f.Acts += n
			if n == 1 && digest != answered.Digest {
				g.note(differs, "%s of letter %d is not the evidence in the journal", a.Event, e.letter.number)
			}
		}
	}
}

// once wants something exactly once, and says how often it counts.
func (g *ledger) once(n int, what string, number int) int {
	switch {
	case n == 0:
		g.note(lost, "no %s of letter %d", what, number)
	case n > 1:
		g.note(twice, "%s of letter %d, %d times", what, number, n)
	}
	return min(n, 1)
}
