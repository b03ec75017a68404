package httpapi

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// A body has no time limit as a whole: a signalement of 200 MB from a rural
// line is slow and lawful. It must go on: each read and each write that brings
// something gives it Options.Idle more.

// extend sets a deadline from now. A writer that has none (in process) is its
// caller's concern.
func (x *exchange) extend(set func(time.Time) error) { _ = set(time.Now().Add(x.idle)) }

func (x *exchange) deadlineRead(t time.Time) error {
	return http.NewResponseController(x.w).SetReadDeadline(t)
}

func (x *exchange) deadlineWrite(t time.Time) error {
	return http.NewResponseController(x.w).SetWriteDeadline(t)
}

// progressReader reads the body of a request.
type progressReader struct{ x *exchange }

func (p progressReader) Read(b []byte) (int, error) {
	p.x.extend(p.x.deadlineRead)
	n, err := p.x.r.Body.Read(b)
	if err == io.EOF {
		// What follows may take its time: the server listens for the end of
		// the connection meanwhile, and must not take a deadline for it.
		_ = p.x.deadlineRead(time.Time{})
	}
	if n > 0 {
		p.x.extend(p.x.deadlineWrite)
	}
	return n, err
}

var errGone = errors.New("httpapi: the caller is gone")

// progressWriter writes the body of an answer.
type progressWriter struct{ x *exchange }

func (p progressWriter) Write(b []byte) (int, error) {
	p.x.extend(p.x.deadlineWrite)
	n, err := p.x.w.Write(b)
	if err != nil {
		err = errGone
	}
	return n, err
}
