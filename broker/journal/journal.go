// Package journal is the delivery log of one broker: an append-only list of
// events that a Merkle tree covers, with everything that must become true in
// the same instant as an event.
//
// # Log
//
// Event n is leaf n of an RFC 6962 tree. A leaf is JSON, without white space,
// members exactly in this order, the last two only where they apply:
//
//	{"v":1,"n":12,"at":"2026-11-20T22:41:07.123Z","type":"consigned","nonce":"<64 hex>","id":"<pli>","digest":"<64 hex>"}
//
// type is "pli", the name of an evidence, or one of the journal's own types
// (the Type constants). digest is header_sha256 for a pli and the digest of
// evidence.json for an evidence. The hash of a leaf is SHA-256(0x00 || bytes).
// No personal data is in a leaf, and nothing that is derived from content
// except digests of ciphertext and of salted parts.
//
// # Records
//
// Beside leaf n the journal keeps record n: everything that the event changed
// (Changes). The nonce of the leaf is SHA-256(salt || record) with 16 fresh
// random bytes of salt kept beside the record: it is unguessable to whoever
// has the leaf only, and it binds the record to the tree. So an altered record
// is found as surely as an altered leaf, and every projection can be rebuilt
// by replaying the records.
//
// # Checkpoints
//
// A checkpoint is the C2SP text (origin, size, base64 root, three lines) with
// a detached OpenPGP signature of the broker. The origin is
// <broker>/log/<32 hex>. Event 0 of every log is TypeLog. A restored backup
// starts a new log, numbered from 0 again: the digest of its event 0 is the
// SHA-256 of the checkpoint text of the log before it, and that text is the
// object of the event. Projections, work and timers go on across logs, and the
// logs before stay readable and provable (View.Logs, View.Log).
//
// # Record format
//
// Version 1. An integer is an unsigned varint in its shortest form, a string
// its length and its bytes, a time 8 bytes, big-endian milliseconds since 1970;
// a list its length and its elements, in the order of Changes:
//
//	version  1 byte, 1
//	at       time
//	type     string
//	id       string
//	digest   string of 0 or 32 bytes
//	objects  each: 32 bytes, the SHA-256
//	blobs    each: name string, 32 bytes SHA-256, size integer, 1 byte: 1 in the file, 0 in the body store
//	erase    each: name string
//	puts     each: space string, key string, 1 byte: 1 set, 0 deleted; value string when set
//	enqueue  each: topic, dest, lane strings, 1 byte: 1 urgent; payload string
//	settle   each: seq integer, 1 byte: 1 done, 2 retry, 3 dead, 4 requeue; time when retry; reason string
//	timers   each: key string, time (0: cancelled), payload string
//
// ParseRecord accepts nothing else: it encodes again and compares.
//
// # Durability
//
// A change is in the journal when Commit returns without error, and not
// before. A failed write, grow or fsync of the journal file is ambiguous: the
// Journal refuses everything from then on and says so on Failed; the process
// must end (exit 4) and recover by opening the file again.
package journal

import (
	"errors"
	"time"
)

// Types of the journal's own events; all others are "pli" and the evidences.
const (
	TypeLog       = "log"       // first event of a log: nothing before it, or the head of the log it follows
	TypePli       = "pli"       // a pli was accepted or received here; digest is header_sha256
	TypePublished = "published" // work entered through Publish
	TypeDelivered = "delivered" // an item of the queue was carried
	TypeRetried   = "retried"   // an item of the queue waits for another attempt
	TypeDead      = "dead"      // an item of the queue was given up
	TypeRequeued  = "requeued"  // a person took a dead item up again
	TypeNoted     = "noted"     // a fact that only this broker needs (refusal, quarantine, alarm, key export, directory in force)
)

// Batch is one atomic change: all its events are appended, in order and
// without others between them, or none is.
type Batch struct {
	Events []Event
}

// Event is one leaf to append and what becomes true with it.
type Event struct {
	Type   string    // "pli", an evidence, or a Type constant
	At     time.Time // milliseconds are kept, the rest cut; zero means the time of Commit
	ID     string    // the pli concerned, "" when none
	Digest string    // 64 lower-case hex digits, "" when none
	Changes
}

// Changes is what an event does beside the log. The order of application is
// the order of the fields.
type Changes struct {
	Objects [][]byte     // kept for ever under their SHA-256: headers, evidences, signatures, certificates
	Blobs   []Blob       // kept until erased, under a name: bodies, sealed evidences
	Erase   []string     // names of blobs that are gone from now on
	Puts    []Put        // projections
	Enqueue []Item       // work born of the event
	Settle  []Settlement // work that the event ends, delays or gives up
	Timers  []Timer      // due times set, or cancelled
}

// Blob is a piece of ciphertext that may be erased later. Keeping the same
// bytes again under the same name changes nothing; other bytes replace it.
type Blob struct {
	Name   string // printable ASCII, at most 200 bytes, e.g. "body/<sha256>"
	SHA256 string // 64 lower-case hex digits
	Size   int64
	Bytes  []byte // nil when the bytes are already in the body store (BodyWriter.Close), or held under this name

	made made // by NewBlob
}

// Put sets one key of a projection, or deletes it when Value is nil. A
// projection holds no personal data and nothing derived from content.
type Put struct {
	Space string // one of the caller's spaces, lower-case ASCII, e.g. "state"
	Key   string // printable ASCII, ordered bytewise in Scan
	Value []byte
}

// Item is one piece of durable work. The fields under "Set by the store" are
// ignored in Enqueue.
type Item struct {
	Topic   string // who handles it
	Dest    string // who it is for: slots and breakers are per (Topic, Dest)
	Lane    string // order is kept inside a lane, first in first out; "" is a lane of its own
	Urgent  bool   // goes before what is not urgent, in its own lane too
	Payload []byte

	// Set by the store.
	Seq      uint64    // unique; grows with the order of entry: number of the event, counted over all logs of the file, << 8 | index in it
	Entered  time.Time // At of the event that enqueued it
	Due      time.Time // not to be tried before (Ready); 1970 until it is retried, whatever the clock says then
	Attempts int       // times it was retried
	Reason   string    // of the last retry or of the dead letter
}

// LongestDelay is the longest that a retry may wait. One that is farther away
// was dated by a clock that was set back since, and is due.
func LongestDelay(urgent bool) time.Duration {
	if urgent {
		return 10 * time.Minute
	}
	return 2 * time.Hour
}

// Enter sets what the store sets when the item enters its lane.
func (it *Item) Enter(at time.Time) {
	it.Entered, it.Due, it.Attempts, it.Reason = at, time.UnixMilli(0).UTC(), 0, ""
}

// Ready says whether the item may be tried now. The wall clock may be set back
// at any time, and accepted work never waits for an hour that was once.
func (it *Item) Ready(now time.Time) bool {
	return !it.Due.After(now) || it.Due.Sub(now) > LongestDelay(it.Urgent)
}

// Outcome says what becomes of an item.
type Outcome string

// Outcomes of a settlement.
const (
	Done    Outcome = "done"    // forgotten; the next of its lane is due
	Retry   Outcome = "retry"   // stays at the head of its lane until At, LongestDelay from now at most
	Dead    Outcome = "dead"    // leaves its lane, kept among the dead letters with Reason
	Requeue Outcome = "requeue" // a dead item enters again at the end of its lane under a new Seq, attempts at zero
)

// Settlement ends, delays or gives up one item. Settling an item that is no
// longer there is ErrGone: it was settled before, and nothing may happen twice.
type Settlement struct {
	Seq     uint64
	Outcome Outcome
	At      time.Time // for Retry; rounded up to the millisecond
	Reason  string    // closed code, for Retry and Dead
}

// Timer is something to do at a time. A zero Due cancels it.
type Timer struct {
	Key     string    // unique; setting it again replaces it
	Due     time.Time // rounded up to the millisecond
	Payload []byte
}

// Head is the state of the tree after some commit.
type Head struct {
	Broker string
	Origin string // <broker>/log/<32 hex>
	Size   uint64
	Root   [32]byte
}

// Sentinels. Each asks for a decision of the caller.
var (
	ErrGone      = errors.New("journal: the item is no longer there")                    // settle: somebody did it before
	ErrNotFound  = errors.New("journal: nothing under that key")                         // reads
	ErrFailed    = errors.New("journal: a write failed; the process must end")           // ambiguous: reopen and look
	ErrNoSpace   = errors.New("journal: free space is below the watermark")              // refuse, try later
	ErrFormat    = errors.New("journal: the file has a format this program cannot read") // refuse before any write
	ErrDamaged   = errors.New("journal: what the disk holds is not what was written")    // stop, verify, restore
	ErrNoJournal = errors.New("journal: there is none in that directory")                // refuse to guess
	ErrInUse     = errors.New("journal: another process has it open")
	ErrBusy      = errors.New("journal: busy; try again later") // a compaction
	ErrClosed    = errors.New("journal: closed")
	ErrDuplicate = errors.New("journal: that log exists already")
	ErrNoSigner  = errors.New("journal: no key to sign checkpoints with")
)
