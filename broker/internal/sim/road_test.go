package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"vaguemestre/broker"
)

// road is the carrier of one broker, on whatever day it is. All that befalls a
// parcel is drawn from the seed.
type road struct {
	p    *play
	from broker.BrokerID
}

var _ broker.Carrier = (*road)(nil)

var errRoad = errors.New("sim: no answer came")

// fate is what befalls a parcel.
type fate string

const (
	arrives    fate = "arrives"
	lost       fate = "lost"
	answerLost fate = "answer lost"
	twice      fate = "twice"
	late       fate = "late" // after the sender has given up waiting
	refused    fate = "refused"
)

// Carry implements broker.Carrier.
func (r *road) Carry(ctx context.Context, to broker.PartyID, parcel broker.Parcel) error {
	next, ok := r.p.scene.directories[r.p.way][r.from].Next(r.from, to)
	if !ok {
		return &broker.Refusal{Code: broker.RefusedDestination, Field: "to"}
	}
	if r.p.cut[[2]broker.BrokerID{r.from, next.ID}] || r.p.houses[r.from].crashed() {
		return errRoad
	}
	r.p.meanwhile(true)
	f := r.p.fate()
	r.p.note("  %s > %s for %s: %s", r.from, next.ID, to, f)
	r.p.count(string(f))
	switch f {
	case lost:
		return errRoad
	case refused:
		return &broker.Refusal{Code: broker.RefusedFormat, Field: "parcel"}
	case late:
		if kept, err := copied(ctx, parcel); err == nil {
			r.p.late = append(r.p.late, letterbox{r.from, to, kept})
		}
		return errRoad
	case twice:
		_ = r.hand(ctx, to, parcel) // the sender sees the second answer
	case answerLost:
		_ = r.hand(ctx, to, parcel)
		return errRoad
	}
	return r.hand(ctx, to, parcel)
}

// hand gives the parcel to whoever is there. A sender that crashed meanwhile
// hears nothing.
func (r *road) hand(ctx context.Context, to broker.PartyID, parcel broker.Parcel) error {
	err := r.p.net.Carrier(r.from).Carry(ctx, to, parcel)
	if r.p.houses[r.from].crashed() {
		return errRoad
	}
	return err
}

// letterbox is a parcel that comes later, byte for byte.
type letterbox struct {
	from   broker.BrokerID
	to     broker.PartyID
	parcel broker.Parcel
}

// copied is a parcel as it was on the way, whatever its sender does since.
func copied(ctx context.Context, p broker.Parcel) (broker.Parcel, error) {
	if p.Pli == nil {
		return p, nil
	}
	src, err := p.Pli.Body(ctx)
	if err != nil {
		return p, fmt.Errorf("sim: body on the way: %w", err)
	}
	defer src.Close()
	body, err := io.ReadAll(src)
	if err != nil {
		return p, fmt.Errorf("sim: body on the way: %w", err)
	}
	pli := *p.Pli
	pli.Body = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return broker.Parcel{Pli: &pli}, nil
}
