package sim

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal"
)

// play is one seed. Everything in it happens on one goroutine, in an order and
// at times that the seed draws.
type play struct {
	*town
	ctx      context.Context
	draw     *rand.Rand
	letters  []*letter
	late     []letterbox
	cut      map[[2]broker.BrokerID]bool
	healAt   map[[2]broker.BrokerID]time.Time
	rough    int  // percent of parcels that something befalls
	harsh    bool // some are refused for no reason, some outages outlast the retries
	fair     bool // the end: everything works
	requeued bool // a person took dead letters up again

	inside bool            // something happens while something else does
	flying map[flight]bool // items that are being delivered

	watch   watch
	commits map[broker.BrokerID]int // of the fixed exchange
	faults  []string
	counts  map[string]int
	trace   hash.Hash
	lines   []string // when the trace is to be shown
	keep    bool
}

func newPlay(scene *scenery, seed uint64) (*play, error) {
	draw := rand.New(rand.NewPCG(seed, 4))
	tn, err := newTown(scene, seed, draw)
	if err != nil {
		return nil, err
	}
	p := &play{
		town: tn, ctx: context.Background(), draw: draw, rough: draw.IntN(50), harsh: draw.IntN(8) == 0,
		cut: map[[2]broker.BrokerID]bool{}, healAt: map[[2]broker.BrokerID]time.Time{}, counts: map[string]int{}, trace: sha256.New(),
		watch: watch{}, flying: map[flight]bool{},
	}
	for _, h := range tn.houses {
		h.keys.pause = func() { p.meanwhile(false) }
	}
	for n := range 2 + draw.IntN(4) {
		p.letters = append(p.letters, newLetter(n, draw))
	}
	return p, nil
}

// note adds a line to the trace.
func (p *play) note(format string, args ...any) {
	line := fmt.Sprintf("%s ", p.now.Format("02 15:04:05.000")) + fmt.Sprintf(format, args...)
	p.trace.Write(append([]byte(line), '\n'))
	if p.keep {
		p.lines = append(p.lines, line)
	}
}

func (p *play) count(what string) { p.counts[what]++ }

// The words by which a fault begins.
const (
	wordLost     = "LOST"      // accepted, consigned or acted, and not in a journal
	wordTwice    = "TWICE"     // more than once
	wordBack     = "BACKWARDS" // a progress or a closure that was taken back
	wordForged   = "FORGED"    // believed, and nobody who could say it did
	wordSilent   = "SILENT"    // neither an act nor an alarm, or a call that is never answered
	wordLeft     = "LEFT"      // work, a timer or a body that should be gone
	wordDiffers  = "DIFFERS"   // two places that should agree
	wordOrder    = "ORDER"     // overtaken in its own lane
	wordOverread = "OVERREAD"  // a relay that opened something
)

func (p *play) fault(word, format string, args ...any) {
	p.faults = append(p.faults, word+": "+fmt.Sprintf(format, args...))
}

// fate draws what befalls the next parcel.
func (p *play) fate() fate {
	n := p.draw.IntN(100)
	if p.fair || n >= p.rough {
		return arrives
	}
	if p.harsh && p.draw.IntN(12) == 0 {
		return refused
	}
	return []fate{lost, answerLost, twice, late}[n%4]
}

// maxMoves is how long the rough part lasts, at most.
const maxMoves = 160

// run plays the seed and returns the digest of what happened.
func (p *play) run() string {
	for _, id := range all() {
		p.open(p.houses[id])
	}
	for range 60 + p.draw.IntN(maxMoves-60) {
		p.move()
		p.look()
	}
	p.settle()
	p.check()
	for _, id := range all() {
		if h := p.houses[id]; h.up() {
			head := h.journal.Head()
			p.note("%s: %d leaves, root %x", id, head.Size, head.Root)
			p.counts["leaves"] += int(head.Size)
			p.leave(p.ctx, h)
		}
	}
	return hex.EncodeToString(p.trace.Sum(nil))
}

// open starts a house; one that crashes in it stays down for a while.
func (p *play) open(h *house) {
	if err := p.start(p.ctx, h, &road{p, h.id}); err != nil {
		h.upAt = p.now.Add(time.Minute)
		p.note("%s starts, and crashes: %v", h.id, errors.Is(err, journal.ErrFailed))
		return
	}
	p.note("%s starts", h.id)
}

// move is one step of the scheduler.
func (p *play) move() {
	p.now = p.now.Add(time.Duration(1+p.draw.IntN(900)) * time.Millisecond)
	switch n := p.draw.IntN(100); {
	case n < 12:
		p.submit()
	case n < 58:
		p.deliver(p.any())
	case n < 64:
		p.arrive()
	case n < 74:
		p.act()
	case n < 84:
		p.wait()
	case n < 90:
		p.fire(p.any())
	case n < 93:
		p.sabotageRoad()
	case n < 96:
		p.plan(p.any())
	case n < 97:
		p.kill(p.any())
	default:
		p.forge()
	}
	p.notice()
}

func (p *play) any() *house { return p.houses[all()[p.draw.IntN(3)]] }

// notice finds what crashed, and starts what was down for long enough.
func (p *play) notice() {
	for _, id := range all() {
		h := p.houses[id]
		if h.crashed() {
			h.upAt = p.now.Add(p.outage())
			if p.fair {
				h.upAt = p.now
			}
			p.note("%s is gone until %s", id, h.upAt.Format("02 15:04"))
			p.count("crashes")
			p.leave(p.ctx, h)
		}
		if !h.up() && !h.upAt.After(p.now) {
			p.open(h)
		}
	}
	for _, a := range all() {
		for _, b := range all() {
			if way := [2]broker.BrokerID{a, b}; p.cut[way] && !p.healAt[way].After(p.now) {
				delete(p.cut, way)
			}
		}
	}
}

// outage is how long something stays away: minutes, or days.
func (p *play) outage() time.Duration {
	most := 5 * 24 * 60
	if p.harsh {
		most *= 2
	}
	switch p.draw.IntN(3) {
	case 0:
		return time.Duration(p.draw.IntN(most)) * time.Minute
	case 1:
		return time.Duration(p.draw.IntN(300)) * time.Minute
	}
	return time.Duration(p.draw.IntN(120)) * time.Second
}

// sabotageRoad cuts a road, one way, for a while.
func (p *play) sabotageRoad() {
	a, b := p.any().id, p.any().id
	if a == b {
		return
	}
	way := [2]broker.BrokerID{a, b}
	p.cut[way], p.healAt[way] = true, p.now.Add(p.outage())
	p.note("road %s > %s is cut", a, b)
	p.count("cuts")
}

// plan has a commit of a house break, one of the next ones.
func (p *play) plan(h *house) {
	h.fuse = 1 + p.draw.IntN(6)
	h.how = []brokertest.Break{brokertest.Before, brokertest.After}[p.draw.IntN(2)]
	p.note("%s will break at commit %d, %d", h.id, h.fuse, h.how)
}

// kill ends a house between two commits.
func (p *play) kill(h *house) {
	if h.up() {
		p.note("%s is killed", h.id)
		h.store.Kill()
	}
}

// wait lets time pass: seconds to hours, or until something is due.
func (p *play) wait() {
	d := []time.Duration{time.Second, 30 * time.Second, 6 * time.Minute, time.Hour, 26 * time.Hour}[p.draw.IntN(5)]
	if next := p.nextDue(); !next.IsZero() && p.draw.IntN(2) == 0 {
		d = max(0, next.Sub(p.now))
	}
	p.now = p.now.Add(d)
	p.note("%s pass", d)
}

// nextDue is when the next item or timer of any house is due; zero: none.
func (p *play) nextDue() (next time.Time) {
	take := func(h *house, at time.Time, ok bool) {
		if at = at.Add(-h.apart); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	for _, id := range all() {
		h := p.houses[id]
		if !h.up() {
			continue
		}
		_ = h.journal.View(func(v journal.View) error {
			for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
				for _, dest := range v.Dests(topic) {
					at, ok := v.NextDue(topic, dest)
					take(h, at, ok)
				}
			}
			at, ok := v.NextTimer()
			take(h, at, ok)
			return nil
		})
	}
	return next
}

// due lists what a house may deliver now.
func (p *play) due(h *house) (items []journal.Item) {
	_ = h.journal.View(func(v journal.View) error {
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			for _, dest := range v.Dests(topic) {
				items = append(items, v.Heads(topic, dest, p.clock(h)(), 64)...)
			}
		}
		return nil
	})
	return items
}

// deliver delivers one of the items that are due at a house, whichever.
func (p *play) deliver(h *house) {
	if !h.up() {
		return
	}
	items := p.due(h)
	if len(items) == 0 {
		return
	}
	p.deliverItem(h, items[p.draw.IntN(len(items))])
}

// flight names an item on its way: the queue gives out none twice at once.
type flight struct {
	from broker.BrokerID
	seq  uint64
}

func (p *play) deliverItem(h *house, it journal.Item) {
	f := flight{h.id, it.Seq}
	if p.flying[f] {
		return
	}
	p.flying[f] = true
	defer delete(p.flying, f)
	p.note("%s delivers %s %x to %s", h.id, it.Topic, it.Seq, it.Dest)
	p.count("deliveries")
	err := h.broker.Deliver(p.ctx, it)
	p.note("  %s", word(err))
	if err != nil && !h.crashed() {
		p.fault(wordSilent, "%s: an item that is not settled: %v", h.id, err)
	}
}

// arrive brings one of the parcels that are late, whichever.
func (p *play) arrive() {
	if len(p.late) == 0 {
		return
	}
	i := p.draw.IntN(len(p.late))
	l := p.late[i]
	p.late = slices.Delete(p.late, i, i+1)
	err := p.net.Carrier(l.from).Carry(p.ctx, l.to, l.parcel)
	p.note("late, from %s for %s: %s", l.from, l.to, word(err))
}

// fire lets a house look at its timers.
func (p *play) fire(h *house) {
	if !h.up() {
		return
	}
	_, err := h.broker.FireDue(p.ctx)
	p.note("%s looks at its timers: %s", h.id, word(err))
}

// word is an outcome without what may differ from run to run.
func word(err error) string {
	var r *broker.Refusal
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &r):
		return "refused " + r.Code
	case errors.Is(err, journal.ErrFailed):
		return "crashed"
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
