package queue

import "time"

// DefaultHold is the longest time that one failure holds the other lanes of
// its destination.
const DefaultHold = time.Minute

// Slots says how much of a topic is in flight at once.
type Slots struct {
	Lanes  int           // lanes of one destination; 0: 1
	Urgent int           // of these, kept for urgent items; at most Lanes-1
	Total  int           // lanes of all destinations; 0: 64. Where Urgent is set, an eighth is kept for urgent items
	Hold   time.Duration // longest time that a failure holds its destination; 0: DefaultHold
}

// Plis is for a topic of plis: at most 8 lanes of one recipient at once, one
// kept for U0.
func Plis() Slots { return Slots{Lanes: 8, Urgent: 1, Total: 256} }

// Evidences is for small machine messages without order: 64 of one destination
// at once.
func Evidences() Slots { return Slots{Lanes: 64, Total: 256} }

// Serial is for everything else: one item of a destination at a time.
func Serial() Slots { return Slots{Lanes: 1, Total: 64} }

// normal returns s with its defaults, and with at least one slot for what is
// not urgent.
func (s Slots) normal() Slots {
	s.Lanes = max(s.Lanes, 1)
	s.Urgent = min(max(s.Urgent, 0), s.Lanes-1)
	if s.Total <= 0 {
		s.Total = 64
	}
	if s.Hold <= 0 {
		s.Hold = DefaultHold
	}
	return s
}

// ordinary is how many items that are not urgent may be in flight in the whole
// topic.
func (s Slots) ordinary() int {
	if s.Urgent == 0 {
		return s.Total
	}
	return max(s.Total-max(s.Urgent, s.Total/8), 1)
}
