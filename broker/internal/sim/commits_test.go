package sim

import (
	"math/rand/v2"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/inproc"
)

// TestEveryCommitThroughTheRelay plays a fixed exchange through the relay, and
// breaks every commit of every broker in it, before anything is written and
// after all of it. The broker starts again at once.
func TestEveryCommitThroughTheRelay(t *testing.T) {
	scene, err := newScenery()
	if err != nil {
		t.Fatal(err)
	}
	calm := exchange(t, scene, "", 0, brokertest.Whole)
	crashes, want := 0, 0
	for _, id := range all() {
		n := calm.commits[id]
		if n < 10 {
			t.Errorf("%s has %d commits: nothing was shown", id, n)
		}
		for k := 1; k <= n; k += everyNth {
			want += 2
			for _, how := range []brokertest.Break{brokertest.Before, brokertest.After} {
				crashes += exchange(t, scene, id, k, how).counts["crashes"]
			}
		}
	}
	t.Logf("%d crashes: commits of %v, before and after", crashes, calm.commits)
	if crashes != want {
		t.Errorf("%d crashes, want %d", crashes, want)
	}
}

// exchange is the fixed one: letters in all directions, silence, acts of every
// sort. One commit of one broker breaks, after its start.
func exchange(t *testing.T, scene *scenery, id broker.BrokerID, k int, how brokertest.Break) *play {
	t.Helper()
	p, err := newPlay(scene, 1)
	if err != nil {
		t.Fatal(err)
	}
	p.way = 0 // both homes behind the relay
	p.net = inproc.New(scene.directories[0][nord])
	p.keep, p.fair, p.commits = true, true, map[broker.BrokerID]int{}
	for _, h := range p.houses {
		h.keys.pause = func() {}
		p.open(h)
		h.fuse = 0
		if h.id == id {
			h.fuse, h.how = k, how
		}
	}
	p.letters = nil
	for n := range 6 {
		l := newLetter(n, rand.New(rand.NewPCG(uint64(n), 0)))
		l.silent = n%2 == 0
		p.letters = append(p.letters, l)
		p.until(func() bool { p.ask(l); return len(l.receipts) > 0 })
	}
	p.calm()
	for _, l := range p.letters {
		for i, event := range []broker.Event{broker.Fetched, broker.Registered, broker.TakenInCharge} {
			p.until(func() bool { p.say(l, l.to[0], event); return len(l.acts) > i })
		}
	}
	p.calm()
	for _, h := range p.houses {
		p.commits[h.id] = -h.fuse // counted down from 0 where nothing breaks
	}
	p.check()
	if len(p.faults) > 0 {
		t.Errorf("%s, commit %d, %d:\n%s\n\n%s", id, k, how, strings.Join(p.lines, "\n"), strings.Join(p.faults, "\n"))
	}
	for _, h := range p.houses {
		p.leave(p.ctx, h)
	}
	return p
}

// until repeats a call, as a client does, until it is answered.
func (p *play) until(answered func() bool) {
	for range 20 {
		done := answered()
		p.notice()
		if done {
			return
		}
		p.calm()
	}
	p.fault(wordSilent, "a call is never answered")
}

// An act that meets a journal that has just failed is to be said again, to the
// broker that starts next.
func TestActOnAFailedJournal(t *testing.T) {
	scene, err := newScenery()
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlay(scene, 1)
	if err != nil {
		t.Fatal(err)
	}
	p.fair = true
	for _, id := range all() {
		p.open(p.houses[id])
	}
	l := newLetter(0, rand.New(rand.NewPCG(0, 0)))
	p.letters = []*letter{l}
	p.until(func() bool { p.ask(l); return len(l.receipts) > 0 })
	p.calm()
	p.houses[homeOf(l.to[0])].store.Kill()
	p.say(l, l.to[0], broker.TakenInCharge)
	if len(p.faults) > 0 || len(l.acts) > 0 {
		t.Errorf("acts %v, faults %v", l.acts, p.faults)
	}
	for _, id := range all() {
		p.leave(p.ctx, p.houses[id])
	}
}
