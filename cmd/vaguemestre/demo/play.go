package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// Options is what a demonstration needs of the world.
type Options struct {
	Root       string        // an empty folder: each broker has its data directory in it
	Papers     fs.FS         // the sample papers: 01-signalement.json, pdf/rapport.pdf…
	Passphrase []byte        // when set, data directories are complete and their keys locked under it
	Pace       time.Duration // pause before each scene, for somebody who watches
}

// patience bounds one scene. What the brokers do takes milliseconds: this is
// for a machine that is busy with something else.
const patience = 60 * time.Second

// MissingError says which scene did not end as it must.
type MissingError struct {
	Step  string // "pli 3, consigned for je-lille"
	Cause error  // nil when it simply never came
}

func (e *MissingError) Error() string {
	if e.Cause == nil {
		return "demonstration: missing step: " + e.Step
	}
	return fmt.Sprintf("demonstration: step failed: %s: %v", e.Step, e.Cause)
}

func (e *MissingError) Unwrap() error { return e.Cause }

// Demo is one demonstration. Play may be called once.
type Demo struct {
	o     Options
	world *wiring.World
	bell  *bell
	plis  []*pli              // by number, from 0
	facts map[string]FactView // verified, by digest: nothing is verified twice
	board *Board
}

// pli is one deposited letter.
type pli struct {
	number int
	letter *letter
	id     string
	thread string
	order  bool // it transmits an order of a magistrate
}

// New makes keys, data directories and journals under the root.
func New(ctx context.Context, o Options) (*Demo, error) {
	brokers, parties := cast()
	w, err := wiring.Make(ctx, wiring.Plan{Root: o.Root, Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: o.Passphrase})
	if err != nil {
		return nil, fmt.Errorf("demonstration: %w", err)
	}
	d := &Demo{o: o, world: w, bell: newBell(), facts: map[string]FactView{}, board: newBoard()}
	for _, n := range w.Nodes {
		// The brokers live as long as the demonstration: nothing to stop.
		n.Journal.Watch(d.bell.ring)
	}
	return d, nil
}

// Board is what can be seen of the demonstration while it plays.
func (d *Demo) Board() *Board { return d.board }

// Play plays the story, proves it and closes the brokers, whether it succeeds
// or not. It returns a *MissingError for a step that did not happen.
func (d *Demo) Play(ctx context.Context) (Result, error) {
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- d.world.Run(running)
		d.bell.close()
	}()
	err := d.story(ctx)
	var exported []Message
	if err == nil {
		exported, err = d.proveAll(ctx)
	}
	stop()
	err = errors.Join(err, <-done, d.world.Close(context.WithoutCancel(ctx)))
	if err != nil {
		return Result{}, err
	}
	return d.conclude(ctx, exported)
}

// story plays every scene, then waits until nothing is left to carry and no
// alarm waits for anybody.
func (d *Demo) story(ctx context.Context) error {
	for _, s := range plot() {
		if err := d.pause(ctx); err != nil {
			return err
		}
		if err := d.perform(ctx, s); err != nil {
			return err
		}
	}
	return d.await(ctx, "nothing left to carry, no alarm", d.quiet)
}

func (d *Demo) pause(ctx context.Context) error {
	if d.o.Pace == 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d.o.Pace)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (d *Demo) perform(ctx context.Context, s scene) error {
	step := "pli " + strconv.Itoa(s.pli) + ", deposit"
	act := d.deposit
	if s.gesture != nil {
		step = fmt.Sprintf("pli %d, %s by %s", s.pli, s.gesture.event, s.gesture.party)
		act = d.act
	}
	if err := act(ctx, s); err != nil {
		return &MissingError{Step: step, Cause: err}
	}
	for _, f := range s.implied() {
		step := fmt.Sprintf("pli %d, %s for %s", f.pli, f.event, orAll(f.recipient))
		if err := d.await(ctx, step, func() (bool, error) { return d.arrived(f) }); err != nil {
			return err
		}
	}
	return nil
}

// deposit is the work of a party's clerk: a document and its pieces.
func (d *Demo) deposit(ctx context.Context, s scene) error {
	l := s.letter
	text, err := fs.ReadFile(d.o.Papers, l.paper)
	if err != nil {
		return err
	}
	sub := broker.Submission{
		From: l.from, Kind: l.kind, To: l.to, Cc: l.cc, Urgency: l.urgency, Document: schemas.NewPlain(text),
		Actor: l.actor, Basis: broker.Declared, Key: "demonstration-" + strconv.Itoa(s.pli),
	}
	doc, err := schemas.Parse(l.kind, sub.Document)
	if err != nil {
		return err
	}
	for _, name := range l.pieces {
		b, err := fs.ReadFile(d.o.Papers, name)
		if err != nil {
			return err
		}
		sub.Pieces = append(sub.Pieces, bytes.NewReader(b))
	}
	if l.answers > 0 {
		answered := d.plis[l.answers-1]
		sub.Thread, sub.ReplyTo = answered.thread, answered.id
	}
	r, err := d.at(l.from).Accept(ctx, sub)
	if err != nil {
		return err
	}
	p := &pli{number: s.pli, letter: l, id: r.ID, thread: r.Thread, order: doc.TransmitsOrder()}
	d.plis = append(d.plis, p)
	return d.refresh()
}

// act is what a person says of a pli. Whoever says it has read it first: the
// content is opened and read to its end, as a screen would.
func (d *Demo) act(ctx context.Context, s scene) error {
	g, p := s.gesture, d.plis[s.pli-1]
	b := d.at(g.party)
	if g.event == broker.Opened {
		if err := readThrough(ctx, b, p.id, g.party); err != nil {
			return err
		}
	}
	a := broker.Act{
		ID: p.id, Party: g.party, Event: g.event, Actor: g.actor, Basis: broker.Declared,
		Number: g.number, Reason: g.reason, Place: g.place,
	}
	if row, _ := broker.LookupEvent(g.event); row.Date {
		a.DoneAt = time.Now()
	}
	_, err := b.Acknowledge(ctx, a)
	return err
}

func readThrough(ctx context.Context, b *broker.Broker, id string, as broker.PartyID) error {
	c, err := b.Read(ctx, id, as)
	if err != nil {
		return err
	}
	defer c.Close()
	if c.Document == nil || c.Text.Len() == 0 {
		return errors.New("the opened pli has no readable document")
	}
	return c.EachPart(ctx, func(_, _ string, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

// at is the home of a party.
func (d *Demo) at(p broker.PartyID) *broker.Broker {
	home, _ := d.world.Directory.Home(p)
	return d.world.Nodes[home.ID].Broker
}

func orAll(p broker.PartyID) string {
	if p == "" {
		return "all"
	}
	return string(p)
}
