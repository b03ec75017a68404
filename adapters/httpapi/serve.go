package httpapi

import (
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

// HeaderRequest carries the id of a request, in the answer and in the log.
const HeaderRequest = "Vaguemestre-Request"

// exchange is one request and what is learnt of it for the log.
type exchange struct {
	w      *recorder
	r      *http.Request
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

// around wraps a table of routes with what every answer has: the id, the log
// line, and an end to panics.
func (a *API) around(serve func(*exchange) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		x := &exchange{w: &recorder{ResponseWriter: w}, r: r}
		request := w.Header().Get(HeaderRequest)
		if request == "" { // called without a server: in process
			request = newRequestID()
			w.Header().Set(HeaderRequest, request)
		}
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
	if err := serve(x); err != nil && !errors.Is(err, errGone) { // nobody to tell
		x.fail(toProblem(err))
	}
}

// fail answers with a problem, unless an answer has begun: it then stays
// shorter than it declared, and the server breaks the connection off.
func (x *exchange) fail(p *problem) {
	x.failed, x.cause = p.Status >= http.StatusInternalServerError, p.cause
	if x.w.status == 0 {
		p.write(x.w)
	}
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
	x.w.Header().Set("Content-Type", "application/json")
	x.w.WriteHeader(status)
	_, _ = x.w.Write(append(text, '\n')) // a caller that is gone reads nothing
	return nil
}

// stream copies to the caller.
func (x *exchange) stream(src io.Reader) error {
	_, err := io.Copy(callerWriter{x.w}, src)
	return err
}

// callerWriter tells a caller that is gone from a source that failed.
type callerWriter struct{ io.Writer }

func (w callerWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if err != nil {
		err = errGone
	}
	return n, err
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
