package serving

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// InProcess is a transport that calls a handler in this process, with bodies
// that stream both ways. A handler that gives up (http.ErrAbortHandler, or any
// other panic) cuts the answer, as a connection that breaks would.
func InProcess(h http.Handler) http.RoundTripper { return inProcess{h} }

type inProcess struct{ h http.Handler }

// errCut is what is left of an answer whose handler gave up.
var errCut = errors.New("the answer was cut")

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.Clone(r.Context())
	asked.RequestURI, asked.RemoteAddr = r.URL.RequestURI(), "@"
	if asked.Host == "" {
		asked.Host = r.URL.Host
	}
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	body, w := io.Pipe()
	a := &answer{request: r, header: http.Header{}, body: w, begun: make(chan *http.Response, 1), reader: body}
	go func() {
		defer asked.Body.Close()
		defer func() {
			if recover() != nil {
				a.WriteHeader(http.StatusInternalServerError)
				w.CloseWithError(errCut)
				return
			}
			a.WriteHeader(http.StatusOK)
			w.Close()
		}()
		t.h.ServeHTTP(a, asked)
	}()
	select {
	case resp := <-a.begun:
		return resp, nil
	case <-r.Context().Done():
		body.CloseWithError(r.Context().Err()) // the handler's next write fails
		return nil, r.Context().Err()
	}
}

// answer is the http.ResponseWriter of such a call.
type answer struct {
	request *http.Request
	header  http.Header
	body    *io.PipeWriter
	reader  *io.PipeReader
	begun   chan *http.Response
	once    sync.Once
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if status < 200 { // an interim answer: nobody waits for it here
		return
	}
	a.once.Do(func() {
		resp := &http.Response{
			Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: a.header.Clone(), Body: a.reader, ContentLength: -1, Request: a.request,
		}
		if a.request.Method == http.MethodHead || status == http.StatusNoContent {
			resp.Body = http.NoBody
			a.reader.Close()
		}
		a.begun <- resp
	})
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// Flush implements http.Flusher: nothing is ever kept back.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }
