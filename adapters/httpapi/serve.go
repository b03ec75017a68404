package httpapi

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"vaguemestre/broker"
)

// Limits of a connection. No value turns one off.
const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = 30 * time.Second // between two requests
	maxHeaderBytes = 16 << 10

	// DefaultIdle is how long a body may bring or take nothing.
	DefaultIdle = 30 * time.Second
)

// Server is an HTTP server with the limits of this package, for a handler of
// it. With t it speaks TLS, HTTP/2 included. A body has no limit of time as a
// whole, since a large piece on a slow line takes what it takes: see Options.Idle.
func Server(h http.Handler, t *tls.Config, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler: h, TLSConfig: t,
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: slog.NewLogLogger(blind{log.Handler()}, slog.LevelDebug),
	}
}

// blind keeps that the server of the standard library complained, and drops
// what it says: its lines may quote addresses, paths and what a panic held.
type blind struct{ slog.Handler }

func (b blind) Handle(ctx context.Context, r slog.Record) error {
	return b.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "connection error", 0))
}

// HeaderRequest carries the id of a request, in the answer and in the log.
const HeaderRequest = "Vaguemestre-Request"

// exchange is one request and what is learnt of it for the log.
type exchange struct {
	w      *recorder
	r      *http.Request
	idle   time.Duration
	caller caller
	id     string // of the pli, when the route has one and it has the form of an id
	failed bool   // by a fault of this broker
	cause  error  // of it, for the log
}

// recorder counts what is answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// around wraps a table of routes with what every answer has: the headers, the
// id, the log line, and an end to panics.
func (a *API) around(serve func(*exchange) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		x := &exchange{w: &recorder{ResponseWriter: w}, r: r, idle: a.o.Idle}
		request := a.requestID()
		h := w.Header()
		h.Set(HeaderRequest, request)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		a.guard(x, serve)
		a.logged(x, request, time.Since(began))
	})
}

// guard runs the handler and answers what it failed with.
func (a *API) guard(x *exchange, serve func(*exchange) error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		// The value may hold content; its type and the place do not.
		a.o.Log.Error("panic", "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
		x.fail(newProblem(CodeInternal))
	}()
	// Nobody is waited for: those who stream extend it as they go on.
	x.extend(x.deadlineWrite)
	if x.r.ContentLength != 0 {
		x.extend(x.deadlineRead) // never on a request without body: see progressReader
	}
	if err := serve(x); err != nil && !errors.Is(err, errGone) { // nobody to tell
		x.fail(toProblem(err))
	}
}

// fail answers with a problem, unless an answer has begun: it then stays
// shorter than it declared, and the server breaks the connection off.
func (x *exchange) fail(p *problem) {
	x.failed, x.cause = p.Status >= http.StatusInternalServerError, p.cause
	x.extend(x.deadlineWrite)
	if x.w.status == 0 {
		p.write(x.w)
	}
}

func (a *API) requestID() string {
	var b [16]byte
	if _, err := io.ReadFull(a.o.Rand, b[:]); err != nil {
		return "none" // an id is a convenience: the request goes on
	}
	return hex.EncodeToString(b[:])
}

// logged writes the one line of a request.
func (a *API) logged(x *exchange, request string, took time.Duration) {
	level := slog.LevelInfo
	attrs := []slog.Attr{
		slog.String("request", request), slog.String("route", x.r.Pattern), slog.String("method", knownMethod(x.r.Method)),
		slog.Int("status", x.w.status), slog.Int64("ms", took.Milliseconds()), slog.Int64("bytes", x.w.bytes),
	}
	if x.caller.application != "" {
		attrs = append(attrs, slog.String("application", x.caller.application), slog.String("party", string(x.caller.party)))
	}
	if x.id != "" {
		attrs = append(attrs, slog.String("id", x.id))
	}
	if x.failed { // also once an answer had begun
		level = slog.LevelError
		if x.cause != nil {
			attrs = append(attrs, slog.String("error", x.cause.Error()))
		}
	}
	a.o.Log.LogAttrs(x.r.Context(), level, "request", attrs...)
}

// knownMethod keeps a caller from writing in the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch:
		return m
	}
	return "other"
}

// answer writes one JSON value.
func (x *exchange) answer(status int, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	x.extend(x.deadlineWrite)
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(append(text, '\n')) // a caller that is gone reads nothing
	return nil
}

// stream copies to the caller, who may be slow but must go on.
func (x *exchange) stream(src io.Reader) error {
	_, err := io.Copy(progressWriter{x}, src)
	return err
}

// pli is the id of the route's {id}; an id that has not the form of one is no
// id at all, and goes to no log.
func (x *exchange) pli() (string, error) {
	id := x.r.PathValue("id")
	if !isID(id) {
		return "", broker.ErrNotFound
	}
	x.id = id
	return id, nil
}
