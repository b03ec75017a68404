package broker

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"vaguemestre/broker/clock"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
)

// Options is everything that a broker needs of the world.
type Options struct {
	ID        BrokerID
	Directory *directory.Directory
	Keys      Keys
	Journal   *journal.Journal
	Carrier   Carrier // to the homes of parties that do not live here
	Now       func() time.Time
	Rand      io.Reader
	Secret    []byte // 32 bytes, local: HMAC of idempotency keys, submissions, lanes
	MaxBody   int64  // bytes of the document and pieces of one pli; 0 is DefaultMaxBody
	Log       *slog.Logger

	// Retention is how long the content of a pli is kept after its deposit,
	// once nobody is awaited any more (see retain); 0 keeps it.
	Retention time.Duration
}

// DefaultMaxBody is the largest document and pieces of one pli, in bytes.
const DefaultMaxBody = 200_000_000

// plainBound is the longest entity that holds n bytes of document and pieces:
// 78 bytes a line for 57, and the other parts.
func plainBound(n int64) int64 { return n/57*78 + 2*maxSmallPart }

// sealedBound is the longest body that such an entity makes.
func sealedBound(n int64) int64 { return plainBound(n) + plainBound(n)/1000 + 64<<10 }

// Broker is one running broker. It is safe for concurrent use.
type Broker struct {
	id      BrokerID
	dir     atomic.Pointer[inForce]
	keys    Keys
	journal *journal.Journal
	carrier Carrier
	now     func() time.Time
	rand    io.Reader
	secret  []byte
	maxBody int64
	log     *slog.Logger

	retention time.Duration
	timers    chan struct{} // a due time may have changed

	recentPlis      recent[*recentPli]
	recentEvidences recent[recentEvidence]
	busy            turns // bodies in the course of a reception or a purge, by digest
}

// inForce is a directory and the digest under which it is journaled: both
// change at once.
type inForce struct {
	*directory.Directory
	sum string
}

// New wires a broker. The journal must be of the same broker, and the
// directory must list it. It writes the directory in force in the journal.
func New(ctx context.Context, o Options) (*Broker, error) {
	if len(o.Secret) < 32 {
		return nil, errors.New("broker: a local secret of 32 bytes is needed")
	}
	if head := o.Journal.Head(); head.Broker != string(o.ID) {
		return nil, fmt.Errorf("broker: the journal is of another broker")
	}
	b := &Broker{
		id: o.ID, keys: o.Keys, journal: o.Journal, carrier: o.Carrier, now: o.Now, rand: o.Rand,
		secret: o.Secret, maxBody: o.MaxBody, log: o.Log, timers: make(chan struct{}, 1), retention: o.Retention,
	}
	if b.maxBody == 0 {
		b.maxBody = DefaultMaxBody
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	// Before anything can be accepted: a body that no pli names was left by a
	// crash, and is not one on its way.
	if _, err := b.journal.Bodies().Sweep(); err != nil {
		return nil, fmt.Errorf("broker: sweep of body files: %w", err)
	}
	if err := b.SetDirectory(ctx, o.Directory); err != nil {
		return nil, err
	}
	if err := b.armRetention(ctx); err != nil {
		return nil, fmt.Errorf("broker: retention: %w", err)
	}
	return b, nil
}

// ID is the broker's own id.
func (b *Broker) ID() BrokerID { return b.id }

// Directory is the directory in force.
func (b *Broker) Directory() *directory.Directory { return b.dir.Load().Directory }

// Journal is the delivery log of this broker.
func (b *Broker) Journal() *journal.Journal { return b.journal }

// SetDirectory puts a directory in force: it is journaled first, so that an
// export can show the one by which a pli was judged.
func (b *Broker) SetDirectory(ctx context.Context, d *directory.Directory) error {
	if _, ok := d.Broker(b.id); !ok {
		return fmt.Errorf("broker: the directory does not list %s", b.id)
	}
	text := d.JSON()
	sum := Digest(text)
	var held bool
	err := b.journal.View(func(v journal.View) error {
		current, ok := v.Get(spaceDirectory, "current")
		held = ok && string(current) == sum
		return nil
	})
	if err != nil {
		return fmt.Errorf("directory in force: %w", err)
	}
	if !held {
		in := &noteInput{digest: sum, objects: [][]byte{text}, puts: []journal.Put{{Space: spaceDirectory, Key: "current", Value: []byte(sum)}}}
		if err := b.commit(ctx, in); err != nil {
			return fmt.Errorf("directory in force: %w", err)
		}
	}
	b.dir.Store(&inForce{d, sum})
	return nil
}

// commit runs Step inside the journal's write transaction. It returns when the
// change is durable: the commit point of every operation is here.
func (b *Broker) commit(ctx context.Context, in Input) error {
	b.remember(in)
	_, err := b.journal.Commit(ctx, func(v journal.View) (journal.Batch, error) {
		return Step(v, in, b.now())
	})
	return err
}

// home is the broker where a party lives.
func (b *Broker) home(p PartyID) (BrokerID, bool) {
	h, ok := b.dir.Load().Home(p)
	return h.ID, ok
}

func (b *Broker) atHome(p PartyID) bool {
	h, ok := b.home(p)
	return ok && h == b.id
}

// newID draws a UUIDv7 (RFC 9562 section 5.7) from the broker's own clock and
// randomness, so that a simulation can be replayed.
func (b *Broker) newID() (string, error) {
	var u [16]byte
	if _, err := io.ReadFull(b.rand, u[6:]); err != nil {
		return "", fmt.Errorf("drawing an id: %w", err)
	}
	ms := b.now().UnixMilli()
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:], nil
}

func (b *Broker) newSalt() (string, error) {
	var s [32]byte
	if _, err := io.ReadFull(b.rand, s[:]); err != nil {
		return "", fmt.Errorf("drawing a salt: %w", err)
	}
	return hex.EncodeToString(s[:]), nil
}

// mac is an HMAC under the broker's own secret: what it hides cannot be
// guessed from the journal file.
func (b *Broker) mac(purpose string, fields ...string) string {
	h := hmac.New(sha256.New, b.secret)
	fmt.Fprintf(h, "%s\x00", purpose)
	for _, f := range fields {
		fmt.Fprintf(h, "%d\x00%s", len(f), f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// overdueAt is when a party will have been silent for too long.
func (b *Broker) overdueAt(p directory.Party, u Urgency, at time.Time) time.Time {
	return clock.Overdue(string(u), at, clock.Patience(p.Patience), clock.ZoneOf(p.Zone, p.Departement))
}
