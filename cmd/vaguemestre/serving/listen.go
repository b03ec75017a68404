package serving

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
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
