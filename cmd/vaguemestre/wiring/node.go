// Package wiring puts the parts of one broker together: journal, keys,
// directory, queue and carrier. It decides nothing; it is a package of its own
// so that the commands, the demonstration, the benchmarks and the tests all
// run the same assembly.
//
// A data directory holds:
//
//	vaguemestre.toml   the configuration, with the directory of brokers and parties
//	journal.db         the journal; bodies/ its large ciphertexts
//	keys/              private keys, encrypted (keyring.Load)
//	certs/             certificates of the directory
//	secret             32 random bytes, local (Secret, broker.Options.Secret)
package wiring

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/broker/queue"
	"vaguemestre/crypto/keyring"
)

// Parts are what a node is made of. Dir, ID, Directory, Keys and Secret are
// required.
type Parts struct {
	ID        broker.BrokerID
	Dir       string // data directory, with a journal
	Directory *directory.Directory
	Keys      *keyring.Ring
	Signer    broker.Keys // instead of Keys, for measurements
	Secret    []byte
	Carrier   broker.Carrier
	MaxBody   int64
	Retention time.Duration // broker.Options.Retention
	MinFree   uint64
	GroupMax  int           // operations per commit; 0 is the journal's default
	Store     journal.Store // instead of the file in Dir
	Now       func() time.Time
	Rand      io.Reader
	Log       *slog.Logger

	renewed bool // Secret takes the place of one that was lost (RenewSecret)
}

// Node is one broker with its journal and its queue.
type Node struct {
	Broker  *broker.Broker
	Journal *journal.Journal
	Keys    *keyring.Ring
	Queue   *queue.Queue
	Dir     string // the data directory
	log     *slog.Logger
	free    func() (uint64, error)
	now     func() time.Time
}

// Free is the number of bytes that the disk still has for the journal.
func (n *Node) Free() (uint64, error) { return n.free() }

// Open opens the journal of a data directory and wires a broker on it. The
// journal must exist: see boltstore.Create. ErrSecret when it was written under
// another secret.
func Open(ctx context.Context, p Parts) (*Node, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Rand == nil {
		p.Rand = rand.Reader
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	store := p.Store
	if store == nil {
		var err error
		if store, err = boltstore.Open(p.Dir, boltstore.WithClock(p.Now)); err != nil {
			return nil, err
		}
	}
	keys := p.Signer
	if keys == nil {
		keys = p.Keys
	}
	sign := func(ctx context.Context, text []byte) ([]byte, error) {
		sig, _, err := keys.Sign(ctx, string(p.ID), text, p.Now())
		return sig, err
	}
	j, err := journal.New(store, journal.Options{Broker: string(p.ID), Now: p.Now, Rand: p.Rand, Sign: sign, MinFree: p.MinFree, GroupMax: p.GroupMax})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	bound, err := checkSecret(j, p)
	if err != nil {
		return nil, errors.Join(err, j.Close(ctx))
	}
	b, err := broker.New(ctx, broker.Options{
		ID: p.ID, Directory: p.Directory, Keys: keys, Journal: j, Carrier: p.Carrier,
		Now: p.Now, Rand: p.Rand, Secret: p.Secret, MaxBody: p.MaxBody, Retention: p.Retention, Log: p.Log,
	})
	if err == nil && !bound {
		err = bindSecret(ctx, b, p)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close(ctx))
	}
	return &Node{Broker: b, Journal: j, Keys: p.Keys, Dir: p.Dir, log: p.Log, free: store.Free, now: p.Now, Queue: queue.New(j, queue.Options{Slots: slots, Now: p.Now})}, nil
}

// slots gives each topic what DESIGN section 3 asks for it.
func slots(topic string) queue.Slots {
	switch topic {
	case broker.TopicPli:
		return queue.Plis()
	case broker.TopicEvidence:
		return queue.Evidences()
	}
	return queue.Serial()
}

// Run delivers and fires timers until the context ends. It returns nil then,
// or the error that makes the journal unusable. It begins once free space is
// above the watermark: on a full disk it would fail at its first commit, and
// again at each start.
func (n *Node) Run(ctx context.Context) error {
	if !n.roomToBegin(ctx) {
		return nil
	}
	router, err := queue.NewRouter(n.Queue, watermill.NewSlogLoggerWithLevelMapping(n.log, map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug}))
	if err != nil {
		return err
	}
	for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
		router.AddConsumerHandler(topic, topic, n.Queue.Handle(), n.deliver)
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	routed := make(chan error, 1)
	go func() {
		err := router.Run(ctx)
		if err == nil && ctx.Err() == nil {
			err = errRouter
		}
		stop() // a broker that delivers nothing must not seem alive
		routed <- err
	}()
	err = n.Broker.Run(ctx)
	stop()
	return errors.Join(err, <-routed)
}

// spaceLook is how often a start on a full disk looks whether it may begin.
const spaceLook = time.Second

// roomToBegin waits for free space, or for a failure of the journal; false when
// the context ends first.
func (n *Node) roomToBegin(ctx context.Context) bool {
	if !n.Journal.LowSpace() {
		return true
	}
	n.log.Error("free space is below the watermark: nothing is delivered until there is more")
	look := time.NewTicker(spaceLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-n.Journal.Failed():
			return true // Run says so
		case <-look.C:
			if !n.Journal.LowSpace() {
				return true
			}
		}
	}
}

var errRouter = errors.New("wiring: deliveries ended by themselves")

// deliver settles through the broker; the ack that follows frees the lane.
func (n *Node) deliver(msg *message.Message) error {
	it, ok := queue.ItemOf(msg)
	if !ok {
		return errors.New("wiring: a message without its item")
	}
	// What it returns was not settled: the router logs it and delivers again.
	return n.Broker.Deliver(msg.Context(), it)
}

// Close stops the queue, then the journal. Run must have returned.
func (n *Node) Close(ctx context.Context) error {
	return errors.Join(n.Queue.Close(), n.Journal.Close(ctx))
}
