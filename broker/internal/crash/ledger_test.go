package crash

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// Words by which a fault begins, so that a sabotaged build is known by what it
// did and not by chance.
const (
	lost     = "LOST"     // accepted, consigned or acted, and not in a journal
	twice    = "TWICE"    // more than once
	invented = "INVENTED" // a pli that nobody submitted
	differs  = "DIFFERS"  // an answer that is not what the journal holds
	left     = "LEFT"     // work, a timer, a file that should be gone
	silent   = "SILENT"   // a request that is never answered
	broken   = "BROKEN"   // a journal that does not verify, an answer of a dead broker
)

// ledger is what the client was answered: all that it can hold a broker to.
type ledger struct {
	mu      sync.Mutex
	entries map[int]*entry // by number of the letter; guarded by mu
	faults  []string       // seen on the way; guarded by mu
}

// entry is one letter and its answers.
type entry struct {
	letter   letter
	receipts []receipt
	acts     []string // digests of the evidences that were answered
	acted    bool     // an answer said that the act is recorded
	purged   bool     // the content was erased afterwards
}

// receipt is a positive answer to a submission.
type receipt struct {
	ID      string `json:"id"`
	Deposit []byte `json:"deposit"`
	Sig     []byte `json:"sig"`
}

func newLedger() *ledger { return &ledger{entries: map[int]*entry{}} }

func (g *ledger) fault(word, format string, args ...any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faults = append(g.faults, word+": "+fmt.Sprintf(format, args...))
}

// entry finds, or opens, the entry of a letter.
func (g *ledger) entry(l letter) *entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.entries[l.number]
	if e == nil {
		e = &entry{letter: l}
		g.entries[l.number] = e
	}
	return e
}

func (g *ledger) accepted(l letter, r receipt) {
	e := g.entry(l)
	g.mu.Lock()
	defer g.mu.Unlock()
	e.receipts = append(e.receipts, r)
}

// did records the answer to an act: a fresh evidence, or "" when it was
// recorded before.
func (g *ledger) did(l letter, digest string) {
	e := g.entry(l)
	g.mu.Lock()
	defer g.mu.Unlock()
	e.acted = true
	if digest != "" {
		e.acts = append(e.acts, digest)
	}
}

// figures counts what a check went over.
type figures struct {
	Submissions int `json:"submissions"`
	Accepted    int `json:"accepted"`  // receipts given, repetitions included
	Plis        int `json:"plis"`      // in the journals of the senders
	Consigned   int `json:"consigned"` // pairs
	Acts        int `json:"acts"`
	Leaves      int `json:"leaves"` // of both journals
}

// check holds the two open and drained brokers against the ledger.
func (g *ledger) check(ctx context.Context, tn *town) figures {
	var f figures
	journals := map[broker.BrokerID]brokertest.Facts{}
	for _, b := range both {
		s, err := brokertest.ReadFacts(tn.Nodes[b].Journal)
		if err != nil {
			g.fault(broken, "%s: %v", b, err)
			return f
		}
		journals[b] = s
		f.Leaves += s.Leaves
		g.checkRest(tn, b, s)
	}
	known := map[string]bool{}
	for _, n := range slices.Sorted(keys(g.entries)) {
		e := g.entries[n]
		f.Submissions++
		f.Accepted += len(e.receipts)
		if len(e.receipts) == 0 {
			continue
		}
		id := e.receipts[0].ID
		if known[id] {
			g.fault(differs, "two submissions have one id, letter %d", n)
		}
		known[id] = true
		f.Plis++
		f.Consigned += g.checkFacts(e, id, journals)
		if e.acted {
			f.Acts++
		}
		g.checkReceipts(tn, e)
		g.checkContent(ctx, tn, e, id)
	}
	for _, b := range both {
		for id := range journals[b].Plis {
			if !known[id] {
				g.fault(invented, "%s holds a pli that no receipt names", b)
			}
		}
	}
	return f
}

func keys[V any](m map[int]V) func(func(int) bool) {
	return func(yield func(int) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// once wants something exactly once in a journal.
func (g *ledger) once(n int, what string, b broker.BrokerID, number int) bool {
	switch {
	case n == 0:
		g.fault(lost, "%s: no %s of letter %d", b, what, number)
	case n > 1:
		g.fault(twice, "%s: %s of letter %d, %d times", b, what, number, n)
	}
	return n == 1
}

// checkFacts wants the pli, its deposit, each reception and the act once
// wherever they belong. It returns the pairs that are consigned.
func (g *ledger) checkFacts(e *entry, id string, journals map[broker.BrokerID]brokertest.Facts) (pairs int) {
	l := e.letter
	for _, b := range l.homes() {
		g.once(journals[b].Plis[id], "pli", b, l.number)
		g.once(len(journals[b].Events[brokertest.Fact{Event: broker.Accepted, ID: id}]), "deposit", b, l.number)
	}
	sender := homeOf(l.from)
	for _, p := range l.recipients() {
		c := brokertest.Fact{Event: broker.Consigned, ID: id, Recipient: p}
		at := g.once(len(journals[homeOf(p)].Events[c]), "consigned", homeOf(p), l.number)
		if g.once(len(journals[sender].Events[c]), "consigned", sender, l.number) && at {
			pairs++
		}
	}
	if !e.acted {
		return pairs
	}
	p := l.acting()
	for _, b := range []broker.BrokerID{sender, homeOf(p)} {
		held := journals[b].Events[brokertest.Fact{Event: broker.TakenInCharge, ID: id, Recipient: p}]
		if g.once(len(held), "act", b, l.number) && len(e.acts) > 0 && held[0] != e.acts[0] {
			g.fault(differs, "%s: another act than was answered, letter %d", b, l.number)
		}
	}
	if len(e.acts) > 1 {
		g.fault(twice, "the act of letter %d was answered as new %d times", l.number, len(e.acts))
	}
	return pairs
}

// checkReceipts wants every receipt of a submission to be the stored one.
func (g *ledger) checkReceipts(tn *town, e *entry) {
	home := tn.Nodes[homeOf(e.letter.from)].Broker
	for i, r := range e.receipts {
		d, err := home.Dossier(r.ID)
		switch {
		case r.ID != e.receipts[0].ID:
			g.fault(twice, "letter %d was given two ids", e.letter.number)
		case err != nil:
			g.fault(lost, "letter %d, receipt %d: %v", e.letter.number, i, err)
		case !bytes.Equal(d.Deposit, r.Deposit) || !bytes.Equal(d.DepositSig, r.Sig):
			g.fault(differs, "letter %d, receipt %d: another deposit than the journal holds", e.letter.number, i)
		}
	}
}

// checkContent reads the pli as its first recipient and compares the piece.
func (g *ledger) checkContent(ctx context.Context, tn *town, e *entry, id string) {
	p := e.letter.acting()
	c, err := tn.Nodes[homeOf(p)].Broker.Read(ctx, id, p)
	switch {
	case e.purged && err == nil:
		g.fault(left, "the content of letter %d, which was purged", e.letter.number)
	case e.purged:
		return
	case err != nil:
		g.fault(lost, "letter %d is not readable: %v", e.letter.number, err)
		return
	case len(c.Pieces) != 1 || c.Pieces[0].SHA256 != broker.Digest(e.letter.piece):
		g.fault(differs, "the piece of letter %d is not what was sent", e.letter.number)
	}
	c.Close()
}

// checkRest wants nothing to be left of what is done.
func (g *ledger) checkRest(tn *town, b broker.BrokerID, s brokertest.Facts) {
	for what, held := range s.Events {
		if len(held) > 1 {
			g.fault(twice, "%s: %s of %s for %s, %d times", b, what.Event, what.ID, what.Recipient, len(held))
		}
	}
	err := tn.Nodes[b].Journal.View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			if n := v.Pending(topic); n > 0 {
				g.fault(left, "%s: %d items of %s pending", b, n, topic)
			}
		}
		if n := len(v.Letters(0, 1000)); n > 0 {
			g.fault(left, "%s: %d dead letters", b, n)
		}
		if due, set := v.NextTimer(); set && g.allActed() {
			g.fault(left, "%s: a timer for %s", b, due)
		}
		return nil
	})
	if err != nil {
		g.fault(broken, "%s: %v", b, err)
	}
	strays, err := tn.strays(b)
	if err != nil {
		g.fault(broken, "%s: %v", b, err)
	}
	for _, name := range strays {
		g.fault(left, "%s: file %s", b, name)
	}
}

// allActed: then no timer of an overdue is left.
func (g *ledger) allActed() bool {
	for _, e := range g.entries {
		if !e.acted {
			return false
		}
	}
	return true
}

// checkFiles verifies both journals, which are closed.
func (g *ledger) checkFiles(ctx context.Context, tn *town) {
	for _, b := range both {
		rep, err := boltstore.Verify(ctx, tn.Dir(b), func(by string, text, sig []byte) error {
			_, _, err := tn.Ring(b).Verify(by, text, sig)
			return err
		})
		if err != nil {
			g.fault(broken, "journal of %s: %v", b, err)
		} else if rep.Signatures == 0 {
			g.fault(broken, "journal of %s: no signed checkpoint", b)
		}
	}
}
