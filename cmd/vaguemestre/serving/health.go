package serving

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// beatWithin is how long the committer may take before the broker is said not
// to be ready.
const beatWithin = 5 * time.Second

// Ready is what /readyz answers, with 200 when every check is right and 503
// otherwise.
type Ready struct {
	Ready    bool  `json:"ready"`
	Journal  Check `json:"journal"`  // the committer answers
	Space    Check `json:"space"`    // the disk is above the watermark
	Keys     Check `json:"keys"`     // the broker's own key is unlocked and usable
	Draining Check `json:"draining"` // right when the broker is not on its way out
}

// Check is one of them. Detail is for the operator, and names parties, brokers
// and sizes only.
type Check struct {
	OK        bool     `json:"ok"`
	Detail    string   `json:"detail,omitempty"`
	FreeBytes *uint64  `json:"free_bytes,omitempty"`
	Unusable  []string `json:"unusable,omitempty"` // owners at home whose keys do not serve now
}

// health answers for the process.
type health struct {
	data     *wiring.Data
	node     *wiring.Node
	pulse    *pulse
	draining func() bool
	metrics  http.Handler
}

// handler is that of the admin listener.
func (h *health) handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Write([]byte("ok\n"))
	})
	m.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ready := h.ready(r.Context())
		w.Header().Set("Content-Type", typeJSON)
		w.Header().Set("Cache-Control", "no-store")
		if !ready.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(ready) // whoever asked is gone
	})
	m.Handle("GET /metrics", h.metrics)
	return unredirected(m)
}

func (h *health) ready(ctx context.Context) Ready {
	var r Ready
	ctx, cancel := context.WithTimeout(ctx, beatWithin)
	defer cancel()
	switch err := h.pulse.beat(ctx); {
	case err == nil:
		r.Journal.OK = true
	case ctx.Err() != nil:
		r.Journal.Detail = "the committer does not answer"
	default:
		r.Journal.Detail = "the journal takes nothing any more"
	}
	r.Space.OK = !h.node.Journal.LowSpace()
	if free, err := h.node.Free(); err == nil {
		r.Space.FreeBytes = &free
	}
	if !r.Space.OK {
		r.Space.Detail = "below limits.free_space: nothing new is accepted"
	}
	r.Keys = h.keys(time.Now())
	r.Draining.OK = !h.draining()
	if !r.Draining.OK {
		r.Draining.Detail = "the broker is stopping"
	}
	r.Ready = r.Journal.OK && r.Space.OK && r.Keys.OK && r.Draining.OK
	return r
}

// keys wants the broker's own key, without which nothing can be stamped; a
// party whose key does not serve is named, and the others go on.
func (h *health) keys(now time.Time) Check {
	c := Check{OK: true}
	self := h.data.Config.Broker
	unusable := func(owner string, encrypt bool) bool {
		return !h.data.Keys.Has(owner) || h.data.Keys.Usable(owner, now, false) != nil ||
			encrypt && h.data.Keys.Usable(owner, now, true) != nil
	}
	if unusable(self, false) {
		c.OK, c.Unusable, c.Detail = false, append(c.Unusable, self), "the broker's own key does not serve: nothing can be accepted"
	}
	for _, p := range h.data.Directory.Parties() {
		if p.Home == broker.BrokerID(self) && unusable(string(p.ID), true) {
			c.Unusable = append(c.Unusable, string(p.ID))
		}
	}
	slices.Sort(c.Unusable)
	return c
}
