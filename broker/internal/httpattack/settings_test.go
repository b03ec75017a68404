package httpattack

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// long asks for what takes half a minute.
const long = "VAGUEMESTRE_HTTPATTACK_LONG"

// setting is one limit that no attack shows.
type setting struct {
	name string
	long bool
	hold func(t *testing.T, c *caller)
}

func settings() []setting {
	return []setting{
		{"rate_of_a_token", false, rateOfToken}, {"security_headers", false, securityHeaders}, {"certificate_renewed_by_halves", false, renewal},
		{"admin_listener", false, otherListeners}, {"idle_connection", true, idleConnection}, {"lawful_slow_upload", true, lawfulUpload}, {"unlawful_slow_upload", true, unlawfulUpload},
	}
}

// rateOfToken: one token that asks too often is told when to come back, and no
// other is slowed.
func rateOfToken(t *testing.T, c *caller) {
	client := c.client()
	client.Transport.(*http.Transport).DisableKeepAlives = false
	defer client.CloseIdleConnections()
	for i := range 20_000 {
		q := c.request(t, "GET", "/v1/messages", nil)
		q.Header.Set("Authorization", "Bearer "+c.g.other)
		status, h, _, err := c.call(client, q)
		if err != nil || status != http.StatusOK && status != http.StatusTooManyRequests {
			t.Fatalf("call %d: %d, %v", i, status, err)
		}
		if status == http.StatusTooManyRequests {
			if h.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			c.alive(t)
			return
		}
	}
	t.Error("a token may ask as often as it likes")
}

// securityHeaders: every answer of every listener has them.
func securityHeaders(t *testing.T, c *caller) {
	wanted := map[string]string{
		"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
	}
	look := func(what string, h http.Header) {
		for k, v := range wanted {
			if h.Get(k) != v {
				t.Errorf("%s: %s: %q", what, k, h.Get(k))
			}
		}
		if h.Get("Server") != "" {
			t.Errorf("%s: Server: %q", what, h.Get("Server"))
		}
	}
	for _, path := range []string{"/v1/messages", "/v1/kinds", "/openapi.json", "/nowhere", "/v1/messages/x", "/v1/messages/" + c.g.big + "/summary"} {
		_, h, _, err := c.call(c.client(), c.request(t, "GET", path, nil))
		if err != nil {
			t.Fatal(err)
		}
		look(path, h)
		if !strings.HasPrefix(h.Get("Strict-Transport-Security"), "max-age=") {
			t.Errorf("%s: HSTS %q", path, h.Get("Strict-Transport-Security"))
		}
	}
	for _, path := range []string{"/metrics", "/readyz", "/healthz", "/nowhere"} {
		r, err := http.Get("http://" + c.g.proc.Admin() + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		look(path, r.Header)
	}
}

// renewal replaces the certificate, then the key, of the running broker.
func renewal(t *testing.T, c *caller) {
	dir, next := filepath.Join(c.g.house.Data, "tls"), filepath.Join(filepath.Dir(c.g.house.Data), "next")
	serial := func() int64 {
		conn, err := tls.DialWithDialer(c.dialer(), "tcp", c.g.proc.API(), c.tls("http/1.1"))
		if err != nil {
			t.Error(err)
			return 0
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	for _, file := range []string{"cert.pem", "key.pem"} {
		for range 10 {
			if n := serial(); n != 1 {
				t.Fatalf("before %s: serial %d", file, n)
			}
			time.Sleep(20 * time.Millisecond)
		}
		b, err := os.ReadFile(filepath.Join(next, file))
		if err == nil {
			// As most programs do: written over, not renamed.
			err = os.WriteFile(filepath.Join(dir, file), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if file == "cert.pem" {
			continue
		}
		within(t, patience, "the new certificate", func() bool { return serial() == 2 })
	}
}

// otherListeners: the admin listener and the socket refuse what the API does.
func otherListeners(t *testing.T, c *caller) {
	unix := func() (net.Conn, error) { return net.Dial("unix", filepath.Join(c.g.house.Data, "admin.sock")) }
	tcp := func() (net.Conn, error) { return net.Dial("tcp", c.g.proc.Admin()) }
	for what, dial := range map[string]func() (net.Conn, error){"admin": tcp, "socket": unix} {
		for status, text := range map[string]string{
			"411": "POST /admin/v1/journal/verify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
			"405": "TRACE /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + c.mark + "\r\n\r\n",
			"400": "POST /admin/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
			"431": "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("a", 30_000) + "\r\n\r\n",
		} {
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if t.Failed() {
				return // one is enough
			}
			_ = conn.SetDeadline(time.Now().Add(patience))
			go io.WriteString(conn, text+"GET /admin/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
			b, _ := io.ReadAll(conn)
			c.wants(t, what+" "+status, status, string(b))
		}
		conn, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go drip(conn, "GET /metrics HTTP/1.1\r\nX: "+strings.Repeat("a", 1000), 300*time.Millisecond)
		c.ended(t, what+", slow headers", conn)
	}
	// Half a call of a command is none.
	conn, err := unix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /admin/v1/messages/"+c.g.big+"/export HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n{\"open\":false}")
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(b), "HTTP/1.1 400 ") {
		t.Errorf("half a call: %.200q", b)
	}
}

func idleConnection(t *testing.T, c *caller) {
	conn := c.dial(t)
	io.WriteString(conn, c.head("GET /v1/messages")+"\r\n")
	c.tries.Add(1)
	b, err := io.ReadAll(conn) // until the server ends it
	if err != nil || strings.Count(string(b), "HTTP/1.1 200 ") != 1 {
		t.Errorf("an idle connection is kept: %v", err)
	}
}

// upload sends a lawful form in steps, and gives the status.
func (c *caller) upload(t *testing.T, size, step int, pause time.Duration) string {
	t.Helper()
	body, ctype := form(t, bytes.Repeat([]byte{'a'}, size))
	conn, err := tls.DialWithDialer(c.dialer(), "tcp", c.g.proc.API(), c.tls("http/1.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The one that is taken would be an event: the last byte never comes.
	io.WriteString(conn, c.head("POST /v1/messages", "Content-Type: "+ctype, fmt.Sprintf("Content-Length: %d", len(body)), "Idempotency-Key: "+c.mark)+"\r\n")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		for at := 0; at < len(body)-1 && ctx.Err() == nil; at += step {
			if _, err := conn.Write(body[at:min(at+step, len(body)-1)]); err != nil {
				return
			}
			time.Sleep(pause)
		}
		conn.CloseWrite()
	}()
	b := make([]byte, 12)
	_, _ = io.ReadFull(conn, b)
	return strings.TrimPrefix(string(b), "HTTP/1.1 ")
}

// lawfulUpload brings 20 KiB a second for a minute: it is read to its end, which
// is a byte short.
func lawfulUpload(t *testing.T, c *caller) {
	if got := c.upload(t, 60*20<<10, 10<<10, 500*time.Millisecond); got != "400" {
		t.Errorf("a slow and lawful upload: %q, want 400 for its missing end", got)
	}
}

func unlawfulUpload(t *testing.T, c *caller) {
	if got := c.upload(t, 60*20<<10, 2<<10, 500*time.Millisecond); got != "408" {
		t.Errorf("an upload of 4 KiB a second: %q", got)
	}
}
