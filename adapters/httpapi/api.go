package httpapi

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
)

// Broker is what this package asks of a broker.
type Broker interface {
	ID() broker.BrokerID
	Directory() *directory.Directory
	Journal() *journal.Journal
	Accept(context.Context, broker.Submission) (broker.Receipt, error)
	Acknowledge(context.Context, broker.Act) (broker.Acted, error)
	Release(context.Context, broker.Release) (done broker.Acted, repeated bool, err error)
	Released(ctx context.Context, id string, p broker.PartyID) (*broker.Detail, error)
	Read(ctx context.Context, id string, as broker.PartyID) (*broker.Content, error)
	Status(id string) (broker.Status, error)
	Dossier(id string) (*broker.Dossier, error)
	OpenEvidence(ctx context.Context, sealed []byte, as broker.PartyID) (*broker.OpenedEvidence, error)
	Note(ctx context.Context, id, word string) error
}

// Tokens is where the tokens are kept.
type Tokens interface {
	Token(digest string) (broker.Token, error)
	Tokens() ([]broker.Token, error)
	AddToken(context.Context, broker.Token) (broker.Token, error)
	RevokeToken(ctx context.Context, digest string) error
}

var (
	_ Broker = (*broker.Broker)(nil)
	_ Tokens = (*broker.Broker)(nil)
)

// Options of an API. Broker and Tokens are required; the zero value of any
// other field means its default.
type Options struct {
	Broker Broker
	Tokens Tokens
	// Export makes the proof of a pli, as a party may have it: see Exporter.
	// Nil: no pli can be exported.
	Export func(ctx context.Context, id string, as broker.PartyID) (*Archive, error)
	// Operator serves what Local has under /admin/v1/ beside the tokens.
	Operator http.Handler

	MaxBody int64   // bytes of the document and pieces of one pli, as the broker's own; broker.DefaultMaxBody
	Rate    float64 // requests a second of one token, DefaultRate; of one address without a token, a quarter
	Burst   int     // requests at once of one token, DefaultBurst; of one address without a token, a third

	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger
}

// API is the two forms of the API on one broker. It is safe for concurrent use.
type API struct {
	o         Options
	limits    *limiter          // by digest of the token
	strangers *limiter          // by address, of who shows no token that is valid
	courses   *courses          // requests in course, by digest of the token
	seen      *memory[struct{}] // <id>/<party> whose fetch is known to be signed
	threads   *memory[string]   // thread of a pli, by id
	draining  atomic.Bool
}

// New makes the API of a broker.
func New(o Options) *API {
	if o.MaxBody <= 0 {
		o.MaxBody = broker.DefaultMaxBody
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rate <= 0 {
		o.Rate = DefaultRate
	}
	if o.Burst <= 0 {
		o.Burst = DefaultBurst
	}
	return &API{
		o: o, limits: newLimiter(o.Rate, o.Burst, o.Now), strangers: newLimiter(o.Rate/4, max(1, o.Burst/3), o.Now),
		courses: newCourses(), seen: newMemory[struct{}](), threads: newMemory[string](),
	}
}

// Drain refuses submissions and acts from now on, with 503: the broker is about
// to stop. Requests in course, and reads, go on.
func (a *API) Drain() { a.draining.Store(true) }

// Public serves applications: each request carries a token, but those for what
// is open to all.
func (a *API) Public() http.Handler { return a.mux(false) }

// Local serves whoever runs the broker, with the routes of the operator
// besides. It asks for no token: it must listen only where the owner of the
// data directory alone can connect. The party is in the header
// Vaguemestre-Party.
func (a *API) Local() http.Handler { return a.mux(true) }
