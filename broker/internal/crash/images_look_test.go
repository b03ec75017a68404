//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/internal/disk"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// looker is one worker.
type looker struct {
	*imageCheck
	root string // of dir
	dir  disk.Folder
	draw *rand.Rand
	n    int
	tn   *town
}

// draws draws and checks the images of a state.
func (l *looker) draws(j job) {
	each := l.each
	if j.state.Settled() {
		each = 1
	}
	for range each {
		if err := l.dir.Lay(j.state.Draw(l.draw), j.top); err != nil {
			l.book.fault(broken, "laying an image: %v", err)
			return
		}
		l.n++
		l.open(j, l.dir.Dir)
	}
}

// open opens one image as a restarted broker would.
func (l *looker) open(j job, dir string) {
	word, err := lost, error(nil)
	if !j.begun {
		word = broken // nothing was answered yet: it must open, or never have been made
	}
	defer func() {
		if p := recover(); p != nil {
			word, err = broken, fmt.Errorf("panic: %v", p)
		}
		if err != nil {
			l.book.fault(word, "%s, after operation %d (%s %s): %v", j.top, j.at, j.ops[j.at].Kind, filepath.Base(j.ops[j.at].Path), err)
		}
	}()
	l.count(&l.images)
	_, err = boltstore.Verify(context.Background(), dir, nil)
	switch {
	case errors.Is(err, journal.ErrNoJournal) && !j.begun && !j.copied:
		l.count(&l.none)
		err = boltstore.Create(dir, string(j.broker)) // it can still be made
		return
	case j.copied && !j.begun:
		err = nil // half of a copy, of which nobody said that it is one
		return
	case err != nil:
		return
	}
	if _, err = wiring.Secret(dir); err != nil && j.begun {
		return
	}
	word, err = l.holds(j, dir)
	if err != nil || !j.begun {
		return
	}
	if l.n%31 == 0 {
		word = broken
		err = l.play(j)
	}
}

func (c *imageCheck) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

// holds opens the journal and looks for everything that was answered.
func (l *looker) holds(j job, dir string) (word string, err error) {
	s, err := boltstore.Open(dir, boltstore.WithFoldMax(foldOften))
	if err != nil {
		return broken, err
	}
	defer func() {
		err = errors.Join(err, s.Close())
	}()
	if _, err := s.Bodies().Sweep(); err != nil {
		return broken, err
	}
	l.count(&l.opened)
	if j.copied {
		l.count(&l.copies)
	}
	word = lost
	err = s.View(func(v journal.View) error {
		var found brokertest.Facts
		if found, err = brokertest.ViewFacts(v); err != nil {
			return err
		}
		word, err = l.compare(j.notes, found, v)
		return err
	})
	return word, err
}

// compare holds a journal against what was answered.
func (l *looker) compare(notes []noted, found brokertest.Facts, v journal.View) (word string, err error) {
	purging := map[string]bool{}
	for _, n := range notes {
		purging[n.ID] = purging[n.ID] || n.What == notedPurging
	}
	for id, times := range found.Plis {
		if times > 1 {
			return twice, fmt.Errorf("a pli, %d times (%s)", times, id)
		}
	}
	for what, held := range found.Events {
		if len(held) > 1 {
			return twice, fmt.Errorf("%s, %d times", what.Event, len(held))
		}
	}
	for _, n := range notes {
		if n.What != notedHolds {
			continue
		}
		l.count(&l.held)
		if found.Plis[n.ID] == 0 {
			return lost, errors.New("a pli that was answered for")
		}
		if len(found.Events[brokertest.Fact{Event: n.Event, ID: n.ID, Recipient: n.For}]) == 0 {
			return lost, fmt.Errorf("%s, which was answered", n.Event)
		}
		for _, o := range []string{n.Object, n.Object2} {
			if o == "" {
				continue
			}
			if _, err := v.Object(o); err != nil {
				return lost, fmt.Errorf("an object that was answered with: %w", err)
			}
		}
		if n.Event != broker.Accepted || purging[n.ID] {
			continue
		}
		text, err := v.Object(n.Object2)
		if err != nil {
			return lost, err
		}
		h, err := broker.ParseHeader(text)
		if err != nil {
			return broken, err
		}
		if !v.HasBlob(journal.BodyName(h.BodySHA256)) { // Verify has read those that it has
			return lost, errors.New("the body of a pli that was answered for")
		}
	}
	return lost, nil
}

// play lets a broker live on the image: it takes up what was pending, and
// takes something new.
func (l *looker) play(j job) (err error) {
	ctx := context.Background()
	if l.tn == nil {
		if l.tn, err = makeTown(l.root, l.keys); err != nil {
			return err
		}
	}
	if err := l.tn.open(ctx, j.broker); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.tn.leave(ctx, j.broker)) }()
	n := 0
	for homeOf(newLetter(n).from) != j.broker {
		n++
	}
	s, err := newLetter(n).submission()
	if err != nil {
		return err
	}
	s.Key = "après la coupure"
	if _, err := l.tn.Nodes[j.broker].Broker.Accept(ctx, s); err != nil {
		return err
	}
	l.count(&l.played)
	return nil
}
