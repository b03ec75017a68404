package sim

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

const time1 = time.Millisecond

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// watch is the furthest that each pair was seen, by broker, pli and party.
type watch map[string]broker.State

// look holds what the last commits changed against what was seen before.
func (p *play) look() {
	for _, id := range all() {
		h := p.houses[id]
		if !h.up() || h.crashed() || len(h.changed) == 0 {
			continue
		}
		ids := make([]string, 0, len(h.changed))
		for pli := range h.changed {
			ids = append(ids, pli)
		}
		clear(h.changed)
		slices.Sort(ids)
		for _, pli := range ids {
			p.lookAt(h, pli)
		}
	}
}

func (p *play) lookAt(h *house, pli string) {
	s, err := h.broker.Status(pli)
	if errors.Is(err, broker.ErrNotFound) {
		return
	}
	if err != nil {
		p.fault(wordLost, "%s: %v", h.id, err)
		return
	}
	for _, pair := range s.Pairs {
		key := string(h.id) + "/" + pli + "/" + string(pair.Recipient)
		before, now := p.watch[key], pair.State
		if rank(now) < rank(before) {
			p.fault(wordBack, "%s: %s after %s for %s", h.id, now.Progress, before.Progress, pair.Recipient)
		}
		if before.Acted && !now.Acted || before.Judged && !now.Judged {
			p.fault(wordBack, "%s: an act is forgotten for %s", h.id, pair.Recipient)
		}
		if here := homeOf(pair.Recipient) == h.id; here && before.Closure != "" && before.Closure != now.Closure {
			p.fault(wordBack, "%s: closed by %s, then by %s", h.id, before.Closure, now.Closure)
		}
		p.watch[key] = now
	}
}

func rank(s broker.State) int {
	row, _ := broker.LookupEvent(s.Progress)
	return row.Rank
}

// fact is one leaf that names a pli or an evidence.
type fact struct {
	pos      int
	typ      string
	digest   string
	evidence broker.Evidence // zero for a pli
}

// books are the facts of each journal, by pli, in their order.
type books map[broker.BrokerID]map[string][]fact

func (p *play) read() books {
	out := books{}
	for _, id := range all() {
		out[id] = map[string][]fact{}
		err := p.houses[id].journal.View(func(v journal.View) error {
			for n := range v.Size() {
				b, err := v.Leaf(n)
				if err != nil {
					return err
				}
				leaf, err := journal.ParseLeaf(b)
				if err != nil {
					return err
				}
				f := fact{pos: int(n), typ: leaf.Type, digest: leaf.Digest}
				if _, known := broker.LookupEvent(broker.Event(leaf.Type)); known {
					text, err := v.Object(leaf.Digest)
					if err != nil {
						return err
					}
					if f.evidence, err = broker.ParseEvidence(text); err != nil {
						return err
					}
				} else if leaf.Type != journal.TypePli {
					continue
				}
				out[id][leaf.ID] = append(out[id][leaf.ID], f)
			}
			return nil
		})
		if err != nil {
			p.fault(wordLost, "%s cannot be read: %v", id, err)
		}
	}
	return out
}

// check holds the three journals against each other and against what the
// clients were answered, once nothing is left to do.
func (p *play) check() {
	all3 := p.read()
	dead := p.deadLetters()
	for _, l := range p.letters {
		p.checkReceipts(l)
		if l.id() != "" {
			p.checkLetter(l, all3, dead[l.id()], dead[""])
		}
	}
	if len(dead) == 0 && !p.requeued { // taken up again is at the end of its lane
		p.checkOrder(all3)
	}
	for id, book := range all3 {
		for pli, facts := range book {
			p.checkFacts(id, pli, facts, all3)
		}
	}
	for _, id := range all() {
		p.checkRest(p.houses[id])
	}
	if n := p.houses[relais].keys.opened; n > 0 {
		p.fault(wordOverread, "the relay opened %d times", n)
	}
}

// deadLetters are the plis of which something was given up; "" when it was
// sealed and passed.
func (p *play) deadLetters() map[string]bool {
	dead := map[string]bool{}
	for _, id := range all() {
		_ = p.houses[id].journal.View(func(v journal.View) error {
			letters, err := broker.ReadLetters(v, 0, 1000)
			if err != nil {
				p.fault(wordLost, "%s: %v", id, err)
			}
			for _, l := range letters {
				dead[l.ID] = true
				p.count("dead letters")
				if !p.harsh || !slices.Contains([]string{broker.ReasonGivenUp, broker.RefusedFormat, "contenu_efface"}, l.Reason) || l.Reason == "contenu_efface" && !p.requeued {
					p.fault(wordLost, "%s: a dead letter for no reason: %s", id, l.Reason)
				}
			}
			return nil
		})
	}
	return dead
}

func (p *play) checkReceipts(l *letter) {
	if len(l.receipts) == 0 {
		p.fault(wordSilent, "letter %d was never answered", l.number)
		return
	}
	first := l.receipts[0]
	for _, r := range l.receipts {
		if r.ID != first.ID || !bytes.Equal(r.Deposit, first.Deposit) || !bytes.Equal(r.DepositSig, first.DepositSig) {
			p.fault(wordTwice, "letter %d has two receipts", l.number)
		}
	}
}

// checkLetter wants the letter where it belongs, each pair with an act or an
// alarm, and what its ends know to agree.
func (p *play) checkLetter(l *letter, all3 books, dead, sealed bool) {
	p.count("plis")
	sender := homeOf(l.from)
	if n := number(all3[sender][l.id()], journal.TypePli, ""); n != 1 {
		p.fault(wordLost, "letter %d: %d times in the journal of its sender", l.number, n)
	}
	status, err := p.houses[sender].broker.Status(l.id())
	if err != nil {
		p.fault(wordLost, "letter %d: %v", l.number, err)
		return
	}
	for _, pair := range status.Pairs {
		p.checkPair(l, pair, all3, dead)
		if !dead && !sealed {
			p.checkAgree(l, pair)
		}
	}
	if len(status.Pairs) != len(l.recipients()) {
		p.fault(wordLost, "letter %d: %d pairs", l.number, len(status.Pairs))
	}
	p.checkFold(l, p.houses[sender])
}

func (p *play) checkPair(l *letter, pair broker.Pair, all3 books, dead bool) {
	sender, home := homeOf(l.from), homeOf(pair.Recipient)
	at := number(all3[home][l.id()], string(broker.Consigned), pair.Recipient)
	known := number(all3[sender][l.id()], string(broker.Consigned), pair.Recipient)
	alarmed := len(pair.Alarms) > 0
	switch {
	case dead && at <= 1 && known <= at:
	case at != 1 || known != 1:
		word := wordLost
		if at > 1 || known > 1 {
			word = wordTwice
		}
		p.fault(word, "letter %d for %s: consigned %d times at home, %d at the sender's", l.number, pair.Recipient, at, known)
	default:
		p.count("consigned")
	}
	if !pair.Copy && !pair.State.Acted && !alarmed {
		p.fault(wordSilent, "letter %d for %s: neither an act nor an alarm", l.number, pair.Recipient)
	}
	if pair.State.Acted && slices.Contains(pair.Alarms, broker.Overdue) {
		p.fault(wordLeft, "letter %d for %s: an alarm after the act", l.number, pair.Recipient)
	}
	if alarmed {
		p.count("alarms")
	}
}

// checkAgree: the recipient's home knows what the sender's does.
func (p *play) checkAgree(l *letter, pair broker.Pair) {
	home := homeOf(pair.Recipient)
	s, err := p.houses[home].broker.Status(l.id())
	if err != nil {
		p.fault(wordLost, "letter %d at %s: %v", l.number, home, err)
		return
	}
	for _, there := range s.Pairs {
		if there.Recipient != pair.Recipient {
			continue
		}
		if rank(there.State) != rank(pair.State) || there.State.Acted != pair.State.Acted || there.State.Closure != pair.State.Closure {
			p.fault(wordDiffers, "letter %d for %s: %s %s at home, %s %s at the sender's", l.number, pair.Recipient,
				there.State.Progress, there.State.Closure, pair.State.Progress, pair.State.Closure)
		}
	}
}

// checkFold: the state of each pair is what its evidences say.
func (p *play) checkFold(l *letter, h *house) {
	d, err := h.broker.Dossier(l.id())
	if err != nil {
		p.fault(wordLost, "letter %d: %v", l.number, err)
		return
	}
	deposit, err := broker.ParseEvidence(d.Deposit)
	if err != nil {
		p.fault(wordLost, "letter %d: %v", l.number, err)
		return
	}
	s, _ := h.broker.Status(l.id())
	for _, pair := range s.Pairs {
		st := broker.State{}.Apply(deposit, broker.Digest(d.Deposit))
		for _, e := range d.Evidences {
			if e.Evidence.Recipient == pair.Recipient || e.Evidence.Recipient == "" {
				st = st.Apply(e.Evidence, broker.Digest(e.Bytes))
			}
		}
		if !same(st, pair.State) {
			p.fault(wordDiffers, "letter %d for %s: %+v by the evidences, %+v", l.number, pair.Recipient, st, pair.State)
		}
	}
}

func same(a, b broker.State) bool {
	return a.Progress == b.Progress && a.Closure == b.Closure && a.Flags == b.Flags && a.Acted == b.Acted &&
		a.Judged == b.Judged && slices.Equal(a.Heads, b.Heads) && slices.Equal(a.Named, b.Named)
}

// number counts a fact of a pli in one journal.
func number(facts []fact, typ string, party broker.PartyID) (n int) {
	for _, f := range facts {
		if f.typ == typ && f.evidence.Recipient == party {
			n++
		}
	}
	return n
}
