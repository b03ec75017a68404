package sim

import (
	"errors"
	"slices"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// submit submits the next letter, or repeats one, as a client that lost the
// answer does.
func (p *play) submit() {
	l := p.letters[p.draw.IntN(len(p.letters))]
	for _, next := range p.letters {
		if !next.asked && p.draw.IntN(3) > 0 {
			l = next
			break
		}
	}
	if l.id() == "" || p.draw.IntN(4) == 0 {
		p.ask(l)
	}
}

func (p *play) ask(l *letter) {
	h := p.houses[homeOf(l.from)]
	if !h.up() {
		return
	}
	s := p.submission(l)
	l.asked = true
	r, err := h.broker.Accept(p.ctx, s)
	p.note("letter %d, %s from %s: %s %s", l.number, l.urgency, l.from, r.ID, word(err))
	p.count("submissions")
	switch {
	case err == nil && p.draw.IntN(8) == 0 && !p.fair:
		p.note("  and the client loses the answer")
	case err == nil:
		l.receipts = append(l.receipts, r)
	case errors.Is(err, broker.ErrTemporary):
	default:
		p.fault(wordSilent, "letter %d: %v", l.number, err)
	}
}

// act lets a recipient say something of a pli.
func (p *play) act() {
	l := p.letters[p.draw.IntN(len(p.letters))]
	events := []broker.Event{broker.Fetched, broker.Opened}
	if !l.silent {
		events = append(events, broker.Registered, broker.TakenInCharge, broker.Executed, broker.NotExecuted, broker.Returned, broker.Redirected)
	}
	p.say(l, l.to[p.draw.IntN(len(l.to))], events[p.draw.IntN(len(events))])
}

func (p *play) say(l *letter, party broker.PartyID, event broker.Event) {
	h := p.houses[homeOf(party)]
	if !h.up() || l.id() == "" {
		return
	}
	row, _ := broker.LookupEvent(event)
	a := broker.Act{
		ID: l.id(), Party: party, Event: event, Basis: broker.Declared, Reason: "fictif",
		Actor: broker.Actor{Name: "SPÉCIMEN Dominique", Function: "greffe"},
	}
	if row.Number {
		a.Number = "B26/FICTIF/0001"
	}
	if row.Date {
		a.DoneAt = p.clock(h)()
	}
	if len(row.Reasons) > 0 {
		a.ReasonCode = row.Reasons[0]
	}
	if event == broker.Redirected {
		a.RedirectedTo, a.RedirectedID = service, l.id()
	}
	_, err := h.broker.Acknowledge(p.ctx, a)
	p.note("letter %d: %s says %s: %s", l.number, party, event, word(err))
	var r *broker.Refusal
	switch {
	case err == nil, errors.Is(err, broker.ErrAlready):
		l.acts = append(l.acts, event)
		p.count("acts")
	case errors.Is(err, broker.ErrTemporary), errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrNotYet), errors.As(err, &r):
	default:
		p.fault(wordSilent, "letter %d, %s: %v", l.number, event, err)
	}
}

// meanwhile lets one other thing happen while something is under way: a client
// repeats itself, somebody acts, an evidence is carried; also a pli, where
// whatever is under way holds no body (its own reception would wait for that
// one, and nobody else could go on here).
func (p *play) meanwhile(free bool) {
	if p.inside || p.fair || p.draw.IntN(12) > 0 {
		return
	}
	p.inside = true
	defer func() { p.inside = false }()
	p.note("  meanwhile")
	p.count("meanwhile")
	switch p.draw.IntN(3) {
	case 0:
		p.ask(p.letters[p.draw.IntN(len(p.letters))])
	case 1:
		p.act()
	case 2:
		h := p.any()
		if !h.up() {
			return
		}
		items := slices.DeleteFunc(p.due(h), func(it journal.Item) bool { return !free && it.Topic == broker.TopicPli })
		if len(items) > 0 {
			p.deliverItem(h, items[p.draw.IntN(len(items))])
		}
	}
}

// forge has somebody who may knock bring something made up: a fact that its
// signer never stated, or a pli that nobody wrote.
func (p *play) forge() {
	l := p.letters[p.draw.IntN(len(p.letters))]
	to, peer := l.from, relais
	h := p.houses[homeOf(to)]
	if l.id() == "" || !h.up() {
		return
	}
	party := l.recipients()[p.draw.IntN(len(l.recipients()))]
	if p.draw.IntN(2) == 0 { // by way of the relay
		h, peer = p.houses[relais], homeOf(party)
		if !h.up() || homeOf(to) == homeOf(party) {
			return
		}
	}
	e := broker.Evidence{
		V: 1, Event: []broker.Event{broker.Consigned, broker.ConsignFailed, broker.Relayed, broker.Overdue}[p.draw.IntN(4)],
		ID: l.id(), Recipient: party, At: broker.FormatTime(p.clock(h)()), By: string(party), Home: homeOf(party), HeaderSHA256: l.receipts[0].HeaderSHA256,
	}
	if row, _ := broker.LookupEvent(e.Event); len(row.Reasons) > 0 {
		e.ReasonCode = row.Reasons[0]
	}
	if e.Event == broker.Relayed {
		e.By, e.Home = string(relais), relais
		peer = relais
		if h.id == relais {
			return
		}
	}
	if e.Event == broker.Overdue {
		e.By, e.Home = string(homeOf(to)), homeOf(to)
	}
	e.Log = broker.LogHead{Broker: e.Home, Origin: string(e.Home) + "/log/00000000000000000000000000000000", Size: 1, Root: broker.Digest(nil)}
	text := e.Encode()
	signer := []string{string(juge), string(nord), "personne"}[p.draw.IntN(3)]
	sig := signature(signer, text, p.clock(h)()) // in the name of the signer below
	sig = append([]byte(e.By), sig[len(signer):]...)
	if signer == e.By {
		return
	}
	l.forged[broker.Digest(text)] = true
	err := h.broker.Receive(p.ctx, peer, to, broker.Parcel{Evidence: &broker.EvidenceParcel{Digest: broker.Digest(text), Evidence: text, Sig: sig}})
	p.note("a forged %s of letter %d, from %s to %s: %s", e.Event, l.number, peer, h.id, word(err))
	p.count("forgeries")
	if err == nil {
		p.fault(wordForged, "%s took a %s that nobody signed", h.id, e.Event)
	}
}

// settle is the end of the rough part: everything stands and works, clients
// repeat what was not answered, and time passes until nothing is left to do.
func (p *play) settle() {
	p.note("fair from here on")
	p.fair = true
	p.cut = map[[2]broker.BrokerID]bool{}
	for _, id := range all() {
		h := p.houses[id]
		h.fuse, h.upAt = 0, p.now
	}
	p.notice()
	for len(p.late) > 0 {
		p.arrive()
	}
	p.calm()
	for _, l := range p.letters {
		p.ask(l)
		p.look()
	}
	p.calm()
	if p.draw.IntN(2) == 0 {
		p.requeue()
		p.calm()
	}
	// Somebody acts at last on some of what was left silent.
	for _, l := range p.letters {
		if !l.silent && p.draw.IntN(2) == 0 {
			for _, to := range l.to {
				p.say(l, to, broker.TakenInCharge)
			}
		}
	}
	p.calm()
}

// requeue takes all dead letters up again.
func (p *play) requeue() {
	for _, id := range all() {
		h := p.houses[id]
		var letters []broker.Letter
		_ = h.journal.View(func(v journal.View) (err error) {
			letters, err = broker.ReadLetters(v, 0, 1000)
			return err
		})
		for _, l := range letters {
			p.requeued = true
			p.note("%s takes up a dead letter for %s: %s", id, l.Dest, word(h.broker.Requeue(p.ctx, l.Seq)))
		}
	}
}

// calm lets all queues and timers run out.
func (p *play) calm() {
	for range 50_000 { // a U0 that is retried every 5 minutes for 7 days, and taken up again
		busy := false
		for _, id := range all() {
			h := p.houses[id]
			items := p.due(h)
			for _, i := range p.draw.Perm(len(items)) {
				p.deliverItem(h, items[i])
				busy = true
			}
			p.fire(h)
			p.look()
			p.notice()
		}
		if busy {
			p.now = p.now.Add(time1)
			continue
		}
		next := p.nextDue()
		if next.IsZero() {
			return
		}
		p.now = later(p.now, next)
	}
	p.fault(wordSilent, "the deliveries never end")
}
