package httpapi_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// raw opens a connection and writes the head of a submission.
func (tn *town) raw(ctype string, size int) net.Conn {
	tn.t.Helper()
	c, err := net.Dial("tcp", tn.servers[nord].Listener.Addr().String())
	if err != nil {
		tn.t.Fatal(err)
	}
	_, err = fmt.Fprintf(c, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nIdempotency-Key: raw\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", tn.secrets[ase], ctype, size)
	if err != nil {
		tn.t.Fatal(err)
	}
	return c
}

func (tn *town) finished(n int) func() bool {
	return func() bool { return strings.Count(tn.logs.String(), `"msg":"request"`) >= n }
}

// An upload that is cut, wherever it is, leaves nothing, and its key serves
// again.
func TestCutUpload(t *testing.T) {
	tn := newTown(t, nil)
	e, _ := alert(t)
	pdf := bigPiece(300_000)
	whole, ctype := form(t, e, pdf)
	text := whole.Bytes()
	before := tn.kept(nord)
	cuts := []int{1, 200, len(text) / 2, len(text) - 100, len(text) - 3}
	for i, at := range cuts {
		c := tn.raw(ctype, len(text))
		if _, err := c.Write(text[:at]); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of the request", tn.finished(i+1))
		if after := tn.kept(nord); after != before {
			t.Errorf("cut after %d of %d bytes: left %+v, want %+v", at, len(text), after, before)
		}
	}
	if a := tn.send(ase, "raw", e, pdf); a.Repeated {
		t.Error("a cut upload used the key up")
	}
}

// An upload that is slow as a whole and goes on is taken; one that brings
// nothing is given up.
func TestSlowUpload(t *testing.T) {
	idle := time.Second
	tn := newTown(t, nil)
	tn.servers[nord].Close()
	tn.servers[nord] = serve(httpapi.ServerPaced(tn.apis[nord].Public(), idle, idle, 100))
	e, _ := alert(t)
	whole, ctype := form(t, e, bigPiece(2000))
	text := whole.Bytes()
	c := tn.raw(ctype, len(text))
	defer c.Close()
	step := len(text)/40 + 1
	began := time.Now()
	for i := 0; i < len(text); i += step {
		time.Sleep(idle / 13)
		if _, err := c.Write(text[i:min(i+step, len(text))]); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 2*idle {
		t.Fatalf("the test is not slow: %s", took)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("a slow upload: %d", resp.StatusCode)
	}

	before := tn.kept(nord)
	c2 := tn.raw(ctype, len(text)+1000)
	defer c2.Close()
	if _, err := c2.Write(text[:len(text)/2]); err != nil {
		t.Fatal(err)
	}
	resp, err = http.ReadResponse(bufio.NewReader(c2), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("an upload that stands still: %d", resp.StatusCode)
	}
	after := tn.kept(nord)
	if after.others = before.others; after != before { // the slow one is being delivered meanwhile
		t.Errorf("left %+v, want %+v", after, before)
	}
}

// pages is a piece of any size, made as it is read.
type pages struct {
	left int64
	sum  hash.Hash
	at   byte
}

func (p *pages) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := int(min(p.left, int64(len(b))))
	for i := range n {
		b[i] = p.at
		p.at = p.at*31 + 7
	}
	p.sum.Write(b[:n])
	p.left -= int64(n)
	return n, nil
}

// heap samples how much memory is in use until it is stopped.
func heap() (peak func() uint64) {
	var top atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			top.Store(max(top.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return top.Load()
	}
}

// A large piece goes up and down in bounded memory, client and both brokers in
// one process, and nothing is buffered whole anywhere. Package load does it with
// 100 MB and the process of `serve`.
func TestLargePiece(t *testing.T) {
	if testing.Short() {
		t.Skip("tens of MB: not with -short")
	}
	const size, bound = 32 << 20, 24 << 20
	tn := newTown(t, nil)
	e, _ := alert(t)
	frame, ctype := form(t, e, []byte("@@PIECE@@"))
	head, tail, _ := strings.Cut(frame.String(), "@@PIECE@@")
	piece := &pages{left: size, sum: sha256.New()}
	runtime.GC()
	peak := heap()
	a := tn.as(ase, request{
		method: "POST", path: "/v1/messages", size: int64(len(head)) + size + int64(len(tail)),
		body:   io.MultiReader(strings.NewReader(head), piece, strings.NewReader(tail)),
		header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "large"},
	})
	var r receipt
	a.into(t, http.StatusCreated, &r)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)

	q, err := http.NewRequest("GET", tn.servers[justice].URL+"/v1/messages/"+r.ID+"/pieces/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+tn.secrets[parquet])
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	if err != nil || n != size || !bytes.Equal(sum.Sum(nil), piece.sum.Sum(nil)) {
		t.Errorf("%d bytes came down, %v", n, err)
	}
	if want := `"` + hex.EncodeToString(sum.Sum(nil)) + `"`; resp.Header.Get("ETag") != want {
		t.Errorf("ETag %s, want %s", resp.Header.Get("ETag"), want)
	}
	top := peak()
	t.Logf("peak of the heap: %d MB", top>>20)
	if top > bound {
		t.Errorf("the heap reached %d MB, want at most %d", top>>20, bound>>20)
	}
}

// The same over TLS with HTTP/2, where deadlines are those of a stream.
func TestHTTP2(t *testing.T) {
	tn := newTown(t, nil)
	s := httptest.NewUnstartedServer(nil)
	s.Config = httpapi.Server(tn.apis[nord].Public(), nil, nil)
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	e, _ := alert(t)
	pdf := bigPiece(300_000)
	body, ctype := form(t, e, pdf)
	a := call(t, s, request{method: "POST", path: "/v1/messages", body: body, token: tn.secrets[ase], header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "h2"}})
	var r receipt
	a.into(t, http.StatusCreated, &r)
	a = call(t, s, request{method: "GET", path: "/v1/messages/" + r.ID + "/pieces/1", token: tn.secrets[ase]})
	if !bytes.Equal(a.body, pdf) {
		t.Errorf("the piece came back as %d bytes", len(a.body))
	}
	q, err := http.NewRequestWithContext(context.Background(), "GET", s.URL+"/v1/kinds", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Errorf("HTTP/%d", resp.ProtoMajor)
	}
	large := map[string]string{"X-Large": strings.Repeat("a", 40<<10)}
	if a := call1(s, large); a != http.StatusRequestHeaderFieldsTooLarge && a != 0 {
		t.Errorf("a header of 40 KiB: %d", a)
	}
}

// call1 is a bare request: its status, 0 when the connection was refused.
func call1(s *httptest.Server, header map[string]string) int {
	q, err := http.NewRequest("GET", s.URL+"/v1/kinds", nil)
	if err != nil {
		return -1
	}
	for k, v := range header {
		q.Header.Set(k, v)
	}
	resp, err := s.Client().Do(q)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// A token that is revoked while its upload is still coming deposits nothing:
// whoever stole it could otherwise keep uploads open, as slow as they like, and
// deposit days after its end.
func TestRevokedWhileUploading(t *testing.T) {
	tn := newTown(t, nil)
	e, pdf := alert(t)
	body, ctype := form(t, e, pdf)
	text := body.Bytes()
	tn.secrets[ase] = tn.token(ase, broker.RightSend)
	digest, err := httpapi.ParseToken(tn.secrets[ase])
	if err != nil {
		t.Fatal(err)
	}
	c := tn.raw(ctype, len(text))
	defer c.Close()
	half := len(text) - len(pdf) // the message is whole, the piece is coming
	if _, err := c.Write(text[:half]); err != nil {
		t.Fatal(err)
	}
	if err := tn.at(ase).RevokeToken(t.Context(), digest); err != nil {
		t.Fatal(err)
	}
	before := tn.kept(nord)
	if _, err := c.Write(text[half:]); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the upload of a revoked token: %d", resp.StatusCode)
	}
	if after := tn.kept(nord); after != before {
		t.Errorf("left %+v, want %+v", after, before)
	}
}
