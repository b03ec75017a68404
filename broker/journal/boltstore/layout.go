package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"vaguemestre/broker/journal"
)

const (
	fileName = "journal.db"
	format   = "vaguemestre journal 2"
	// formatUnsummed is read, and brought to format by Open.
	formatUnsummed = "vaguemestre journal 1"

	metaRows = "rows"
	metaSum  = "sum"
)

// bucket is one of the buckets of the package comment.
type bucket int

const (
	bMeta bucket = iota
	bLogs
	bCheckpoints
	bEvents
	bTiles
	bObjects
	bObjectIndex
	bBlobs
	bBlobBytes
	bPuts
	bItems
	bLanes
	bDue
	bCounts
	bLetters
	bTimers
	bTimerDue
	nBuckets
)

func (b bucket) String() string {
	return [nBuckets]string{"meta", "logs", "checkpoints", "events", "tiles", "objects",
		"object.index", "blobs", "blob.bytes", "puts", "items", "lanes", "due", "counts", "letters",
		"timers", "timer.due"}[b]
}

// grows says whether rows are only ever added, in the order of their keys:
// pages can be filled.
func (b bucket) grows() bool {
	switch b {
	case bEvents, bTiles, bObjects, bBlobBytes:
		return true
	}
	return false
}

// derived says whether the rows follow from the records: they go to the file
// later than the events (pending).
func (b bucket) derived() bool {
	switch b {
	case bObjectIndex, bBlobs, bPuts, bItems, bLanes, bDue, bCounts, bLetters, bTimers, bTimerDue:
		return true
	}
	return false
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

func readU64(b []byte) uint64 {
	if len(b) < 8 {
		return 0
	}
	return binary.BigEndian.Uint64(b)
}

func millis(t time.Time) uint64 { return uint64(t.UnixMilli()) }

func fromMillis(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

func appendLP[S string | []byte](b []byte, s S) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutLP reads one lp; ok is false when b does not hold it.
func cutLP(b []byte) (s, rest []byte, ok bool) {
	n, w := binary.Uvarint(b)
	if w <= 0 || w > 1 && b[w-1] == 0 || n > uint64(len(b)-w) { // one spelling of each length
		return nil, nil, false
	}
	return b[w : w+int(n)], b[w+int(n):], true
}

// eventRow is one row of events.
type eventRow struct {
	leaf, record []byte
	salt         [16]byte
}

func (e *eventRow) encode() []byte {
	b := make([]byte, 0, 20+len(e.leaf)+len(e.record))
	b = appendLP(b, e.leaf)
	b = append(b, e.salt[:]...)
	return append(b, e.record...)
}

func parseEvent(b []byte) (e eventRow, ok bool) {
	leaf, rest, ok := cutLP(b)
	if !ok || len(rest) < 16 {
		return e, false
	}
	return eventRow{leaf: leaf, salt: [16]byte(rest), record: rest[16:]}, true
}

// parse reads the record of leaf n, and holds the leaf against it: the record
// and its salt give every member of the leaf. ErrDamaged, wrapped.
func (e *eventRow) parse(n uint64) (journal.Record, error) {
	r, err := journal.ParseRecord(e.record)
	if err != nil {
		return r, fmt.Errorf("%w: %w", journal.ErrDamaged, err)
	}
	if want := r.Leaf(n, e.salt, e.record).Append(nil); !bytes.Equal(want, e.leaf) {
		return r, fmt.Errorf("%w: its leaf and its record differ", journal.ErrDamaged)
	}
	return r, nil
}

// logRow is one row of logs.
type logRow struct {
	base     uint64 // position of event 0
	origin   string
	root     [32]byte
	frontier journal.Frontier
}

func (l *logRow) encode() []byte {
	b := make([]byte, 0, 128+32*len(l.frontier.Nodes))
	b = appendLP(b, l.origin)
	b = binary.BigEndian.AppendUint64(b, l.frontier.Size)
	b = append(b, l.root[:]...)
	return l.frontier.AppendNodes(b)
}

func parseLog(key, value []byte) (logRow, bool) {
	l := logRow{base: readU64(key)}
	origin, rest, ok := cutLP(value)
	if !ok || len(key) != 8 || len(rest) < 40 {
		return l, false
	}
	l.origin = string(origin)
	l.root = [32]byte(rest[8:])
	f, err := journal.ParseFrontier(readU64(rest), rest[40:])
	l.frontier = f
	return l, err == nil
}

func (l *logRow) head(broker string) journal.Head {
	return journal.Head{Broker: broker, Origin: l.origin, Size: l.frontier.Size, Root: l.root}
}

func tileKey(base uint64, level byte, index uint64) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 17), base)
	return binary.BigEndian.AppendUint64(append(b, level), index)
}

func putKey(space, key string) []byte {
	b := make([]byte, 0, len(space)+1+len(key))
	b = append(b, space...)
	b = append(b, 0)
	return append(b, key...)
}

// workKey is the prefix of everything of (topic, dest).
func workKey(topic, dest string) []byte {
	b := make([]byte, 0, len(topic)+len(dest)+2+64)
	b = append(b, topic...)
	b = append(b, 0)
	b = append(b, dest...)
	return append(b, 0)
}

func urgency(urgent bool) byte {
	if urgent {
		return 0
	}
	return 1
}

func dueKey(it *journal.Item) []byte {
	b := append(workKey(it.Topic, it.Dest), urgency(it.Urgent))
	b = binary.BigEndian.AppendUint64(b, millis(it.Due))
	return binary.BigEndian.AppendUint64(b, it.Seq)
}

func laneKey(it *journal.Item) []byte {
	b := append(workKey(it.Topic, it.Dest), it.Lane...)
	return append(b, 0)
}

func laneRow(it *journal.Item) []byte {
	return binary.BigEndian.AppendUint64(append(laneKey(it), urgency(it.Urgent)), it.Seq)
}

func countKey(topic, dest string) []byte {
	b := workKey(topic, dest)
	return b[:len(b)-1]
}

func encodeItem(it *journal.Item) []byte {
	b := make([]byte, 0, 64+len(it.Topic)+len(it.Dest)+len(it.Lane)+len(it.Payload))
	b = binary.BigEndian.AppendUint64(b, millis(it.Entered))
	b = binary.BigEndian.AppendUint64(b, millis(it.Due))
	b = binary.BigEndian.AppendUint64(b, uint64(it.Attempts))
	b = append(b, 1-urgency(it.Urgent))
	b = appendLP(b, it.Topic)
	b = appendLP(b, it.Dest)
	b = appendLP(b, it.Lane)
	b = appendLP(b, it.Reason)
	return appendLP(b, it.Payload)
}

func parseItem(key, b []byte) (it journal.Item, ok bool) {
	if len(key) != 8 || len(b) < 25 || b[24] > 1 {
		return it, false
	}
	it.Seq = readU64(key)
	it.Entered = fromMillis(readU64(b))
	it.Due = fromMillis(readU64(b[8:]))
	it.Attempts = int(readU64(b[16:]))
	it.Urgent = b[24] == 1
	b = b[25:]
	var text [5][]byte
	for i := range text {
		if text[i], b, ok = cutLP(b); !ok {
			return it, false
		}
	}
	it.Topic, it.Dest, it.Lane, it.Reason = string(text[0]), string(text[1]), string(text[2]), string(text[3])
	it.Payload = append([]byte(nil), text[4]...)
	return it, len(b) == 0
}

// blobRow is one row of blobs.
type blobRow struct {
	pos    uint64
	size   uint64
	sum    [32]byte
	inline bool
}

func (r blobRow) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 49), r.pos)
	b = binary.BigEndian.AppendUint64(b, r.size)
	b = append(b, r.sum[:]...)
	if r.inline {
		return append(b, 1)
	}
	return append(b, 0)
}

func parseBlob(b []byte) (blobRow, bool) {
	if len(b) != 49 || b[48] > 1 {
		return blobRow{}, false
	}
	return blobRow{pos: readU64(b), size: readU64(b[8:]), sum: [32]byte(b[16:]), inline: b[48] == 1}, true
}

func timerDueKey(due time.Time, key string) []byte {
	return append(u64(millis(due)), key...)
}

func encodeTimer(t *journal.Timer) []byte {
	return append(u64(millis(t.Due)), t.Payload...)
}

func parseTimer(key, b []byte) (journal.Timer, bool) {
	if len(b) < 8 {
		return journal.Timer{}, false
	}
	return journal.Timer{Key: string(key), Due: fromMillis(readU64(b)), Payload: append([]byte(nil), b[8:]...)}, true
}
