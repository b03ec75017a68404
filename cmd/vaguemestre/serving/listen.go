package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// SocketName is the socket of a running broker in its data directory.
const SocketName = "admin.sock"

// Errors of the socket that ask for a decision.
var (
	// ErrAnswered: somebody serves this data directory already.
	ErrAnswered = errors.New("another process answers at admin.sock of this data directory")
	// ErrNotSocket: what has the name of the socket is none; it is not ours to
	// erase.
	ErrNotSocket = errors.New("admin.sock of this data directory is not a socket")
	// ErrLongPath: the system has no room for the name of the socket.
	ErrLongPath = errors.New("the path of the data directory is too long for a socket")
)

// maxSocketPath is sun_path of unix(7), less its final zero.
const maxSocketPath = 107

// dialTimeout is far above what a process on this machine needs to take a
// connection.
const dialTimeout = 2 * time.Second

// DialSocket connects to the running broker of a data directory.
func DialSocket(ctx context.Context, dir string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	return d.DialContext(ctx, "unix", filepath.Join(dir, SocketName))
}

// socket is DATA/admin.sock. Close removes it, unless it is another's by now.
type socket struct {
	net.Listener
	path string
	is   fs.FileInfo
}

// listenSocket makes the socket under another name, takes the rights of others
// away, and only then gives it its own: nobody finds it open, and one that a
// crash left is replaced at once.
func listenSocket(ctx context.Context, dir string) (*socket, error) {
	path := filepath.Join(dir, SocketName)
	if err := freeToTake(ctx, dir, path); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(dir, ".sock-*") // 0700
	if err != nil {
		return nil, fmt.Errorf("admin.sock: %w", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	if len(made) > maxSocketPath {
		return nil, ErrLongPath
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("admin.sock: %w", err)
	}
	l.SetUnlinkOnClose(false)
	s := &socket{Listener: l, path: path}
	err = os.Chmod(made, 0o600)
	if err == nil {
		s.is, err = os.Lstat(made)
	}
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("admin.sock: %w", err), l.Close())
	}
	return s, nil
}

// freeToTake looks whether the name of the socket may be taken.
func freeToTake(ctx context.Context, dir, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("admin.sock: %w", err)
	case info.Mode().Type() != fs.ModeSocket:
		return ErrNotSocket
	}
	if c, err := DialSocket(ctx, dir); err == nil {
		c.Close()
		return ErrAnswered
	}
	return nil
}

// Close implements net.Listener.
func (s *socket) Close() error {
	err := s.Listener.Close()
	if info, serr := os.Lstat(s.path); serr == nil && os.SameFile(info, s.is) {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// maxConnections is how many callers are heard at once on one listener; others
// wait in the system's queue.
const maxConnections = 1024

// limited is a listener that keeps to maxConnections.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once
}

func limit(l net.Listener) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, maxConnections), done: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &counted{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	release func()
}

func (c *counted) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// certificate reads the TLS certificate again when its file has changed: what
// renews it need not know this program. One that cannot be read leaves the last
// one in force.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu   sync.Mutex
	seen time.Time        // of the file; guarded by mu
	held *tls.Certificate // guarded by mu
}

func (c *certificate) load() error {
	info, err := os.Stat(c.cert)
	if err != nil {
		return fmt.Errorf("TLS certificate: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil && info.ModTime().Equal(c.seen) {
		return nil
	}
	k, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("TLS certificate: %w", err)
	}
	c.held, c.seen = &k, info.ModTime()
	return nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if err := c.load(); err != nil {
		c.log.Warn("the TLS certificate in force is kept", "error", err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held, nil
}

// tlsConfig asks for what ANSSI recommends: 1.3, or 1.2 with forward secrecy
// and authenticated encryption.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
