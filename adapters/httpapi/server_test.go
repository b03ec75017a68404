package httpapi_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// speak sends bytes on a connection of their own, and returns what is answered
// until the server ends it; nothing more is sent.
func speak(t *testing.T, s *httptest.Server, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil && len(b) == 0 {
		t.Fatal(err)
	}
	return string(b)
}

// What two programs could read in two ways is refused, and nothing that follows
// it on the connection is run.
func TestFraming(t *testing.T) {
	ran := atomic.Int64{}
	s := serve(httpapi.Server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/smuggled" {
			ran.Add(1)
		}
	}), nil, nil))
	defer s.Close()
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for name, c := range map[string]struct{ text, begins string }{
		"chunked":              {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 411 "},
		"both":                 {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 411 "},
		"chunked, HTTP/1.0":    {"GET / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.0 200 "},
		"an unknown coding":    {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 "},
		"chunked folded":       {"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 411 "},
		"two lengths":          {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 400 "},
		"a list of lengths":    {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0, 0\r\n\r\n", "HTTP/1.1 400 "},
		"a signed length":      {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: +0\r\n\r\n", "HTTP/1.1 400 "},
		"TRACE":                {"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 "},
		"a method in lower":    {"get / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 "},
		"CONNECT":              {"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 405 "},
		"no Host":              {"GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 421 "},
		"another's Host":       {"GET / HTTP/1.1\r\nHost: ailleurs.example\r\n\r\n", "HTTP/1.1 421 "},
		"a space before colon": {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\n", "HTTP/1.1 400 "},
	} {
		t.Run(name, func(t *testing.T) {
			got := speak(t, s, c.text+smuggled)
			if !strings.HasPrefix(got, c.begins) || strings.Count(got, "HTTP/1.") != 1 {
				t.Errorf("answered %.300q", got)
			}
		})
	}
	if n := ran.Load(); n != 0 {
		t.Errorf("%d smuggled requests were run", n)
	}
}

// Every answer has the headers of security, those of the front as well.
func TestSecurityHeaders(t *testing.T) {
	s := httptest.NewUnstartedServer(nil)
	s.Config = httpapi.Server(http.NotFoundHandler(), nil, nil)
	s.StartTLS()
	defer s.Close()
	for _, method := range []string{"GET", "TRACE"} {
		q, err := http.NewRequest(method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Client().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		for name, part := range map[string]string{
			"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
			"X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=", httpapi.HeaderRequest: "",
		} {
			if v := r.Header.Get(name); v == "" || !strings.HasPrefix(v, part) {
				t.Errorf("%s: %s: %q", method, name, v)
			}
		}
	}
}

// uploading is a handler that reads a body to its end, and says how it went.
func uploading(said chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		said <- err
		w.WriteHeader(http.StatusCreated) // also when the body was cut: it overlooks that
	})
}

// A large body goes on as long as it brings the least pace; one that brings
// less, a small one that is not whole in time, and one that stands still are
// given up, whatever the handler makes of it.
func TestPaceOfUploads(t *testing.T) {
	const stall, least = 600 * time.Millisecond, 4000 // small is 2400 bytes at most
	for _, c := range []struct {
		name      string
		size, per int // bytes, every 50 ms
		status    string
	}{
		{"large and lawful", 16000, 400, "201"}, // 8000 bytes a second, for two seconds
		{"large and too slow", 16000, 50, "408"},
		{"small and in time", 1000, 300, "201"},
		{"small and too slow", 1000, 20, "408"},
		{"still", 16000, 0, "408"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			said := make(chan error, 1)
			s := serve(httpapi.ServerPaced(uploading(said), stall, stall, least))
			defer s.Close()
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", c.size)
			go func() {
				for sent := 0; sent < c.size && c.per > 0; sent += c.per {
					if _, err := conn.Write(make([]byte, min(c.per, c.size-sent))); err != nil {
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			}()
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+c.status+" ") {
				t.Errorf("answered %q, %v; the handler: %v", line, err, <-said)
			}
		})
	}
}

// A body that ends early is never called done, even by a handler that
// overlooks it.
func TestCutBodyIsNeverDone(t *testing.T) {
	said := make(chan error, 1)
	s := serve(httpapi.Server(uploading(said), nil, nil))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf")
	c.(*net.TCPConn).CloseWrite()
	b, _ := io.ReadAll(c)
	if err := <-said; !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(string(b), "HTTP/1.1 400 ") || !strings.Contains(string(b), httpapi.CodeUploadCut) {
		t.Errorf("%v, answered %.200q", err, b)
	}
}

// Who takes an answer too slowly loses it, and never sees it end as a whole one
// would; a handler that works long before it answers is not taken for one.
func TestPaceOfAnswers(t *testing.T) {
	const stall = 500 * time.Millisecond
	cut := make(chan error, 1)
	s := httptest.NewUnstartedServer(nil)
	s.EnableHTTP2 = true
	s.Config = httpapi.ServerPaced(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/work" {
			w.Write([]byte("begun "))
			w.(http.Flusher).Flush()
			time.Sleep(3 * stall)
			w.Write([]byte("done"))
			return
		}
		var err error
		for range 4096 { // more than any buffer on the way holds
			if _, err = w.Write(make([]byte, 1<<16)); err != nil {
				break
			}
		}
		cut <- err
	}), stall, stall, 1<<20)
	s.StartTLS()
	defer s.Close()
	for _, major := range []int{1, 2} {
		t.Run(fmt.Sprintf("HTTP/%d", major), func(t *testing.T) {
			next := map[int]string{1: "http/1.1", 2: "h2"}[major]
			client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{next}}, ForceAttemptHTTP2: major == 2}}
			defer client.CloseIdleConnections()
			r, err := client.Get(s.URL + "/work")
			if err != nil || r.ProtoMajor != major {
				t.Fatalf("%v", err)
			}
			if b, err := io.ReadAll(r.Body); string(b) != "begun done" {
				t.Errorf("a handler that works: %q, %v", b, err)
			}
			r.Body.Close()
			r, err = client.Get(s.URL + "/long")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Body.Close()
			if err := <-cut; err == nil { // nothing was read meanwhile
				t.Error("a caller that takes nothing was waited for")
			}
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				t.Error("half an answer looks whole")
			}
		})
	}
}

// Guessing is slow, for one address; whoever shows a valid token from there
// pays for nobody else. A header that names another address changes nothing.
func TestStrangers(t *testing.T) {
	now := sync.OnceValue(time.Now)
	tn := newTown(t, func(o *httpapi.Options) { o.Rate, o.Burst, o.Now = 4, 12, now })
	guess := func(i int) answer {
		q := request{method: "GET", path: "/v1/messages", token: "vmt_" + strings.Repeat("B", 43), header: map[string]string{"X-Forwarded-For": fmt.Sprintf("192.0.2.%d", i), "Forwarded": fmt.Sprintf("for=192.0.2.%d", i)}}
		return call(t, tn.servers[justice], q)
	}
	for i := range 4 { // a third of what a token has
		if a := guess(i); a.status != 401 {
			t.Fatalf("guess %d: %d", i, a.status)
		}
	}
	a := guess(5)
	if a.status != 429 || a.header.Get("Retry-After") != "1" {
		t.Errorf("the fifth guess: %d, Retry-After %q", a.status, a.header.Get("Retry-After"))
	}
	if a := call(t, tn.servers[justice], request{method: "GET", path: "/openapi.json"}); a.status != 429 {
		t.Errorf("what is open to all, from there: %d", a.status)
	}
	if a := tn.get(parquet, "/v1/messages"); a.status != 200 {
		t.Errorf("a valid token, from there: %d", a.status)
	}
}

// What is asked of the store is a digest: no secret is ever compared with one.
func TestTokensAreLookedUpByDigest(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) { o.Tokens = digests{o.Tokens, t} })
	last := tn.secrets[parquet]
	for _, secret := range []string{last, last[:len(last)-1] + "A", "vmt_" + strings.Repeat("A", 43)} {
		call(t, tn.servers[justice], request{method: "GET", path: "/v1/messages", token: secret})
	}
}

// store is Tokens under another name: one of its methods is called so.
type store interface{ httpapi.Tokens }

type digests struct {
	store
	t *testing.T
}

func (d digests) Token(digest string) (broker.Token, error) {
	if len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		d.t.Error("asked for by something else than a digest")
	}
	return d.store.Token(digest)
}

// One subscriber is one caller.
func TestRemote(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.7:1234": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:9": "fe80::/64", "@": "", "": "", "localhost:80": "",
	} {
		if got := httpapi.Remote(addr); got != want {
			t.Errorf("%q: %q, want %q", addr, got, want)
		}
	}
}

// A name that is not of this machine is refused, however it is written.
func TestThisMachine(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:8480": true, "127.0.0.1": true, "127.9.9.9:1": true, "[::1]:8480": true, "[::1]": true, "[::ffff:127.0.0.1]": true,
		"": false, "localhost.example": false, "127.0.0.1.example:80": false, "0.0.0.0:80": false, "192.0.2.7": false, "rebind.example": false, "LOCALHOST.": false,
	} {
		if got := httpapi.ThisMachine(&http.Request{Host: host}); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

// What half a minute would show, or a soak: see broker/internal/httpattack.
func TestServerSettings(t *testing.T) {
	s := httpapi.Server(http.NotFoundHandler(), nil, nil)
	if s.ReadHeaderTimeout != 5*time.Second || s.IdleTimeout != 30*time.Second || s.MaxHeaderBytes != 16<<10 ||
		s.HTTP2.MaxConcurrentStreams != 64 || s.HTTP2.MaxReadFrameSize != 64<<10 || s.HTTP2.WriteByteTimeout != 15*time.Second {
		t.Errorf("%+v %+v", s, s.HTTP2)
	}
	// A body has no time as a whole: its pace is held instead.
	if s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Errorf("%s, %s", s.ReadTimeout, s.WriteTimeout)
	}
}
