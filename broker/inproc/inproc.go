// Package inproc is the carrier between brokers of one process: the
// demonstration, and tests. It authenticates by construction: each broker gets
// a carrier that speaks in its name only.
package inproc

import (
	"context"
	"fmt"
	"sync"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
)

// Net joins the brokers of one process.
type Net struct {
	dir *directory.Directory

	mu      sync.RWMutex
	brokers map[broker.BrokerID]broker.Receiver // guarded by mu
}

// New makes a net over a directory, without brokers yet.
func New(dir *directory.Directory) *Net {
	return &Net{dir: dir, brokers: map[broker.BrokerID]broker.Receiver{}}
}

// Join connects a broker; nil disconnects it.
func (n *Net) Join(id broker.BrokerID, r broker.Receiver) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r == nil {
		delete(n.brokers, id)
		return
	}
	n.brokers[id] = r
}

// Carrier is the carrier of one broker of the net.
func (n *Net) Carrier(from broker.BrokerID) broker.Carrier { return carrier{n, from} }

type carrier struct {
	net  *Net
	from broker.BrokerID
}

var _ broker.Carrier = carrier{}

// Carry hands the parcel over in this goroutine, to the home or to the relay
// before it, as the directory says. One that is not joined is ErrTemporary: it
// may come back.
func (c carrier) Carry(ctx context.Context, to broker.PartyID, p broker.Parcel) error {
	next, ok := c.net.dir.Next(c.from, to)
	if !ok {
		return &broker.Refusal{Code: broker.RefusedDestination, Field: "to"}
	}
	c.net.mu.RLock()
	r := c.net.brokers[next.ID]
	c.net.mu.RUnlock()
	if r == nil {
		return fmt.Errorf("%w: %s is not there", broker.ErrTemporary, next.ID)
	}
	return r.Receive(ctx, c.from, to, p)
}
