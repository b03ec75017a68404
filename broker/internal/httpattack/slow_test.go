package httpattack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// drip writes one byte after the other until it cannot.
func drip(w io.Writer, text string, pause time.Duration) {
	for i := range len(text) {
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

// ended counts one try, and wants the server to end the connection.
func (c *caller) ended(t *testing.T, what string, conn net.Conn) {
	t.Helper()
	c.tries.Add(1)
	if err := conn.SetReadDeadline(time.Now().Add(patience / 2)); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Errorf("%s: it was waited for", what)
		return
	}
	if strings.HasPrefix(string(b), "HTTP/1.1 2") {
		t.Errorf("%s: %.100q", what, b)
		return
	}
	c.refused.Add(1)
}

func slowHeaders(t *testing.T, c *caller) {
	var all sync.WaitGroup
	for i := range 20 {
		conn := c.dial(t)
		go drip(conn, c.head("GET /v1/messages", "X-"+c.mark+": "+strings.Repeat("a", 1000)), 300*time.Millisecond)
		all.Go(func() { c.ended(t, fmt.Sprintf("slow headers %d", i), conn) })
	}
	// The same before TLS has begun, and with half of it.
	for _, text := range []string{"", "\x16\x03\x01\x02\x00\x01"} {
		conn, err := c.dialer().Dial("tcp", c.g.proc.API())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		go drip(conn, text, 300*time.Millisecond)
		all.Go(func() { c.ended(t, "TLS", conn) })
	}
	all.Wait()
}

func slowBody(t *testing.T, c *caller) {
	whole, ctype := form(t, make([]byte, 4<<20))
	small := c.head("POST /v1/messages", "Content-Type: application/json", "Content-Length: 100000", "Idempotency-Key: k") + "\r\n"
	large := c.head("POST /v1/messages", "Content-Type: "+ctype, fmt.Sprintf("Content-Length: %d", len(whole)), "Idempotency-Key: k") + "\r\n"
	var all sync.WaitGroup
	for what, send := range map[string]func(io.Writer){
		"a small one, dripping":      func(w io.Writer) { io.WriteString(w, small); drip(w, strings.Repeat(" ", 1000), 300*time.Millisecond) },
		"a small one, standing":      func(w io.Writer) { io.WriteString(w, small+`{"kind":"`+c.mark) },
		"an upload, standing still":  func(w io.Writer) { io.WriteString(w, large); w.Write(whole[:100_000]) },
		"an upload of its head only": func(w io.Writer) { io.WriteString(w, large) },
	} {
		for range 5 {
			conn := c.dial(t)
			go send(conn)
			all.Go(func() {
				b, err := io.ReadAll(conn)
				if err != nil {
					c.tries.Add(1)
					t.Errorf("%s: %v", what, err)
					return
				}
				c.wants(t, what, "408", string(b))
			})
		}
	}
	all.Wait()
}

func slowRead(t *testing.T, c *caller) {
	d := c.dialer()
	d.Control = func(_, _ string, raw syscall.RawConn) error {
		var err error
		return firstOf(raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) }), &err)
	}
	const readers = 5
	for range readers {
		conn, err := d.Dial("tcp", c.g.proc.API())
		if err != nil {
			t.Fatal(err)
		}
		secure := c.over(conn)
		defer secure.Close()
		if _, err := io.WriteString(secure, c.head("GET /v1/messages/"+c.g.big+"/pieces/1")+"\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	// They take nothing at all until the broker has given up.
	within(t, patience, "the end of the calls", func() bool { return len(c.g.served()) == readers })
	for _, n := range c.g.served() {
		c.tries.Add(1)
		if n >= bigSize {
			t.Errorf("a caller that took nothing was served %d bytes", n)
			continue
		}
		c.refused.Add(1)
	}
}

// served lists how many bytes of the piece each call for it was answered with.
func (g *ground) served() (bytes []int64) {
	for line := range strings.Lines(g.log.String()) {
		var said struct {
			Route  string
			Status int
			Bytes  int64
		}
		if json.Unmarshal([]byte(line), &said) == nil && strings.HasSuffix(said.Route, "/pieces/{n}") && said.Status == 200 {
			bytes = append(bytes, said.Bytes)
		}
	}
	return bytes
}

func firstOf(err error, other *error) error {
	if err != nil {
		return err
	}
	return *other
}

// idle opens as many connections as the attack is named for, if this process
// may, and wants others to be served beside them.
func idle(t *testing.T, c *caller) {
	most := 10_000
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	most = min(most, int(l.Cur)-2000)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var conns []net.Conn
	for range most {
		conn, err := c.dialer().DialContext(ctx, "tcp", c.g.proc.API())
		if err != nil {
			continue // refused before it began
		}
		conns = append(conns, conn)
	}
	other := &caller{g: c.g, from: "127.77.1.36"}
	other.alive(t)
	within(t, patience, "most of them refused", func() bool { return c.g.metric(t, "vaguemestre_connections_refused_total") > float64(len(conns)/2) })
	for _, conn := range conns {
		if !t.Failed() { // one is enough
			c.ended(t, "idle", conn)
		}
		conn.Close()
	}
	t.Logf("%d connections at once", len(conns))
}
