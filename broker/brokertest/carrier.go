package brokertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"vaguemestre/broker"
)

// ErrLost is what a sender sees of a message, or of an answer, that was lost.
var ErrLost = errors.New("brokertest: no answer came")

// Carrier is another carrier, on a bad day. It is safe for concurrent use.
type Carrier struct {
	Next broker.Carrier
	// OnCarry decides of one parcel: whether it arrives, and what the sender
	// is told. Arrived and an error: the answer was lost. Nil: as Weather says.
	OnCarry func(to broker.PartyID, p broker.Parcel) (apply bool, err error)
	// Weather decides of what OnCarry leaves to it; nil is fair.
	Weather *Weather

	mu   sync.Mutex
	late []func() // parcels on their way, which arrive at Arrive; guarded by mu
}

var _ broker.Carrier = (*Carrier)(nil)

// Carry implements broker.Carrier.
func (c *Carrier) Carry(ctx context.Context, to broker.PartyID, p broker.Parcel) error {
	if c.OnCarry != nil {
		apply, err := c.OnCarry(to, p)
		if apply {
			if far := c.Next.Carry(ctx, to, p); err == nil {
				err = far
			}
		}
		return err
	}
	switch c.Weather.draw() {
	case loseMessage:
		return fmt.Errorf("message to %s: %w", to, ErrLost)
	case loseAnswer:
		_ = c.Next.Carry(ctx, to, p) // whatever it was
		return fmt.Errorf("answer of %s: %w", to, ErrLost)
	case twice:
		_ = c.Next.Carry(ctx, to, p) // the sender sees the second answer
	case arriveLate:
		c.mu.Lock()
		defer c.mu.Unlock()
		c.late = append(c.late, func() { _ = c.Next.Carry(context.WithoutCancel(ctx), to, p) })
		return fmt.Errorf("message to %s: %w", to, ErrLost)
	}
	return c.Next.Carry(ctx, to, p)
}

// Arrive brings what was late, the last first, and says how much it was.
func (c *Carrier) Arrive() int {
	c.mu.Lock()
	late := c.late
	c.late = nil
	c.mu.Unlock()
	for i := len(late) - 1; i >= 0; i-- {
		late[i]()
	}
	return len(late)
}

// Weather draws what befalls each parcel: one in five arrives late and out of
// order, and as many lose the message, lose the answer, or come twice.
type Weather struct {
	mu   sync.Mutex
	rand *rand.Rand // guarded by mu
}

// NewWeather is the weather of a seed: the same seed, the same order of calls,
// the same fates.
func NewWeather(seed uint64) *Weather {
	return &Weather{rand: rand.New(rand.NewPCG(seed, seed))}
}

const (
	fair = iota
	loseMessage
	loseAnswer
	twice
	arriveLate
)

func (w *Weather) draw() int {
	if w == nil {
		return fair
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rand.IntN(5)
}
