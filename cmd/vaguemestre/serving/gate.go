package serving

import (
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"sync/atomic"
)

// gate stands before every handler: it counts, and keeps a handler that panics
// from taking the process with it.
type gate struct {
	log      *slog.Logger
	draining atomic.Bool
	within   atomic.Int64     // calls being served
	answered [6]atomic.Uint64 // by class of status: [2] is 2xx
}

// wrap is h behind the gate.
func (g *gate) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.within.Add(1)
		defer g.within.Add(-1)
		s := &statusWriter{ResponseWriter: w}
		defer g.rescue(s)
		h.ServeHTTP(s, r)
	})
}

// rescue ends a call. The value of a panic is not said: it may quote what the
// caller sent.
func (g *gate) rescue(s *statusWriter) {
	if class := max(s.status, http.StatusOK) / 100; class > 0 && class < len(g.answered) {
		g.answered[class].Add(1)
	}
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		g.answered[5].Add(1)
		g.log.Error("a handler panicked", "kind", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
		if s.status == 0 {
			(&Problem{Detail: "the broker failed", Code: "internal"}).write(s.ResponseWriter)
			return
		}
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusWriter) Write(b []byte) (int, error) {
	if s.status == 0 {
		s.status = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// Flush implements http.Flusher.
func (s *statusWriter) Flush() {
	if f, ok := s.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// unredirected refuses what a mux would redirect, with a Location and a page that
// quote the path.
func unredirected(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "" || p[0] != '/' || path.Clean(p) != p {
			(&Problem{Status: http.StatusNotFound, Code: "route_not_found", Detail: "no such route"}).write(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
