package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// A body has no time limit as a whole: a signalement of 200 MB from a rural
// line is slow and lawful. It must go on, and not only for form's sake: see
// pace. Only the time that the caller takes is counted, never ours, so that a
// busy disk cuts nobody off.

// pace is what a caller has to keep to, both ways.
type pace struct {
	stall  time.Duration // for one read or write; for the whole of a small body
	window time.Duration // over which a large one is measured
	least  int64         // bytes a second, over a window
}

// lawful is the pace of every listener.
func lawful() pace { return pace{stall: 15 * time.Second, window: 30 * time.Second, least: 16 << 10} }

// small says whether a body of that declared size comes within one stall at the
// least pace: it then gets no more.
func (p pace) small(size int64) bool {
	return size >= 0 && size <= int64(p.stall.Seconds()*float64(p.least))
}

// meter measures one direction of one exchange.
type meter struct {
	pace
	small bool
	spent time.Duration // by the caller; in this window, when it is not small
	moved int64
}

// wait is how long the next step may take.
func (m *meter) wait() time.Duration {
	if m.small {
		return max(m.stall-m.spent, time.Millisecond)
	}
	return m.stall
}

// count adds a step, and says whether the caller keeps the pace.
func (m *meter) count(n int, took time.Duration) bool {
	m.spent += took
	m.moved += int64(n)
	if m.small || m.spent < m.window {
		return true
	}
	ok := m.moved >= int64(m.spent.Seconds()*float64(m.least))
	m.spent, m.moved = 0, 0
	return ok
}

// pacedBody is the body of a request.
type pacedBody struct {
	io.ReadCloser
	c      *http.ResponseController
	m      meter
	failed error // other than the end
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.failed != nil {
		return 0, b.failed
	}
	began := time.Now()
	_ = b.c.SetReadDeadline(began.Add(b.m.wait())) // a connection without deadlines is a test's
	n, err := b.ReadCloser.Read(p)
	// Between two reads, and after the last, the server listens for the end of
	// the connection, and must not take a deadline for it.
	_ = b.c.SetReadDeadline(time.Time{})
	if ok := b.m.count(n, time.Since(began)); !ok && err == nil {
		err = os.ErrDeadlineExceeded
	}
	if err != nil && err != io.EOF {
		b.failed = err
	}
	return n, err
}

// writeStep is how much is written under one deadline, in bytes.
const writeStep = 32 << 10

// pacedWriter is the answer. A deadline stands only while something is being
// written: with HTTP/2 one that passes while a handler works would end the
// stream.
type pacedWriter struct {
	http.ResponseWriter
	c      *http.ResponseController
	m      meter
	body   *pacedBody
	http1  bool
	begun  bool
	broken bool // the caller is too slow
	spoilt bool // the answer of the handler is not what is sent
}

// WriteHeader refuses to call a request well done whose body was not read to
// its end: a handler may have overlooked it.
func (w *pacedWriter) WriteHeader(status int) {
	if w.begun || status < 200 {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.begun = true
	if w.body.failed == nil {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.http1 {
		w.Header().Set("Connection", "close") // what is left of that body is no request
	}
	if status < http.StatusBadRequest {
		w.spoilt = true
		uploadProblem(w.body.failed).write(w.ResponseWriter)
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *pacedWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.spoilt {
		return len(b), nil
	}
	for n := 0; ; {
		step := b[n:min(len(b), n+writeStep)]
		m, err := w.step(func() (int, error) { return w.ResponseWriter.Write(step) })
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// Flush implements http.Flusher.
func (w *pacedWriter) Flush() {
	_, _ = w.step(func() (int, error) { return 0, w.c.Flush() }) // the next write fails likewise
}

func (w *pacedWriter) step(write func() (int, error)) (int, error) {
	if w.broken {
		return 0, os.ErrDeadlineExceeded
	}
	began := time.Now()
	_ = w.c.SetWriteDeadline(began.Add(w.m.wait()))
	n, err := write()
	if !w.m.count(n, time.Since(began)) || errors.Is(err, os.ErrDeadlineExceeded) {
		// The deadline that has passed stays: nothing more can be written, so
		// that half an answer never ends as a whole one does.
		w.broken = true
		_ = w.c.SetWriteDeadline(began)
		return n, os.ErrDeadlineExceeded
	}
	_ = w.c.SetWriteDeadline(time.Time{})
	return n, err
}

// end is for what the server does by itself when the handler is done: it sends
// what is left of the answer, and reads a little of what is left of the body.
func (w *pacedWriter) end() {
	if w.broken {
		return
	}
	_ = w.c.SetWriteDeadline(time.Now().Add(w.m.stall))
	if !w.http1 {
		return
	}
	left := w.m.stall
	if w.body.failed != nil {
		left = 0 // nothing more is waited for
	}
	_ = w.c.SetReadDeadline(time.Now().Add(left))
}

// Unwrap is for http.ResponseController.
func (w *pacedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

var errGone = errors.New("httpapi: the caller is gone")
