package journal

import (
	"context"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Store is one engine that keeps a journal. There is one, boltstore; another
// must pass the same suite (brokertest.TestStore).
type Store interface {
	// View runs f on one consistent state, which is durable: what a crash
	// could still take back is never shown. It must be short (10 ms): a long
	// one makes the file grow. After a failed write it is ErrFailed.
	View(f func(View) error) error
	// Update runs f in the one write transaction, and is durable when it
	// returns nil. An error of f rolls everything back and is returned as it
	// is; an error of the engine after f is ErrFailed, wrapped.
	Update(f func(Tx) error) error
	// Bodies is where large ciphertext lives.
	Bodies() Bodies
	// Backup writes a consistent copy of the journal file, marked as a copy:
	// opened for writing, it starts a new log.
	Backup(ctx context.Context, w io.Writer) error
	// Compact writes the journal file anew without the space that erased and
	// replaced rows left, while commits go on, and puts it in the place of the
	// old one: a crash leaves either, whole. It returns the bytes of both. An
	// error but ErrFailed leaves the old one. ErrBusy: one goes on already, or
	// too much was written meanwhile. ErrNoSpace: less than spare bytes would be
	// left on the disk.
	Compact(ctx context.Context, spare uint64) (before, after int64, err error)
	// Free is the number of bytes that the disk still has for the journal.
	Free() (uint64, error)
	Close() error
}

// Log reads one log: its tree, its leaves and its records.
type Log interface {
	Head() Head
	// Size is that of Head, without the cost of a root in a transaction.
	Size() uint64
	// Hashes serves the stored tree, for proofs.
	Hashes() tlog.HashReader
	// Leaf is the bytes of leaf n; Record what the event changed, with the
	// bytes of its objects and without those of its blobs.
	Leaf(n uint64) ([]byte, error)
	Record(n uint64) (Event, error)
	// Checkpoint is the last one that was kept; ErrNotFound when none was.
	Checkpoint() (text, sig []byte, err error)
}

// View reads one state of the journal. What it returns belongs to the caller.
type View interface {
	Log // the log in course
	// Logs lists the heads of all logs of the file, the one in course last.
	Logs() []Head
	// Position is that of the next event: how many there are in all logs of the
	// file. Leaf numbers begin again in the log that follows a restored backup,
	// positions never do: what must stay unique in the file is named by them.
	// Leaf n of a log is at n + the sizes of the logs before it in Logs.
	Position() uint64
	// Log finds a log by its origin; ErrNotFound when it is not in this file.
	Log(origin string) (Log, error)
	Object(sha256 string) ([]byte, error)
	// Blob is a small blob, or ErrNotFound: erased, never held, or in Bodies.
	Blob(name string) ([]byte, error)
	// HasBlob says whether a blob, small or large, is held under that name.
	HasBlob(name string) bool

	Get(space, key string) ([]byte, bool)
	// Scan calls f for each key of the space with that prefix, in order, from
	// `from` (inclusive, "" for the first), until f returns false.
	Scan(space, prefix, from string, f func(key string, value []byte) bool)

	// Dests lists who has pending work in a topic.
	Dests(topic string) []string
	// Heads lists the heads of the lanes of (topic, dest) that are due (Item.Ready):
	// urgent first, then by due time, then by entry; at most n.
	Heads(topic, dest string, now time.Time, n int) []Item
	// NextDue is the earliest Due of the heads of (topic, dest), false when none.
	NextDue(topic, dest string) (time.Time, bool)
	Item(seq uint64) (Item, bool)
	// Letters lists dead letters in order of entry, from a Seq on.
	Letters(from uint64, n int) []Item
	// Pending counts the items of a topic, in all lanes.
	Pending(topic string) int

	DueTimers(now time.Time, n int) []Timer
	NextTimer() (time.Time, bool)
	Timer(key string) (Timer, bool)
}

// Tx is a View that sees what it has written, and can append.
type Tx interface {
	View
	// Append adds one event and applies its changes; n is its leaf. On error
	// nothing of this event is written, and the transaction can go on.
	Append(e Event) (n uint64, err error)
	// KeepCheckpoint keeps the checkpoint of the log in course, instead of one
	// that covers no more.
	KeepCheckpoint(text, sig []byte) error
}

// Bodies keeps large ciphertext in files named by their digest.
type Bodies interface {
	// Create starts a body of unknown length.
	Create() (BodyWriter, error)
	// Open finds a body by digest, in the journal or in a file; ErrNotFound
	// when it is not held.
	Open(sha256 string) (Body, error)
	// Remove erases the file of a body; nil when there is none. While the files
	// are held it only notes that, and the last release erases.
	Remove(sha256 string) error
	// Hold keeps the file of every body that the journal names now, until
	// release: a backup copies the journal first, and bodies after. release
	// erases what was removed meanwhile; only its first call counts.
	Hold() (release func() error)
	// Sweep removes temporary files, and files that no blob names: what a
	// crash before a commit left behind. While the files are held it removes
	// nothing.
	Sweep() (removed int, err error)
}

// BodyWriter takes one body. Exactly one of Close and Abort ends it.
type BodyWriter interface {
	io.Writer
	// Close makes the body durable and returns how a Batch names it: with its
	// bytes when it is small (InlineBody), else fsynced under its digest.
	Close() (Blob, error)
	// Abort forgets it. Safe after Close.
	Abort()
}

// Body is an immutable ciphertext that is held.
type Body interface {
	io.ReaderAt
	io.Closer
	Size() int64
}

// InlineBody is the largest body, in bytes, that is kept in the journal file.
const InlineBody = 64 << 10

// BodyName is the blob name of a body.
func BodyName(sha256 string) string { return "body/" + sha256 }
