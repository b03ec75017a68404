package httpattack

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// smuggled is what a smuggler hides behind a first request: an answer to it
// would be a second one.
func (c *caller) smuggled() string {
	return c.head("GET /v1/messages?"+c.mark+"=1") + "\r\n"
}

func bothLengths(t *testing.T, c *caller) {
	hidden := c.smuggled()
	for what, more := range map[string][]string{
		"length first":   {fmt.Sprintf("Content-Length: %d", 5+len(hidden)), "Transfer-Encoding: chunked"},
		"coding first":   {"Transfer-Encoding: chunked", fmt.Sprintf("Content-Length: %d", 5+len(hidden))},
		"coding in caps": {"Content-Length: 5", "Transfer-Encoding: CHUNKED"},
		"coding alone":   {"Transfer-Encoding: chunked"},
	} {
		c.wants(t, what, "411", c.raw(t, c.head("POST /v1/messages", append(more, "Content-Type: application/json", "Idempotency-Key: k")...)+"\r\n0\r\n\r\n"+hidden))
	}
	for what, coding := range map[string]string{"two codings": "chunked, identity", "another": "identity", "a tail": "chunked;q=1", "a tab": "\tchunked\x0b"} {
		got := c.raw(t, c.head("POST /v1/messages", "Content-Length: 5", "Transfer-Encoding: "+coding)+"\r\n0\r\n\r\n"+hidden)
		c.wants(t, what, strings.TrimPrefix(got[:min(len(got), 12)], "HTTP/1.1 "), got)
		if !strings.HasPrefix(got, "HTTP/1.1 501 ") && !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("%s: %.100q", what, got)
		}
	}
	// HTTP/1.0 has no codings: what follows is not looked at.
	old := strings.Replace(c.head("GET /v1/messages", "Connection: keep-alive", "Content-Length: 0", "Transfer-Encoding: chunked"), "HTTP/1.1", "HTTP/1.0", 1)
	c.tries.Add(1)
	if got := c.raw(t, old+"\r\n"+hidden); strings.Count(got, "HTTP/1.") != 1 {
		t.Errorf("HTTP/1.0: %.300q", got)
	} else {
		c.refused.Add(1)
	}
}

func twoLengths(t *testing.T, c *caller) {
	for what, more := range map[string][]string{
		"differing": {"Content-Length: 0", "Content-Length: 7"}, "a list": {"Content-Length: 0, 7"}, "signed": {"Content-Length: +7"},
		"hexadecimal": {"Content-Length: 0x7"}, "negative": {"Content-Length: -1"}, "huge": {"Content-Length: 99999999999999999999"},
		"a space before the colon": {"Content-Length : 7"}, "a list of equals": {"Content-Length: 7, 7"},
	} {
		c.wants(t, what, "400", c.raw(t, c.head("POST /v1/messages", more...)+"\r\n"+c.smuggled()))
	}
}

func bareLF(t *testing.T, c *caller) {
	for what, body := range map[string]string{
		"LF after the size": "5\nabcde\r\n0\r\n\r\n", "LF after the data": "5\r\nabcde\n0\r\n\r\n", "LF in an extension": "5;" + c.mark + "\n0\r\n\r\n", "CR alone": "5\rabcde\r0\r\r",
	} {
		c.wants(t, what, "411", c.raw(t, c.head("POST /v1/messages", "Transfer-Encoding: chunked", "Content-Type: application/json", "Idempotency-Key: k")+"\r\n"+body+c.smuggled()))
	}
}

func folded(t *testing.T, c *caller) {
	for what, h := range map[string]struct{ status, text string }{
		"a coding":       {"411", c.head("POST /v1/messages", "Transfer-Encoding:\r\n chunked")},
		"a length":       {"400", c.head("POST /v1/messages", "Content-Length: 1\r\n 0")},
		"the key":        {"400", c.head("POST /v1/messages", "Content-Type: application/json", "Content-Length: 0", "Idempotency-Key: a\r\n "+c.mark, "Connection: close")},
		"the Host":       {"400", "GET /v1/messages HTTP/1.1\r\nHost: " + name + "\r\n " + c.mark + "\r\n"},
		"before the 1st": {"400", "GET /v1/messages HTTP/1.1\r\n " + c.mark + ": x\r\nHost: " + name + "\r\n"},
	} {
		c.wants(t, what, h.status, c.raw(t, h.text+"\r\n"+c.smuggled()))
	}
}

func longHeader(t *testing.T, c *caller) {
	long := strings.Repeat("a", 1<<20)
	for what, h := range map[string]string{
		"one value": c.head("GET /v1/messages", "X-"+c.mark+": "+long), "a path": c.head("GET /v1/" + long),
		"many": c.head("GET /v1/messages", strings.Repeat("X-"+c.mark+": 1\r\n", 30_000)+"X: 1"),
	} {
		conn := c.dial(t)
		go io.WriteString(conn, h+"\r\n") // it is cut: the answer tells
		b, _ := io.ReadAll(conn)
		c.wants(t, what, "431", string(b))
	}
	q := c.request(t, "GET", "/v1/messages", nil)
	q.Header.Set("X-"+c.mark, long)
	h2 := c.client()
	h2.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	c.tries.Add(1)
	if status, _, _, err := c.call(h2, q); err == nil && status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("HTTP/2: %d", status)
	} else {
		c.refused.Add(1)
	}
}

// post sends a body to /v1/messages, and wants a status and a code.
func (c *caller) post(t *testing.T, what string, header map[string]string, body io.Reader, status int, code string) {
	t.Helper()
	q := c.request(t, "POST", "/v1/messages", body)
	q.Header.Set("Idempotency-Key", c.mark)
	for k, v := range header {
		q.Header.Set(k, v)
	}
	c.tries.Add(1)
	got, _, b, err := c.call(c.client(), q)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) { // it was told before it had said all
		c.refused.Add(1)
		return
	}
	if err != nil || got != status || !strings.Contains(string(b), `"code":"`+code+`"`) || strings.Contains(string(b), c.mark) {
		t.Errorf("%s: %d, %v, want %d %s: %.300s", what, got, err, status, code, b)
		return
	}
	c.refused.Add(1)
}

func gzipBomb(t *testing.T, c *caller) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	for range 64 {
		z.Write(make([]byte, 1<<20))
	}
	z.Close()
	for _, coding := range []string{"gzip", "deflate", "br", "identity", c.mark} {
		c.post(t, coding, map[string]string{"Content-Type": "application/json", "Content-Encoding": coding}, bytes.NewReader(b.Bytes()), 415, "media_type")
	}
	body, ctype := form(t, b.Bytes())
	body = bytes.Replace(body, []byte("Content-Type: application/octet-stream"), []byte("Content-Transfer-Encoding: gzip"), 1)
	c.post(t, "a part", map[string]string{"Content-Type": ctype}, bytes.NewReader(body), 415, "media_type")
}

func longBody(t *testing.T, c *caller) {
	// Not a byte of them is sent: the declared length is judged.
	for what, h := range map[string][]string{
		"JSON": {"Content-Type: application/json", "Content-Length: 104857600"}, "a form": {"Content-Type: multipart/form-data; boundary=x", "Content-Length: 10000000000"},
	} {
		got := c.raw(t, c.head("POST /v1/messages", append(h, "Idempotency-Key: k", "Connection: close")...)+"\r\n")
		c.wants(t, what, "413", got)
	}
	c.wants(t, "an act", "413", c.raw(t, c.head("POST /v1/messages/"+c.g.big+"/acts", "Content-Type: application/json", "Content-Length: 104857600", "Connection: close")+"\r\n"))
}

func manyParts(t *testing.T, c *caller) {
	whole, ctype := form(t, []byte("%PDF-1.4"))
	boundary := ctype[strings.Index(ctype, "=")+1:]
	end := []byte("\r\n--" + boundary + "--\r\n")
	cut := bytes.LastIndex(whole, end)
	part := "\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"piece\"; filename=\"" + c.mark + "\"\r\n\r\nx"
	c.post(t, "10,000 parts", map[string]string{"Content-Type": ctype}, io.MultiReader(bytes.NewReader([]byte(string(whole[:cut])+strings.Repeat(part, 10_000)+string(end)))), 411, "length_required")
	c.post(t, "10,000 parts, declared", map[string]string{"Content-Type": ctype}, strings.NewReader(string(whole[:cut])+strings.Repeat(part, 10_000)+string(end)), 422, "pieces_mismatch")
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for range 10_000 {
		p, _ := w.CreateFormFile(c.mark, c.mark)
		p.Write([]byte("x"))
	}
	w.Close()
	c.post(t, "10,000 others", map[string]string{"Content-Type": w.FormDataContentType()}, bytes.NewReader(b.Bytes()), 422, "pieces_mismatch")
	header := strings.Replace(part, "\r\n\r\nx", "\r\nX-A: "+strings.Repeat("a", 12<<20)+"\r\n\r\nx", 1)
	c.post(t, "a part's header of 12 MiB", map[string]string{"Content-Type": ctype}, strings.NewReader(string(whole[:cut])+header+string(end)), 400, "upload_cut")
}
