package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/disk"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// noted is what the process that plays on a watched disk has answered, or is
// about to do: the disk keeps it in the order of its own operations.
type noted struct {
	Copy    string          `json:"copy,omitempty"` // folder of a copy
	What    string          `json:"what"`
	Broker  broker.BrokerID `json:"broker"`            // whose data directory it binds
	ID      string          `json:"id,omitempty"`      // of the pli
	Event   broker.Event    `json:"event,omitempty"`   // that the journal holds from now on
	For     broker.PartyID  `json:"for,omitempty"`     // recipient of that event
	Object  string          `json:"object,omitempty"`  // digest of an object that it holds
	Object2 string          `json:"object2,omitempty"` // another
}

// What is noted.
const (
	notedCreated = "created" // the data directory is made
	notedHolds   = "holds"   // an answer says that the journal holds a pli and an event
	notedPurging = "purging" // its body may be gone from now on
	notedCopying = "copying" // a copy begins: it holds what was noted before
	notedBackup  = "backup"  // the copy is complete
	backupSuffix = "-copie"  // of the folder of a copy, beside the data directory
	foldOften    = 12        // rows: in so short a history, some are in the file and some are not
	notedLetters = 3         // in each of the two lives: one is large
	notedLives   = 2
)

// notes is where they go.
type notes struct {
	mu sync.Mutex
	f  *os.File
}

func (n *notes) say(what noted) error {
	b, err := json.Marshal(what)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	_, err = n.f.Write(append(b, '\n'))
	return err
}

// playNoted makes two brokers under root and plays an exchange, from the first
// byte on, in two lives of the brokers. After a kill it repeats all of it.
func playNoted(ctx context.Context, root, keys string) error {
	f, err := os.OpenFile(filepath.Join(root, disk.NotesName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	n := &notes{f: f}
	tn, err := makeTown(root, keys)
	if err != nil {
		return err
	}
	tn.Plan.Store = tn.folding
	tn.Plan.Wrap = func(_ broker.BrokerID, c broker.Carrier) broker.Carrier { return notingCarrier{c, n} }
	for _, b := range both {
		if _, err := os.Stat(filepath.Join(tn.Dir(b), "journal.db")); err == nil {
			continue // the process before this one was killed
		}
		if err := errors.Join(tn.Create(b), n.say(noted{What: notedCreated, Broker: b})); err != nil {
			return err
		}
	}
	for life := range notedLives {
		if err := tn.notedLife(ctx, n, life*notedLetters); err != nil {
			return err
		}
	}
	return nil
}

// folding opens the store of a broker again, so that it folds often.
func (tn *town) folding(b broker.BrokerID, s journal.Store) journal.Store {
	err := s.Close()
	again, err2 := boltstore.Open(tn.Dir(b), boltstore.WithFoldMax(foldOften))
	if err := errors.Join(err, err2); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	return again
}

// notingCarrier notes what the other side said that it holds.
type notingCarrier struct {
	broker.Carrier
	n *notes
}

// Carry implements broker.Carrier.
func (c notingCarrier) Carry(ctx context.Context, to broker.PartyID, p broker.Parcel) error {
	err := c.Carrier.Carry(ctx, to, p)
	if err != nil || p.Pli == nil {
		return err
	}
	h, err := broker.ParseHeader(p.Pli.Header)
	if err != nil {
		return err
	}
	return c.n.say(noted{What: notedHolds, Broker: homeOf(to), ID: h.ID, Event: broker.Consigned, For: to})
}

// notedLife is one life of both brokers: letters, acts, a copy, a purge.
func (tn *town) notedLife(ctx context.Context, n *notes, first int) error {
	if err := tn.openAll(ctx); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- tn.Run(running) }()
	var all sync.WaitGroup
	errs := make([]error, notedLetters)
	for i := range notedLetters {
		all.Go(func() { errs[i] = tn.notedLetter(ctx, n, newLetter(first+i), i == 1) })
	}
	copied := tn.notedBackup(ctx, n, first)
	all.Wait()
	if err := errors.Join(append(errs, copied)...); err != nil {
		return err
	}
	for left := 1; left > 0; {
		var err error
		if left, err = tn.pending(); err != nil {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	stop()
	return errors.Join(<-ran, tn.Close(ctx))
}

// notedLetter sends one letter and acts on it.
func (tn *town) notedLetter(ctx context.Context, n *notes, l letter, purge bool) error {
	s, err := l.submission()
	if err != nil {
		return err
	}
	home := homeOf(l.from)
	r, err := tn.Nodes[home].Broker.Accept(ctx, s)
	if err != nil {
		return err
	}
	err = n.say(noted{What: notedHolds, Broker: home, ID: r.ID, Event: broker.Accepted, Object: broker.Digest(r.Deposit), Object2: r.HeaderSHA256})
	if err != nil {
		return err
	}
	at := homeOf(l.acting())
	var a broker.Acted
	for {
		a, err = tn.Nodes[at].Broker.Acknowledge(ctx, l.act(r.ID))
		if !errors.Is(err, broker.ErrNotFound) && !errors.Is(err, broker.ErrNotYet) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil && !errors.Is(err, broker.ErrAlready) {
		return err
	}
	err = n.say(noted{What: notedHolds, Broker: at, ID: r.ID, Event: broker.TakenInCharge, For: l.acting(), Object: a.Digest})
	if err != nil || !purge {
		return err
	}
	if err := n.say(noted{What: notedPurging, Broker: home, ID: r.ID}); err != nil {
		return err
	}
	var early *broker.Refusal
	for {
		err = tn.Nodes[home].Broker.Purge(ctx, r.ID)
		if errors.Is(err, broker.ErrAlready) {
			return nil
		}
		if !errors.As(err, &early) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// notedBackup copies a broker while it works.
func (tn *town) notedBackup(ctx context.Context, n *notes, first int) error {
	for _, b := range both {
		d := &wiring.Data{Dir: tn.Dir(b)}
		out := tn.Dir(b) + backupSuffix + fmt.Sprint(first)
		if _, err := os.Stat(out); err == nil {
			continue
		}
		if err := n.say(noted{What: notedCopying, Broker: b, Copy: filepath.Base(out)}); err != nil {
			return err
		}
		if _, err := d.Backup(ctx, tn.Nodes[b], out, wiring.BackupOptions{}); err != nil {
			return err
		}
		if err := n.say(noted{What: notedBackup, Broker: b, Copy: filepath.Base(out)}); err != nil {
			return err
		}
	}
	return nil
}

// openNoted opens the journal of one broker, and says when it would answer from
// it.
func openNoted(root string) error {
	f, err := os.OpenFile(filepath.Join(root, disk.NotesName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	s, err := boltstore.Open(filepath.Join(root, string(nord)))
	if err != nil {
		return err
	}
	err = s.View(func(journal.View) error { return (&notes{f: f}).say(noted{What: notedHolds, Broker: nord}) })
	return errors.Join(err, s.Close())
}
