package broker

import (
	"context"
	"errors"
	"strings"
	"time"

	"vaguemestre/broker/journal"
)

// maxSleep bounds the sleep of the timer loop, so that a wall clock that jumps
// is noticed.
const maxSleep = 30 * time.Second

// Run takes up what is pending and lives until the context ends: it fires the
// timers that are due. It returns nil at the end of the context, or the error
// that makes the journal unusable: the process must then end.
//
// Deliveries are taken by Deliver, which the queue calls; they too begin with
// what is pending.
func (b *Broker) Run(ctx context.Context) error {
	stop := b.journal.Watch(func(c journal.Change) {
		if c.TimersChanged {
			b.Wake()
		}
	})
	defer stop()
	for {
		wait, err := b.FireDue(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrTemporary):
			b.log.Error("timer", "error", err.Error())
		case err != nil:
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-b.journal.Failed():
			t.Stop()
			return b.journal.Err()
		case <-b.timers:
			t.Stop()
		case <-t.C:
		}
	}
}

// Wake looks at the timers now: the clock was set, or a timer changed.
func (b *Broker) Wake() {
	select {
	case b.timers <- struct{}{}:
	default:
	}
}

// FireDue fires every timer that is due, and says how long Run may sleep. Run
// does nothing else: a simulation calls it by its own clock.
func (b *Broker) FireDue(ctx context.Context) (time.Duration, error) {
	for {
		now := b.now()
		var due []journal.Timer
		next, armed := time.Time{}, false
		err := b.journal.View(func(v journal.View) error {
			due = v.DueTimers(now, 64)
			next, armed = v.NextTimer()
			return nil
		})
		if err != nil {
			return maxSleep, err
		}
		if len(due) == 0 {
			wait := maxSleep
			if armed {
				wait = min(max(next.Sub(now), time.Millisecond), maxSleep)
			}
			return wait, nil
		}
		for _, t := range due {
			if err := b.fire(ctx, t); err != nil {
				return time.Second, err
			}
		}
	}
}

// fire does what a timer was set for. It is repeated after a crash: the timer
// goes with the commit of its effect.
func (b *Broker) fire(ctx context.Context, t journal.Timer) error {
	pair, ok := strings.CutPrefix(t.Key, timerOverdue)
	id, party, ok2 := strings.Cut(pair, "/")
	if t.Key == timerRetention {
		return b.retain(ctx, t)
	}
	if !ok || !ok2 {
		return b.commit(ctx, &timerInput{key: t.Key})
	}
	p := PartyID(party)
	_, rec, err := b.record(id)
	if errors.Is(err, journal.ErrDamaged) { // the disk, not the journal: the others' alarms must not end with this one
		b.log.Error("a silence cannot be signed", "id", id, "error", err.Error())
		return b.commit(ctx, b.unsignedSilence(t, id, p))
	}
	if err != nil {
		return err
	}
	e := Evidence{Event: Overdue, ID: id, Recipient: p, HeaderSHA256: rec.Header, Prev: b.heads(id, p)}
	se, err := b.sign(ctx, e, string(b.id), b.now())
	if err != nil {
		b.log.Error("a silence cannot be signed", "id", id, "error", err.Error())
		return b.commit(ctx, b.unsignedSilence(t, id, p))
	}
	to := travel{}
	if !b.atHome(p) {
		to.dest = []PartyID{p}
	}
	err = b.commit(ctx, &evidenceInput{evidence: se, travel: to})
	if errors.Is(err, errNotNeeded) || errors.Is(err, errKnown) || errors.Is(err, errDifferent) {
		return b.commit(ctx, &timerInput{key: t.Key})
	}
	return err
}

// unsignedSilence raises the alarm when this broker's own key does not serve, or
// the pli cannot be read, and tries to sign again later.
func (b *Broker) unsignedSilence(t journal.Timer, id string, p PartyID) Input {
	if st, ok := b.state(id, p); ok && st.Acted {
		return &timerInput{key: t.Key}
	}
	now := b.now()
	t.Due = now.Add(time.Minute)
	alarm := journal.Put{Space: spaceAlarm, Key: alarmKey(id, p, Overdue), Value: []byte(FormatTime(now))}
	return &noteInput{id: id, puts: []journal.Put{alarm}, timers: []journal.Timer{t}}
}

// timerInput forgets a timer that has nothing left to do.
type timerInput struct{ key string }

func (in *timerInput) step(s reader, now time.Time) (journal.Batch, error) {
	if _, set := s.Timer(in.key); !set {
		return journal.Batch{}, nil
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now}
	ev.Timers = []journal.Timer{{Key: in.key}}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}
