package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"
)

// Limits of a connection. No value turns one off.
const (
	headerTimeout  = 5 * time.Second
	idleTimeout    = 30 * time.Second // between two requests
	maxHeaderBytes = 16 << 10

	maxStreams = 64       // requests at once of one connection of HTTP/2
	maxFrame   = 64 << 10 // bytes of a frame of HTTP/2
)

// Hosts says whether the Host of a request is a name of the listener that it
// came by. A page that a browser shows may have its own name resolved to any
// address: the name is then all that tells.
type Hosts func(*http.Request) bool

// ThisMachine takes the addresses of this machine, and localhost: the Hosts of
// a listener that only this machine reaches.
func ThisMachine(r *http.Request) bool {
	host := HostOf(r)
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// HostOf is the Host of a request without its port, nor brackets.
func HostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	return host
}

// Remote is who is at the other end of a connection, as far as limits go: an
// IPv4 address, or an IPv6 network of 64 bits, since one subscriber has that
// many. Only the connection says it: a header that claims to is anybody's.
func Remote(addr string) string {
	a, err := netip.ParseAddrPort(addr)
	if err != nil {
		return ""
	}
	ip := a.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	p, err := ip.Prefix(64)
	if err != nil {
		return ""
	}
	return p.String()
}

// Server is an HTTP server with the limits of this package, for any handler.
// Hosts is ThisMachine when it is nil. Before the handler sees a request the
// server refuses what two programs could read in two ways, what has no method
// that is meant, and what was sent to another name; around it, it holds the
// caller to the pace, and puts the headers of security on every answer.
func Server(h http.Handler, hosts Hosts, log *slog.Logger) *http.Server {
	return server(h, hosts, log, lawful())
}

func server(h http.Handler, hosts Hosts, log *slog.Logger, p pace) *http.Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if hosts == nil {
		hosts = ThisMachine
	}
	return &http.Server{
		Handler:           &front{next: h, hosts: hosts, log: log, pace: p},
		ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: maxStreams, MaxReadFrameSize: maxFrame, WriteByteTimeout: p.stall},
		ErrorLog: slog.NewLogLogger(blind{log.Handler()}, slog.LevelDebug),
	}
}

// blind keeps that the server of the standard library complained, and drops
// what it says: its lines may quote addresses, paths and what a panic held.
type blind struct{ slog.Handler }

func (b blind) Handle(ctx context.Context, r slog.Record) error {
	return b.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, "connection error", 0))
}

// front stands before the handler of every listener.
type front struct {
	next  http.Handler
	hosts Hosts
	log   *slog.Logger
	pace  pace
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := http.NewResponseController(w)
	body := &pacedBody{ReadCloser: r.Body, c: c, m: meter{pace: f.pace, small: f.pace.small(r.ContentLength)}}
	answer := &pacedWriter{ResponseWriter: w, c: c, m: meter{pace: f.pace}, body: body, http1: r.ProtoMajor == 1}
	defer answer.end()
	request := newRequestID()
	w.Header().Set(HeaderRequest, request)
	secure(w.Header(), r.TLS != nil)
	refused := f.judge(r)
	if r.ProtoMajor == 1 && (refused != nil || !r.ProtoAtLeast(1, 1)) {
		// Whatever follows on this connection could be the rest of a request
		// that somebody before us reads otherwise: HTTP/1.0 knows no
		// Transfer-Encoding, and the standard library then looks past it.
		w.Header().Set("Connection", "close")
	}
	if refused != nil {
		f.log.LogAttrs(r.Context(), slog.LevelInfo, "request refused",
			slog.String("request", request), slog.Int("status", refused.Status), slog.String("code", refused.Code), slog.String("method", knownMethod(r.Method)))
		refused.write(answer)
		return
	}
	r.Body = body
	f.next.ServeHTTP(answer, r)
}

// newRequestID draws the id of a request, for its answer and its line in the log.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand
	return hex.EncodeToString(b[:])
}

// methods are those that any handler of ours is meant for.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodOptions}
}

// judge refuses, for every route alike; nil lets pass.
func (f *front) judge(r *http.Request) *problem {
	switch {
	case len(r.TransferEncoding) > 0:
		// Also when Content-Length stands beside it, which the standard library
		// drops, while a proxy may have gone by it (RFC 9112 section 6.1). No
		// route takes a body of unknown length, so nothing lawful is lost.
		return newProblem(CodeLength)
	case !slices.Contains(methods(), r.Method):
		p := newProblem(CodeMethod)
		p.allow = "GET, POST, DELETE"
		return p
	case !f.hosts(r):
		return newProblem(CodeHost)
	}
	return nil
}

// secure sets what no answer goes without. A page that needs more loosens its
// own policy, knowingly.
func secure(h http.Header, overTLS bool) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	if overTLS {
		h.Set("Strict-Transport-Security", "max-age=63072000") // two years; not for names beside ours
	}
}
