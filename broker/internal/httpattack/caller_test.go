package httpattack

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// caller is who attacks, from an address of its own.
type caller struct {
	g       *ground
	from    string
	mark    string       // what its texts carry
	tries   atomic.Int64 // of the attack
	refused atomic.Int64
}

func (c *caller) dialer() *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}, Timeout: patience}
}

func (c *caller) tls(next ...string) *tls.Config {
	return &tls.Config{RootCAs: c.g.roots, ServerName: name, NextProtos: next}
}

// dial opens a connection and begins TLS.
func (c *caller) dial(t *testing.T, next ...string) *tls.Conn {
	t.Helper()
	if next == nil {
		next = []string{"http/1.1"}
	}
	conn, err := tls.DialWithDialer(c.dialer(), "tcp", c.g.proc.API(), c.tls(next...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// raw sends a text on a connection of its own, and gives what comes back until
// the server ends it.
func (c *caller) raw(t *testing.T, text string) string {
	t.Helper()
	if t.Failed() {
		t.SkipNow() // one is enough; it stays failed
	}
	conn := c.dial(t)
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil && len(b) == 0 {
		t.Errorf("no answer: %v", err)
	}
	return string(b)
}

// wants counts one try, and wants one answer with that status and no other
// after it.
func (c *caller) wants(t *testing.T, what, status, got string) {
	t.Helper()
	c.tries.Add(1)
	if !strings.HasPrefix(got, "HTTP/1.1 "+status+" ") || strings.Count(got, "HTTP/1.") != 1 || strings.Contains(got, c.mark) {
		t.Errorf("%s: want %s alone, got %.400q", what, status, got)
		return
	}
	c.refused.Add(1)
}

// head is the beginning of a request of an application.
func (c *caller) head(line string, more ...string) string {
	h := line + " HTTP/1.1\r\nHost: " + name + "\r\nAuthorization: Bearer " + c.g.token + "\r\n"
	for _, m := range more {
		h += m + "\r\n"
	}
	return h
}

// client is a lawful program at that address.
func (c *caller) client() *http.Client {
	return &http.Client{Timeout: ample, Transport: &http.Transport{
		DialContext: c.dialer().DialContext, TLSClientConfig: c.tls(), DisableKeepAlives: true,
	}}
}

// call makes one lawful call; the body of its answer is read.
func (c *caller) call(client *http.Client, q *http.Request) (int, http.Header, []byte, error) {
	r, err := client.Do(q)
	if err != nil {
		return 0, nil, nil, err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return r.StatusCode, r.Header, b, err
}

func (c *caller) request(t *testing.T, method, path string, body io.Reader) *http.Request {
	t.Helper()
	q, err := http.NewRequest(method, "https://"+c.g.proc.API()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	q.Host = name
	q.Header.Set("Authorization", "Bearer "+c.g.token)
	return q
}

// alive wants the broker to answer a lawful caller.
func (c *caller) alive(t *testing.T) {
	t.Helper()
	status, _, _, err := c.call(c.client(), c.request(t, "GET", "/v1/messages", nil))
	if err != nil || status != http.StatusOK {
		t.Errorf("a lawful caller: %d, %v", status, err)
	}
}

// submit sends a lawful pli with a piece of that size, and gives its id.
func (c *caller) submit(t *testing.T, key string, size int) string {
	t.Helper()
	body, ctype := form(t, bytes.Repeat([]byte("%PDF-1.4 fictif "), size/16))
	q := c.request(t, "POST", "/v1/messages", bytes.NewReader(body))
	q.Header.Set("Content-Type", ctype)
	q.Header.Set("Idempotency-Key", key)
	status, _, b, err := c.call(c.client(), q)
	var r struct{ ID string }
	if err != nil || status != http.StatusCreated || json.Unmarshal(b, &r) != nil {
		t.Fatalf("a lawful submission: %d, %v: %.300s", status, err, b)
	}
	return r.ID
}

// attack is one named attack.
type attack struct {
	number int
	name   string // of the subtest, its number included
	play   func(t *testing.T, c *caller)
}

func (a attack) String() string { return a.name }

// TestServed plays all attacks at once, and the settings beside them; then the
// process is ended as no process should be.
func TestServed(t *testing.T) {
	g := newGround(t)
	began := time.Now()
	list := attacks()
	callers := map[int]*caller{}
	for _, a := range list {
		callers[a.number] = &caller{g: g, from: fmt.Sprintf("127.77.0.%d", a.number), mark: fmt.Sprintf("%s-%d", sentinel, a.number)}
	}
	t.Run("all", func(t *testing.T) {
		for _, a := range list {
			t.Run(a.String(), func(t *testing.T) {
				t.Parallel()
				c := callers[a.number]
				a.play(t, c)
				c.alive(t)
			})
		}
		for i, s := range settings() {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				if s.long && os.Getenv(long) == "" {
					t.Skip("it takes half a minute: " + long + "=1")
				}
				s.hold(t, &caller{g: g, from: fmt.Sprintf("127.77.2.%d", i+1), mark: fmt.Sprintf("%s-S%d", sentinel, i)})
			})
		}
	})
	g.still(t)
	if now := g.keeps(t); now != g.kept {
		t.Errorf("kept: %s\nbefore: %s", now, g.kept)
	}
	g.clean(t)
	(&caller{g: g, from: "127.77.1.1"}).submit(t, "apres", 1600)
	var tries, refused int64
	for _, a := range list {
		c := callers[a.number]
		tries, refused = tries+c.tries.Load(), refused+c.refused.Load()
		t.Logf("%-28s %6d tries %6d refused", a, c.tries.Load(), c.refused.Load())
	}
	t.Logf("%d attacks, %d tries, %d refused, memory %s, %.1f s", len(list), tries, refused, g.memory(t), time.Since(began).Seconds())
	g.stop(t)
	if t.Run("no_core", g.noCore); os.Getenv(program) == "" {
		t.Run("locked", g.locked)
	}
}

func attacks() []attack {
	return []attack{
		{28, "28_CL_and_TE", bothLengths}, {29, "29_two_lengths", twoLengths}, {30, "30_bare_LF_in_chunks", bareLF}, {31, "31_folded_header", folded},
		{32, "32_1_MiB_header", longHeader}, {33, "33_slow_headers", slowHeaders}, {34, "34_slow_body", slowBody}, {35, "35_slow_read", slowRead},
		{36, "36_10000_idle", idle}, {37, "37_rapid_reset", rapidReset}, {38, "38_CONTINUATION_flood", continuation}, {39, "39_gzip_body_bomb", gzipBomb},
		{40, "40_100_MiB_body", longBody}, {41, "41_10000_parts", manyParts}, {42, "42_Host_spoof", hostSpoof}, {43, "43_X_Forwarded_For_spoof", forwardedSpoof},
		{44, "44_TRACE", trace}, {45, "45_encoded_traversal", traversal}, {46, "46_TLS_1_0_and_1_1", oldTLS}, {47, "47_foreign_CA", foreignCA},
		{48, "48_expired_client_certificate", expiredClient}, {49, "49_SNI_not_Host", otherSNI}, {64, "64_DNS_rebinding", rebinding},
	}
}
