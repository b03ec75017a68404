package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/serving"
)

// Bounds of what is looked at when something changed.
const (
	watchEvery = time.Second // the least between two looks
	watchPages = 5           // of 200 messages, of each box
	// watchSince: a message older than that no longer arrives anywhere
	// (DESIGN section 9); its sender's and recipients' acts are in status.
	watchSince = 35 * 24 * time.Hour
)

func newWatchCommand(t *terminal) *cobra.Command {
	var a acting
	c := &cobra.Command{
		Use:   "watch --as PARTY --data DIR",
		Short: "Print what changes for a party, until interrupted",
		Long: "Print each message that comes or leaves, and each new state of one, as the running\n" +
			"broker sees it: ids, parties and states, nothing of what a message says. What is\n" +
			"there at the beginning is not printed; messages of more than 35 days are not looked\n" +
			"at. With --json, one object a line.",
		Example: "  vaguemestre watch --as parquet-lille --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := mailboxOf(a)
			if err != nil {
				return err
			}
			live := running(c.Context(), a.data)
			if live == nil {
				return &hinted{&passingError{text: "no broker runs on this data directory: nothing changes"},
					"vaguemestre serve --config DATA/vaguemestre.toml runs it"}
			}
			m.client = live.acting(m.party)
			return t.told(t.watch(c.Context(), m))
		},
	}
	a.bind(c)
	return c
}

// change is one line of `watch --json`.
type change struct {
	Change  string `json:"change"` // new, or state
	Message listed `json:"message"`
}

// watcher knows the states that were last seen.
type watcher struct {
	box    string
	known  map[string]string // states, by id
	cursor string            // of the next page; "" to begin again
	first  bool              // the first round: nothing is new
}

func (t *terminal) watch(ctx context.Context, m *mailbox) error {
	boxes := []*watcher{}
	for _, box := range []string{"received", "sent"} {
		boxes = append(boxes, &watcher{box: box, known: map[string]string{}, first: true})
	}
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	silent, told := false, false
	size := uint64(math.MaxUint64) // of the log when it was last looked at
	for {
		// Asked before the look: what comes during it is seen by the next.
		next, err := m.changed(ctx, size)
		if err == nil && next != size {
			err = t.look(ctx, m, boxes)
		}
		if size = next; err != nil || boxes[0].cursor != "" || boxes[1].cursor != "" {
			size = math.MaxUint64 // not all was looked at: go on without a change
		}
		switch {
		case ctx.Err() != nil:
			return nil // interrupted: that is how it ends
		case passing(err):
			if !silent {
				t.say("The broker does not answer; waiting for it.")
			}
			silent = true
		case err != nil:
			return err
		case silent:
			t.say("The broker answers again.")
			silent = false
		}
		if !told && !boxes[0].first && !boxes[1].first {
			t.say("Watching %d received and %d sent messages of %s.", len(boxes[0].known), len(boxes[1].known), m.party)
			told = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// changed waits until the log of the broker is not of that size, a few seconds
// at most, and gives the size.
func (m *mailbox) changed(ctx context.Context, size uint64) (uint64, error) {
	var c serving.Changes
	err := m.call(ctx, http.MethodGet, "/admin/v1/journal/changes?after="+strconv.FormatUint(size, 10), nil, &c)
	return c.Size, err
}

// passing says whether the broker may answer later.
func passing(err error) bool {
	var p *serving.Problem
	return errors.As(err, &p) && exitOfProblem(p) == exitTemporary || errors.Is(err, broker.ErrTemporary)
}

func (t *terminal) look(ctx context.Context, m *mailbox, boxes []*watcher) error {
	for _, w := range boxes {
		for range watchPages {
			page, err := m.page(ctx, w)
			if err != nil {
				return err
			}
			for _, l := range page.Items {
				if err := t.noticeChange(m, w, l); err != nil {
					return err
				}
			}
			if w.cursor = page.Next; w.cursor == "" {
				w.first = false
				break
			}
		}
	}
	return nil
}

func (m *mailbox) page(ctx context.Context, w *watcher) (*listedPage, error) {
	q := url.Values{"box": {w.box}, "limit": {"200"}, "since": {time.Now().Add(-watchSince).UTC().Format(time.RFC3339)}}
	if w.cursor != "" {
		q.Set("cursor", w.cursor)
	}
	var p listedPage
	return &p, m.call(ctx, http.MethodGet, "/v1/messages?"+q.Encode(), nil, &p)
}

// noticeChange prints a message that is not as it was last seen.
func (t *terminal) noticeChange(m *mailbox, w *watcher, l listed) error {
	now := fmt.Sprint(l.States, l.Waiting)
	before, known := w.known[l.ID]
	w.known[l.ID] = now
	if w.first || known && before == now {
		return nil
	}
	c := change{"state", l}
	if !known {
		c.Change = "new"
	}
	if t.json {
		return t.answer(c)
	}
	word := "changé "
	if !known {
		word = "nouveau"
	}
	t.print("%s  %s", word, m.line(l))
	return nil
}
