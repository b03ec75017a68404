package sim

import (
	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// checkFacts: no fact is there twice, every pli was submitted, every evidence
// is in the journal of the one that signed it, after what it follows from.
func (p *play) checkFacts(at broker.BrokerID, pli string, facts []fact, all3 books) {
	var l *letter
	for _, candidate := range p.letters {
		if candidate.id() == pli {
			l = candidate
		}
	}
	if l == nil {
		if len(facts) > 0 {
			p.fault(wordForged, "%s: a pli that no receipt names", at)
		}
		return
	}
	seen := map[string]bool{}
	for _, f := range facts {
		key := f.typ + "/" + string(f.evidence.Recipient) + "/" + f.evidence.By
		if seen[key] {
			p.fault(wordTwice, "%s: %s of letter %d, twice", at, key, l.number)
		}
		seen[key] = true
		if f.typ == journal.TypePli {
			continue
		}
		p.count("evidences")
		p.checkCause(at, l, f, all3[f.evidence.Home][pli])
	}
}

// checkCause looks an evidence up in the journal where it was made: it is
// there, and after the pli; a person's after the reception.
func (p *play) checkCause(at broker.BrokerID, l *letter, f fact, home []fact) {
	e := f.evidence
	row, _ := broker.LookupEvent(e.Event)
	made, pli, received := -1, -1, -1
	for _, h := range home {
		switch {
		case h.digest == f.digest && h.typ == f.typ:
			made = h.pos
		case h.typ == journal.TypePli:
			pli = h.pos
		case h.typ == string(broker.Consigned) && h.evidence.Recipient == e.Recipient:
			received = h.pos
		}
	}
	if made < 0 || l.forged[f.digest] {
		p.fault(wordForged, "%s: a %s of letter %d that %s never made", at, e.Event, l.number, e.Home)
		return
	}
	if pli < 0 || pli > made || row.Sealed && (received < 0 || received > made) {
		p.fault(wordForged, "%s: a %s of letter %d before its cause", e.Home, e.Event, l.number)
	}
}

// checkOrder: of one thread, sender, recipient and class of urgency, what was
// deposited first is consigned first, unless something was given up.
func (p *play) checkOrder(all3 books) {
	type lane struct {
		thread   string
		from, to broker.PartyID
		urgent   bool
	}
	type place struct{ deposited, consigned int }
	lanes := map[lane][]place{}
	for _, l := range p.letters {
		if l.id() == "" {
			continue
		}
		for _, to := range l.recipients() {
			at := place{
				position(all3[homeOf(l.from)][l.id()], broker.Accepted, ""),
				position(all3[homeOf(to)][l.id()], broker.Consigned, to),
			}
			k := lane{l.receipts[0].Thread, l.from, to, l.urgency == broker.U0}
			for _, other := range lanes[k] {
				p.count("ordered")
				if (other.deposited < at.deposited) != (other.consigned < at.consigned) {
					p.fault(wordOrder, "letter %d overtook, or was overtaken, on its way to %s", l.number, to)
				}
			}
			lanes[k] = append(lanes[k], at)
		}
	}
}

// position is where a fact is in a journal.
func position(facts []fact, event broker.Event, party broker.PartyID) int {
	for _, f := range facts {
		if f.typ == string(event) && f.evidence.Recipient == party {
			return f.pos
		}
	}
	return -1
}

// checkRest wants nothing to be left to do, and nothing to lie about.
func (p *play) checkRest(h *house) {
	err := h.journal.View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			if n := v.Pending(topic); n > 0 {
				p.fault(wordLeft, "%s: %d items of %s", h.id, n, topic)
			}
		}
		if _, set := v.NextTimer(); set {
			p.fault(wordLeft, "%s: a timer", h.id)
		}
		v.Scan("transit", "", "", func(string, []byte) bool { p.fault(wordLeft, "%s: a passage", h.id); return true })
		named := 0
		for n := range v.Size() {
			e, err := v.Record(n)
			if err != nil {
				return err
			}
			for _, b := range e.Blobs {
				switch held := v.HasBlob(b.Name); {
				case held && h.id == relais && len(v.Letters(0, 1)) == 0:
					p.fault(wordLeft, "the relay keeps a blob")
				case held && b.Size > journal.InlineBody:
					named++
				}
			}
		}
		if named == 0 && h.disk.Files() > 0 {
			p.fault(wordLeft, "%s: %d body files that nobody names", h.id, h.disk.Files())
		}
		return nil
	})
	if err != nil {
		p.fault(wordLost, "%s cannot be read: %v", h.id, err)
	}
}
