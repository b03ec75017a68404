package queue

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
)

// routerMargin is what the router has, beyond the grace of the queue, to close.
const routerMargin = 5 * time.Second

// NewRouter returns a Watermill router for the handlers of q: panics become
// nacks, and what a handler publishes carries the correlation id of what it
// received. Nothing else is in the way: retries, dead letters and breakers are
// of the journal and of the queue. It listens to no signal; the caller ends
// its context. Give each handler a Handle of its own. logger nil: that of q.
//
// Recoverer is ours: Watermill's writes the value of the panic to the log, and
// that may be what a document says.
func NewRouter(q *Queue, logger watermill.LoggerAdapter) (*message.Router, error) {
	if logger == nil {
		logger = q.options.Logger
	}
	config := message.RouterConfig{CloseTimeout: q.options.Grace + lastGrace + routerMargin}
	r, err := message.NewRouter(config, logger)
	if err != nil {
		return nil, fmt.Errorf("queue: router: %w", err)
	}
	r.AddMiddleware(middleware.CorrelationID, Recoverer)
	return r, nil
}

// PanicError is what Recoverer makes of a panic. It tells where and the type of
// the value, never the value.
type PanicError struct {
	Type  string // Go type of the value
	Stack string
}

// Error implements error.
func (e *PanicError) Error() string { return "panic with a " + e.Type + "\n" + e.Stack }

// Recoverer is a middleware that turns a panic of the handler into a
// *PanicError.
func Recoverer(h message.HandlerFunc) message.HandlerFunc {
	return func(m *message.Message) (produced []*message.Message, err error) {
		returned := false
		defer func() {
			if returned {
				return
			}
			produced, err = nil, &PanicError{Type: fmt.Sprintf("%T", recover()), Stack: string(debug.Stack())}
		}()
		produced, err = h(m)
		returned = true
		return produced, err
	}
}
