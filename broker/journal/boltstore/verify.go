package boltstore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime/debug"

	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"vaguemestre/broker/journal"
)

// SignedHead is a checkpoint that somebody kept elsewhere.
type SignedHead struct {
	Text []byte
	Sig  []byte // nil: the caller answers for the text
}

// Check verifies the signature of a checkpoint text by the broker that it
// names.
type Check func(broker string, text, sig []byte) error

// Report is what Verify found to be right.
type Report struct {
	journal.Head                // of the log in course
	Logs         []journal.Head // all logs, the one in course last
	Events       uint64         // in all logs
	Objects      int
	Blobs        int // held, each read and compared with its digest
	Pending      int // items
	Letters      int
	Timers       int
	Rows         int // of projections
	Signatures   int // checked, of kept checkpoints and of heads; 0 without a Check
	Heads        int // given, which the logs extend
}

// BadRecordError names the first event that the journal no longer proves.
type BadRecordError struct {
	Origin string // "" when damage hides which log it is: N then counts over all logs
	N      uint64 // the size of the log: something after its last event, or its end cut off
	What   string
	Err    error // may be nil
}

// Error implements error.
func (e *BadRecordError) Error() string {
	return fmt.Sprintf("boltstore: record %d is bad: %s", e.N, e.What)
}

// Unwrap implements the convention of errors.
func (e *BadRecordError) Unwrap() error { return e.Err }

// MissingError says that the file lacks the end of a log, which somebody has
// seen: it was cut off, or restored from an older copy. All that it holds is
// right. It wraps the *BadRecordError of the first record that lacks.
type MissingError struct {
	Head journal.Head // that was seen
	From uint64       // records From to Head.Size-1 are missing
}

// Error implements error.
func (e *MissingError) Error() string {
	return fmt.Sprintf("boltstore: records %d to %d of %s are missing", e.From, e.Head.Size-1, e.Head.Origin)
}

// Unwrap implements the convention of errors.
func (e *MissingError) Unwrap() error {
	return &BadRecordError{Origin: e.Head.Origin, N: e.From, What: "missing: a head covers more records"}
}

// HeadError says that the file does not extend a head that was kept elsewhere:
// the log was rewritten or exchanged.
type HeadError struct {
	Head  journal.Head
	Known bool   // the file has a log of that origin
	Good  uint64 // the largest other head of that log that it does extend
}

// Error implements error.
func (e *HeadError) Error() string {
	if !e.Known {
		return "boltstore: the file has no log of the kept head"
	}
	return fmt.Sprintf("boltstore: the log differs from the kept head of size %d, after record %d", e.Head.Size, e.Good)
}

// Verify proves a journal, or a copy of one, to itself and to the heads that
// were kept elsewhere. It recomputes every leaf, every record against the
// nonce of its leaf, the tree, every object and every blob held by its digest,
// replays the records and compares the state with the stored one both ways.
// check verifies signatures; without it the report counts none.
//
// A change by somebody who recomputes everything is found only with a head:
// the file alone cannot tell, except by a kept checkpoint's signature.
//
// Errors: *BadRecordError, *HeadError, *MissingError, that of check, and those of
// OpenReadOnly. It changes nothing, and neither panics nor hangs on a damaged
// file.
func Verify(ctx context.Context, dir string, check Check, heads ...SignedHead) (rep Report, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		// The pages were checked; what is left is a file that changes or
		// cannot be read while we read it.
		if p := recover(); p != nil {
			err = &BadRecordError{What: "a page cannot be read"}
		}
	}()
	s := newStore(dir, nil)
	path := filepath.Join(dir, fileName)
	if err := exists(path); err != nil {
		return rep, err
	}
	opt := &bolt.Options{Timeout: time.Second, ReadOnly: true, NoStatistics: true}
	db, opening := openFile(path, opt)
	if opening == nil {
		s.db.Store(&file{DB: db})
		defer db.Close()
	} else if errors.Is(opening, berrors.ErrTimeout) {
		return rep, journal.ErrInUse
	}
	if err := checkPages(path); err != nil {
		if d, ok := isDamage(err); ok {
			err = &BadRecordError{N: d.position(), What: "damaged page", Err: d}
		}
		return rep, err
	}
	if opening != nil {
		return rep, fmt.Errorf("%w: %w", journal.ErrFormat, opening)
	}
	if err := s.identify(); err != nil {
		return rep, err
	}
	err = s.db.Load().View(func(btx *bolt.Tx) error {
		v := &view{s: s, tx: btx, pending: newPending(0)} // what the file holds, and no more
		a := &audit{ctx: ctx, v: v, replay: journal.NewReplay(), check: check, given: heads}
		err := a.run()
		rep = a.rep
		return err
	})
	return rep, err
}

// audit is one Verify at work.
type audit struct {
	ctx    context.Context
	v      *view
	replay *journal.Replay
	check  Check
	given  []SignedHead
	rep    Report

	logs    []logRow
	wants   []want          // roots to compare on the way
	rows    uint64          // position: the derived buckets are those after all events before it
	missing *MissingError   // the largest head of which the end is missing
	first   *BadRecordError // the earliest row that is not what the records say
}

// want is a head that a log must have had.
type want struct {
	head journal.Head
	same bool // it had it
}

func (a *audit) run() error {
	if err := a.readLogs(); err != nil {
		return err
	}
	if err := a.readHeads(); err != nil {
		return err
	}
	for i := range a.logs {
		if err := a.checkLog(i); err != nil {
			return a.earliest(err)
		}
	}
	if err := a.compareHeads(); err != nil {
		return a.earliest(err)
	}
	if err := a.checkContents(); err != nil {
		return err
	}
	if a.first != nil {
		return a.first
	}
	// Last: which row it is was said above.
	if err := (&tx{view: *a.v}).checkSum(); err != nil {
		return &BadRecordError{N: a.rep.Events, What: "the sum of the derived rows", Err: err}
	}
	a.count()
	if a.missing != nil { // all else is right
		return a.missing
	}
	return nil
}

// earliest is err, or the row that was found wrong before the record of err.
func (a *audit) earliest(err error) error {
	bad := (*BadRecordError)(nil)
	if a.first != nil && errors.As(err, &bad) && a.positionOf(a.first) < a.positionOf(bad) {
		return a.first
	}
	return err
}

// readLogs reads the rows of logs: each must begin where the one before ends.
func (a *audit) readLogs() error {
	if err := a.checkMeta(); err != nil {
		return err
	}
	next := uint64(0)
	c := a.v.bucket(bLogs).Cursor()
	for k, b := c.First(); k != nil; k, b = c.Next() {
		row, ok := parseLog(k, b)
		if !ok || row.base != next || row.frontier.Size == 0 {
			return &BadRecordError{N: next, What: "the head of the log"}
		}
		if h, err := journal.ParseCheckpoint(row.headOf().Checkpoint()); err != nil || h.Broker != a.v.s.broker {
			return &BadRecordError{Origin: row.origin, What: "the origin is not of this broker"}
		}
		a.logs = append(a.logs, row)
		next += row.frontier.Size
	}
	rows := a.v.bucket(bMeta).Get([]byte(metaRows))
	switch a.rows = readU64(rows); {
	case len(a.logs) == 0:
		return &BadRecordError{What: "no log"}
	case len(rows) != 8 || a.rows > next:
		return &BadRecordError{N: next, What: "the position of the derived rows"}
	}
	a.rep.Events = next
	return nil
}

// checkMeta wants nothing in the file that this package did not put there.
func (a *audit) checkMeta() error {
	n := 0
	err := a.v.tx.ForEach(func([]byte, *bolt.Bucket) error { n++; return nil })
	if err != nil || n != int(nBuckets) {
		return &BadRecordError{What: "a bucket that this format has not"}
	}
	c := a.v.bucket(bMeta).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		known := string(k) == "format" || string(k) == "broker" || string(k) == metaRows || string(k) == metaSum && a.v.s.format == format
		if !known {
			return &BadRecordError{What: "a row of meta that this format has not"}
		}
	}
	return nil
}

func (l *logRow) headOf() journal.Head { return l.head("") }

// readHeads gathers the kept and the given heads, and checks signatures.
func (a *audit) readHeads() error {
	for _, l := range a.logs {
		row := a.v.bucket(bCheckpoints).Get(u64(l.base))
		if row == nil {
			continue
		}
		text, sig, err := (&logReader{v: a.v, row: l}).Checkpoint()
		if err == nil {
			err = a.addHead(text, sig, true)
		}
		if h, perr := journal.ParseCheckpoint(text); err == nil && (perr != nil || h.Origin != l.origin) {
			err = journal.ErrCheckpoint
		}
		if err != nil {
			return &BadRecordError{Origin: l.origin, N: l.frontier.Size, What: "the kept checkpoint", Err: err}
		}
	}
	c := a.v.bucket(bCheckpoints).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if a.logOf(k) < 0 {
			return &BadRecordError{N: a.rep.Events, What: "a checkpoint of no log"}
		}
	}
	for _, h := range a.given {
		if err := a.addHead(h.Text, h.Sig, false); err != nil {
			return fmt.Errorf("boltstore: given head: %w", err)
		}
	}
	return nil
}

func (a *audit) logOf(key []byte) int {
	for i := range a.logs {
		if len(key) == 8 && a.logs[i].base == readU64(key) {
			return i
		}
	}
	return -1
}

func (a *audit) addHead(text, sig []byte, kept bool) error {
	h, err := journal.ParseCheckpoint(text)
	if err != nil {
		return err
	}
	if a.check != nil && (kept || sig != nil) {
		if err := a.check(h.Broker, text, sig); err != nil {
			return fmt.Errorf("signature of a checkpoint: %w", err)
		}
		a.rep.Signatures++
	}
	a.wants = append(a.wants, want{head: h})
	return nil
}

// compareHeads judges what the walk through the logs found.
func (a *audit) compareHeads() error {
wants:
	for i := range a.wants {
		w := &a.wants[i]
		if w.same {
			continue
		}
		good := uint64(0)
		for _, o := range a.wants {
			if o.same && o.head.Origin == w.head.Origin && o.head.Size < w.head.Size {
				good = max(good, o.head.Size)
			}
		}
		for _, l := range a.logs {
			if l.origin != w.head.Origin {
				continue
			}
			if w.head.Size > l.frontier.Size {
				if a.missing == nil || a.missing.Head.Size < w.head.Size {
					a.missing = &MissingError{Head: w.head, From: l.frontier.Size}
				}
				continue wants
			}
			return &HeadError{Head: w.head, Known: true, Good: good}
		}
		return &HeadError{Head: w.head}
	}
	a.rep.Heads = len(a.given)
	return nil
}

func (a *audit) count() {
	r, p := &a.rep, a.replay
	for i := range a.logs {
		r.Logs = append(r.Logs, a.logs[i].head(a.v.s.broker))
	}
	r.Head = r.Logs[len(r.Logs)-1]
	r.Objects, r.Pending, r.Letters = len(p.Objects), len(p.Items), len(p.Letters)
	for _, b := range p.Blobs {
		if !b.Gone {
			r.Blobs++
		}
	}
	for _, t := range p.Timers {
		if !t.Gone {
			r.Timers++
		}
	}
	for _, t := range p.Puts {
		if !t.Gone {
			r.Rows++
		}
	}
}
