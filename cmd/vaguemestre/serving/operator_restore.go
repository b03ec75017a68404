package serving

import (
	"net/http"
	"time"

	"vaguemestre/broker"
)

// HeadsOf is what this broker saw of the journal of another.
type HeadsOf struct {
	Broker      string   `json:"broker"`
	Checkpoints []string `json:"checkpoints"` // C2SP texts, one a log
}

func (o *Operator) heads(w http.ResponseWriter, r *http.Request) {
	of := broker.BrokerID(r.URL.Query().Get("of"))
	list, err := o.Node.Broker.Heads(of)
	out := HeadsOf{Broker: string(of), Checkpoints: []string{}}
	for _, h := range list {
		out.Checkpoints = append(out.Checkpoints, string(h.Checkpoint()))
	}
	o.answer(w, out, err)
}

// Resending asks for what another broker lost.
type Resending struct {
	To    string    `json:"to"`
	Since time.Time `json:"since"`
}

func (o *Operator) resend(w http.ResponseWriter, r *http.Request) {
	var ask Resending
	if !o.asking(w, r, &ask) {
		return
	}
	n, err := o.Node.Broker.Resend(r.Context(), broker.BrokerID(ask.To), ask.Since)
	o.answer(w, n, err)
}

func (o *Operator) settled(w http.ResponseWriter, r *http.Request) {
	o.answer(w, map[string]any{"settled": true}, o.Node.Broker.Settled(r.Context()))
}

// Compacted says what a compaction gave back, in bytes.
type Compacted struct {
	Before int64 `json:"before"`
	After  int64 `json:"after"`
}

func (o *Operator) compact(w http.ResponseWriter, r *http.Request) {
	var c Compacted
	var err error
	c.Before, c.After, err = o.Journal.Compact(r.Context())
	o.answer(w, c, err)
}
