package httpattack

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Frames of HTTP/2 (RFC 9113 section 6), and header fields (RFC 7541) as no
// client writes them.
const (
	frameHeaders      = 1
	frameReset        = 3
	frameSettings     = 4
	frameContinuation = 9

	flagEnd        = 1
	flagEndHeaders = 4
)

func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := make([]byte, 9, 9+len(payload))
	b[0], b[1], b[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	b[3], b[4] = kind, flags
	binary.BigEndian.PutUint32(b[5:], stream)
	return append(b, payload...)
}

// field is a literal header field without indexing.
func field(key, value string) []byte {
	text := func(s string) []byte {
		n := len(s)
		if n < 127 {
			return append([]byte{byte(n)}, s...)
		}
		b := []byte{127}
		for n -= 127; n >= 128; n >>= 7 {
			b = append(b, byte(n)|128)
		}
		return append(append(b, byte(n)), s...)
	}
	return append(append([]byte{0}, text(key)...), text(value)...)
}

// asking is the block of a request.
func (c *caller) asking() []byte {
	b := append(field(":method", "GET"), field(":scheme", "https")...)
	b = append(b, field(":authority", name)...)
	return append(b, field(":path", "/v1/messages")...)
}

// flood begins HTTP/2, then sends what next gives until the server has enough;
// it says how much was sent.
func (c *caller) flood(t *testing.T, most int, next func(i int) []byte) (sent int, cut bool) {
	t.Helper()
	conn := c.dial(t, "h2")
	if p := conn.ConnectionState().NegotiatedProtocol; p != "h2" {
		t.Fatalf("spoken: %q", p)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, conn) // until the server ends it
	}()
	begin := append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...)
	if _, err := conn.Write(begin); err != nil {
		t.Fatal(err)
	}
	for sent < most {
		select {
		case <-gone:
			return sent, true
		default:
		}
		if _, err := conn.Write(next(sent)); err != nil {
			return sent, true
		}
		sent++
	}
	return sent, false
}

// rapidReset opens and resets streams as fast as it can. What it starts is
// bounded: the calls in course, and the memory that is looked at in the end.
func rapidReset(t *testing.T, c *caller) {
	block := c.asking()
	for range 3 {
		top := 0.0
		sent, cut := c.flood(t, 50_000, func(i int) []byte {
			if i%5000 == 0 {
				top = max(top, c.g.metric(t, "vaguemestre_http_calls"))
			}
			id := uint32(2*i + 1)
			return append(frame(frameHeaders, flagEnd|flagEndHeaders, id, block), frame(frameReset, 0, id, []byte{0, 0, 0, 8})...)
		})
		c.tries.Add(int64(sent))
		c.refused.Add(int64(sent)) // none was answered
		if top > 200 {
			t.Errorf("%.0f calls at once", top)
		}
		t.Logf("%d resets, %.0f calls at once at most, connection ended: %v", sent, top, cut)
	}
}

// continuation never ends a list of headers.
func continuation(t *testing.T, c *caller) {
	for what, payload := range map[string][]byte{
		"large": field("x-"+strings.ToLower(c.mark), strings.Repeat("a", 16_000)), "small": field("x", "y"), "empty": nil,
	} {
		c.tries.Add(1)
		sent, cut := c.flood(t, 200_000, func(i int) []byte {
			if i == 0 {
				return frame(frameHeaders, flagEnd, 1, c.asking())
			}
			return frame(frameContinuation, 0, 1, payload)
		})
		t.Logf("%s: %d frames until the end", what, sent)
		if !cut && what != "empty" { // those cost nothing: nothing of them is kept
			t.Errorf("%s: %d frames were taken", what, sent)
			continue
		}
		c.refused.Add(1)
	}
}

// maxMemory is far above what a broker needs, in KiB.
const maxMemory = 512 << 10

// memory is what the process holds for itself, and holds it to a bound.
func (g *ground) memory(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.proc.Cmd.Process.Pid))
	if err != nil {
		return "unknown: this system has no /proc"
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil || kib > maxMemory {
				t.Errorf("RssAnon %s, %v", rest, err)
			}
			return fmt.Sprintf("%d MiB", kib>>10)
		}
	}
	return "unknown"
}
