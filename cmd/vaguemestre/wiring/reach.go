package wiring

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"vaguemestre/broker"
)

// Unreached is the carrier of a node that goes to no other broker.
type Unreached struct{}

// Carry implements broker.Carrier.
func (Unreached) Carry(context.Context, broker.PartyID, broker.Parcel) error {
	return fmt.Errorf("%w: nothing is carried to another broker from here", broker.ErrTemporary)
}

// ErrUnreachable: the directory lists a home to which no carrier goes. What is
// accepted for it could not leave.
var ErrUnreachable = errors.New("no carrier reaches the home of some parties")

// UnreachableError names the brokers. It wraps ErrUnreachable.
type UnreachableError struct{ Brokers []broker.BrokerID }

func (e *UnreachableError) Error() string {
	words := make([]string, len(e.Brokers))
	for i, b := range e.Brokers {
		words[i] = string(b)
	}
	return fmt.Sprintf("%v: %s", ErrUnreachable, strings.Join(words, ", "))
}

func (e *UnreachableError) Unwrap() error { return ErrUnreachable }

// Hint says what the operator can do.
func (e *UnreachableError) Hint() string {
	return "this version delivers between the parties of one broker only: take the parties that live elsewhere out of vaguemestre.toml until brokers can reach each other"
}

// Reachable says whether every party of the directory lives at a broker that
// this program delivers to: itself, so far. Otherwise *UnreachableError.
func (d *Data) Reachable() error {
	self, away := broker.BrokerID(d.Config.Broker), []broker.BrokerID(nil)
	seen := map[broker.BrokerID]bool{self: true}
	for _, p := range d.Directory.Parties() {
		if !seen[p.Home] {
			seen[p.Home] = true
			away = append(away, p.Home)
		}
	}
	if len(away) > 0 {
		return &UnreachableError{Brokers: away}
	}
	return nil
}

// Serve opens the node of a broker that is to run. It returns the errors of
// Reachable and of Open.
func (d *Data) Serve(ctx context.Context, p Parts) (*Node, error) {
	if err := d.Reachable(); err != nil {
		return nil, err
	}
	p.Carrier = Unreached{}
	return d.Open(ctx, p)
}
