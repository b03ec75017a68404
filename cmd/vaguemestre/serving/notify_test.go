package serving

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// systemd is told, and gets a sign of life while, and only while, the committer
// answers.
func TestSupervisor(t *testing.T) {
	path := filepath.Join(shortDir(t), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan string)
	go func() {
		for b := make([]byte, 64); ; {
			n, err := l.Read(b)
			if err != nil {
				close(heard)
				return
			}
			heard <- string(b[:n])
		}
	}()
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "20000"}
	s := supervisorOf(func(k string) string { return env[k] })
	if s.watchdog != 20*time.Millisecond {
		t.Fatalf("watchdog %v", s.watchdog)
	}
	go s.tell("READY=1")
	if got := <-heard; got != "READY=1" {
		t.Errorf("heard %q", got)
	}
	var dead atomic.Bool
	missed := make(chan error, 100)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.watch(ctx, func(context.Context) error {
			if dead.Load() {
				return errors.New("no answer")
			}
			return nil
		}, func(err error) { missed <- err })
	}()
	for range 3 {
		if got := <-heard; got != "WATCHDOG=1" {
			t.Errorf("heard %q", got)
		}
	}
	dead.Store(true)
	for range 2 { // one may have been on its way
		select {
		case <-heard:
		case <-missed:
		}
	}
	for range 3 {
		select {
		case got := <-heard:
			t.Errorf("heard %q of a committer that does not answer", got)
		case <-missed:
		}
	}
	cancel()
	<-ended
}

func TestNoSupervisor(t *testing.T) {
	env := map[string]string{"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "20000", "WATCHDOG_PID": "1"}
	if s := supervisorOf(func(k string) string { return env[k] }); s.watchdog != 0 || s.socket == "" {
		t.Errorf("another process is watched: %+v", s)
	}
	var nobody supervisor
	if err := nobody.tell("READY=1"); err != nil {
		t.Error(err)
	}
	if s := (supervisor{socket: "/nowhere/at/all"}); s.tell("READY=1") == nil {
		t.Error("told to nobody")
	}
}
