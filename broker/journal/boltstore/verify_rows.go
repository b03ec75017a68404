package boltstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"

	"vaguemestre/broker/journal"
)

// row is what a bucket must hold under a key, and the event that says so.
type row struct {
	value []byte
	by    uint64
	gone  bool
}

// rows is the whole of a bucket that is not append-only by position.
type rows map[string]row

// note keeps the earliest event that something wrong belongs to.
func (a *audit) note(pos uint64, what string) {
	if a.first == nil || pos < a.positionOf(a.first) {
		a.first = a.at(pos, what)
	}
}

// compareRows compares the derived buckets with the replay, both ways, when it
// has come to the position that they were written at.
func (a *audit) compareRows(pos uint64) error {
	if pos != a.rows {
		return nil
	}
	for b, want := range a.expected() {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		a.compareBucket(b, want)
	}
	return nil
}

// checkContents reads every object and every blob held.
func (a *audit) checkContents() error {
	a.checkObjects()
	return a.checkBlobs()
}

// at names the event of a position.
func (a *audit) at(pos uint64, what string) *BadRecordError {
	last := a.logs[len(a.logs)-1]
	for i := len(a.logs) - 1; i >= 0; i-- {
		if l := a.logs[i]; pos >= l.base {
			return &BadRecordError{Origin: l.origin, N: pos - l.base, What: what}
		}
	}
	return &BadRecordError{Origin: last.origin, N: pos, What: what}
}

func (a *audit) positionOf(e *BadRecordError) uint64 {
	for _, l := range a.logs {
		if l.origin == e.Origin {
			return l.base + e.N
		}
	}
	return e.N
}

func (a *audit) compareBucket(b bucket, want rows) {
	seen := 0
	c := a.v.bucket(b).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		w, ok := want[string(k)]
		switch {
		case !ok:
			a.note(a.strayBy(b, k), "a row of "+b.String()+" that no record wrote")
		case w.gone:
			a.note(w.by, "a row of "+b.String()+" that it took away")
		case !bytes.Equal(w.value, v):
			a.note(w.by, "a row of "+b.String()+" is altered")
		}
		if ok && !w.gone {
			seen++
		}
	}
	live := 0
	for _, w := range want {
		if !w.gone {
			live++
		}
	}
	if seen == live {
		return
	}
	for k, w := range want {
		if !w.gone && a.v.bucket(b).Get([]byte(k)) == nil {
			a.note(w.by, "a row of "+b.String()+" is missing")
		}
	}
}

// strayBy blames a row that no record explains on the event that its key
// names, else on the end of the log.
func (a *audit) strayBy(b bucket, key []byte) uint64 {
	var seq uint64
	switch {
	case (b == bItems || b == bLetters || b == bBlobBytes || b == bObjects) && len(key) == 8:
		seq = readU64(key)
	case (b == bDue || b == bLanes || b == bObjectIndex) && len(key) > 8:
		seq = readU64(key[len(key)-8:])
	default:
		return a.rep.Events
	}
	return min(seq>>8, a.rep.Events)
}

// expected gives the rows of every bucket that the replay determines.
func (a *audit) expected() map[bucket]rows {
	out := map[bucket]rows{}
	for b := range nBuckets {
		if b.derived() { // the others are checked as what they are
			out[b] = rows{}
		}
	}
	for sum, key := range a.replay.Objects {
		out[bObjectIndex][string(indexKey(sum, key))] = row{by: key >> 8}
	}
	for name, t := range a.replay.Blobs {
		h := t.Value
		r := blobRow{pos: h.Pos, size: uint64(h.Size), sum: h.SHA256, inline: h.Inline}
		out[bBlobs][name] = row{value: r.encode(), by: t.By, gone: t.Gone}
	}
	for k, t := range a.replay.Puts {
		out[bPuts][string(putKey(k[0], k[1]))] = row{value: t.Value, by: t.By, gone: t.Gone}
	}
	for seq, t := range a.replay.Letters {
		out[bLetters][string(u64(seq))] = row{value: encodeItem(&t.Value), by: t.By}
	}
	for key, t := range a.replay.Timers {
		if t.Gone {
			out[bTimers][key] = row{by: t.By, gone: true}
			continue
		}
		out[bTimers][key] = row{value: encodeTimer(&t.Value), by: t.By}
		out[bTimerDue][string(timerDueKey(t.Value.Due, key))] = row{by: t.By}
	}
	a.expectWork(out)
	return out
}

func (a *audit) expectWork(out map[bucket]rows) {
	type counted struct{ n, by uint64 }
	counts := map[string]counted{}
	heads := a.replay.Heads()
	for seq, t := range a.replay.Items {
		it := t.Value
		out[bItems][string(u64(seq))] = row{value: encodeItem(&it), by: t.By}
		if it.Lane != "" {
			out[bLanes][string(laneRow(&it))] = row{by: t.By}
		}
		if heads[seq] {
			out[bDue][string(dueKey(&it))] = row{by: t.By}
		}
		k := string(countKey(it.Topic, it.Dest))
		counts[k] = counted{counts[k].n + 1, max(counts[k].by, t.By)}
	}
	for k, c := range counts {
		out[bCounts][k] = row{value: u64(c.n), by: c.by}
	}
}

// checkObjects looks for objects that no record lists; those listed were
// compared with the record.
func (a *audit) checkObjects() {
	c := a.v.bucket(bObjects).Cursor()
	for k, b := c.First(); k != nil; k, b = c.Next() {
		if pos, ok := a.replay.Objects[sha256.Sum256(b)]; !ok || !bytes.Equal(u64(pos), k) {
			a.note(a.strayBy(bObjects, k), "an object that it does not list")
		}
	}
}

// checkBlobs reads every blob held, and looks for bytes that no blob names.
func (a *audit) checkBlobs() error {
	small := map[string]bool{}
	for _, t := range a.replay.Blobs {
		if t.Gone {
			continue
		}
		if err := a.ctx.Err(); err != nil {
			return err
		}
		h := t.Value
		if h.Inline {
			key := u64(h.Pos)
			small[string(key)] = true
			b := a.v.bucket(bBlobBytes).Get(key)
			if b == nil || int64(len(b)) != h.Size || sha256.Sum256(b) != h.SHA256 {
				a.note(t.By, "a blob is missing or altered")
			}
		} else if err := a.checkFile(h); err != nil {
			a.note(t.By, "a body is missing or altered")
		}
	}
	c := a.v.bucket(bBlobBytes).Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if !small[string(k)] {
			a.note(a.strayBy(bBlobBytes, k), "bytes of a blob that was erased or never kept")
		}
	}
	return nil
}

func (a *audit) checkFile(h journal.HeldBlob) error {
	f, err := os.Open(a.v.s.bodies.path(hex.EncodeToString(h.SHA256[:])))
	if err != nil {
		return fmt.Errorf("boltstore: verify a body: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err != nil {
		return fmt.Errorf("boltstore: verify a body: %w", err)
	}
	if n != h.Size || [32]byte(sum.Sum(nil)) != h.SHA256 {
		return journal.ErrNotFound
	}
	return nil
}
