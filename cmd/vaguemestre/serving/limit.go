package serving

import (
	"net"
	"sync"
	"sync/atomic"

	"vaguemestre/adapters/httpapi"
)

// Limits of one listener. No value turns one off.
const (
	// maxConnections is how many callers are heard at once; others wait in the
	// system's queue.
	maxConnections = 1024
	// maxPerRemote is how many of them come from one address (httpapi.Remote);
	// what is beyond is closed at once, so that one caller never takes the
	// place of all others. A proxy before this broker is one caller.
	maxPerRemote = 256
)

// limited is a listener that keeps to these limits.
type limited struct {
	net.Listener
	slots chan struct{}
	done  chan struct{}
	once  sync.Once

	refused atomic.Uint64 // connections beyond maxPerRemote

	mu   sync.Mutex
	each map[string]int // connections by address; guarded by mu
}

func limit(l net.Listener) *limited {
	return &limited{Listener: l, slots: make(chan struct{}, maxConnections), done: make(chan struct{}), each: map[string]int{}}
}

func (l *limited) Accept() (net.Conn, error) {
	for {
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
		who := httpapi.Remote(c.RemoteAddr().String())
		if l.enter(who) {
			return &counted{Conn: c, release: sync.OnceFunc(func() { l.leave(who); <-l.slots })}, nil
		}
		l.refused.Add(1)
		_ = c.Close() // it is refused: how it ends is its own concern
		<-l.slots
	}
}

// enter counts a connection; false when its address has enough. The socket of
// this machine has no addresses.
func (l *limited) enter(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if who != "" && l.each[who] >= maxPerRemote {
		return false
	}
	l.each[who]++
	return true
}

func (l *limited) leave(who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.each[who]--; l.each[who] == 0 {
		delete(l.each, who)
	}
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
