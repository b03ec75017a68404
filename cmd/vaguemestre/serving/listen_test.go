package serving

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shortDir: a name of a socket has 107 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// The socket is its owner's alone, and gone with its listener; nothing else is
// left in the folder.
func TestSocket(t *testing.T) {
	dir := shortDir(t)
	s, err := listenSocket(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	c, err := DialSocket(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	// Somebody answers: nobody takes its place.
	if _, err := listenSocket(t.Context(), dir); !errors.Is(err, ErrAnswered) {
		t.Errorf("a second one: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files left", len(left))
	}
}

// A socket that a crash left is replaced, and never erased by the one that was
// replaced.
func TestSocketStale(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, SocketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	s, err := listenSocket(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := listenSocket(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if c, err := DialSocket(t.Context(), dir); err != nil {
		t.Errorf("the other's socket was erased: %v", err)
	} else {
		c.Close()
	}
	other.Close()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(t.Context(), dir); !errors.Is(err, ErrNotSocket) {
		t.Errorf("a file of that name: %v", err)
	}
	long := filepath.Join(dir, strings.Repeat("x", maxSocketPath))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(t.Context(), long); !errors.Is(err, ErrLongPath) {
		t.Errorf("a long path: %v", err)
	}
}

// Beyond the limit callers wait; whoever leaves makes room.
func TestLimit(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner)
	l.slots = make(chan struct{}, 1)
	took := make(chan net.Conn, 2)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			took <- c
		}
	}()
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-took
	select {
	case <-took:
		t.Fatal("the second was taken beside the first")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	first.Close() // twice makes room once
	second := <-took
	l.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	second.Close()
}

// writeCertificate makes a certificate of this machine in a folder.
func writeCertificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("key.pem", "PRIVATE KEY", key)
	write("cert.pem", "CERTIFICATE", der)
	// Two writes within one tick of the disk's clock would look like one.
	at := time.Unix(1_700_000_000+serial, 0)
	if err := os.Chtimes(filepath.Join(dir, "cert.pem"), at, at); err != nil {
		t.Fatal(err)
	}
}

// HTTP/2 by TLS 1.2 at least; a certificate that is renewed is taken up, one
// that is spoilt leaves the last.
func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	cert := &certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), log: slog.New(slog.DiscardHandler)}
	if err := cert.load(); err != nil {
		t.Fatal(err)
	}
	p := &process{}
	p.Log, p.ended = cert.log, make(chan error, 1)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.add(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }), cert.hosts, cert)
	go func() { p.ended <- p.serves[0]() }()
	defer p.close()
	serial := func() int64 {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	writeCertificate(t, dir, 2)
	if got := serial(); got != 2 {
		t.Errorf("after a renewal: serial %d", got)
	}
	if err := os.WriteFile(cert.cert, []byte("spoilt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := serial(); got != 2 {
		t.Errorf("after a spoilt one: serial %d", got)
	}
	if _, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	weak := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}
	if _, err := tls.Dial("tcp", l.Addr().String(), weak); err == nil {
		t.Error("a cipher suite without authenticated encryption is spoken")
	}
	h := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	r, err := h.Get("https://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if b, _ := io.ReadAll(r.Body); string(b) != "HTTP/2.0" {
		t.Errorf("spoken: %s", b)
	}
}

// A certificate and its key are replaced one after the other, in either order:
// the pair in force serves until the new one is whole, and one that does not
// serve is complained of once.
func TestCertificateHalfRenewed(t *testing.T) {
	for _, first := range []string{"cert.pem", "key.pem"} {
		t.Run(first, func(t *testing.T) {
			dir, next := t.TempDir(), t.TempDir()
			writeCertificate(t, dir, 1)
			writeCertificate(t, next, 2)
			now := time.Now()
			said := &lockedBuffer{}
			c := &certificate{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), log: slog.New(slog.NewTextHandler(said, nil)), now: func() time.Time { return now }}
			serial := func() int64 {
				k, err := c.get(nil)
				if err != nil {
					t.Fatal(err)
				}
				return k.Leaf.SerialNumber.Int64()
			}
			if err := c.load(); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{first, map[string]string{"cert.pem": "key.pem", "key.pem": "cert.pem"}[first]} {
				for range 5 {
					if got := serial(); got != 1 {
						t.Fatalf("half renewed: serial %d", got)
					}
					now = now.Add(2 * retryRenewal)
				}
				if err := os.Rename(filepath.Join(next, name), filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			if got := serial(); got != 2 {
				t.Errorf("renewed: serial %d", got)
			}
			if n := strings.Count(said.String(), "kept"); n != 1 {
				t.Errorf("complained %d times", n)
			}
			if err := os.Remove(c.key); err != nil {
				t.Fatal(err)
			}
			if got := serial(); got != 2 {
				t.Errorf("without a key: serial %d", got)
			}
		})
	}
}

// A request is for a name of the certificate, and for the one that its
// connection was made to.
func TestCertificateHosts(t *testing.T) {
	leaf := &x509.Certificate{DNSNames: []string{"courrier.example", "autre.example"}, IPAddresses: []net.IP{net.IPv4(192, 0, 2, 1)}}
	c := &certificate{held: &tls.Certificate{Leaf: leaf}}
	for _, q := range []struct {
		sni, host string
		want      bool
	}{
		{"courrier.example", "courrier.example", true}, {"courrier.example", "COURRIER.example:8443", true}, {"", "192.0.2.1:8443", true}, {"", "courrier.example", true},
		{"courrier.example", "autre.example", false}, {"", "ailleurs.example", false}, {"", "192.0.2.2", false}, {"", "", false}, {"courrier.example", "", false},
		{"ailleurs.example", "ailleurs.example", false},
	} {
		if got := c.hosts(&http.Request{Host: q.host, TLS: &tls.ConnectionState{ServerName: q.sni}}); got != q.want {
			t.Errorf("SNI %q, Host %q: %v", q.sni, q.host, got)
		}
	}
}

// One address never takes the place of all others.
func TestLimitOfOneAddress(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner)
	took := make(chan net.Conn, 2*maxPerRemote)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			took <- c
		}
	}()
	defer l.Close()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Skipf("no second address of this machine: %v", err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var held []net.Conn
	for range maxPerRemote {
		dial("127.0.0.1")
		held = append(held, <-took)
	}
	over := dial("127.0.0.1")
	if err := over.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := over.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one too many: %v", err)
	}
	if n := l.refused.Load(); n != 1 {
		t.Errorf("%d refused", n)
	}
	dial("127.0.0.2")
	(<-took).Close()
	held[0].Close()
	dial("127.0.0.1")
	<-took // whoever leaves makes room
	for _, c := range held {
		c.Close()
	}
}
