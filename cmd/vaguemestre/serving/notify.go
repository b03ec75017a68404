package serving

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// supervisor is systemd, when it started this process (sd_notify(3)). Its zero
// value is nobody.
type supervisor struct {
	socket   string
	watchdog time.Duration // it wants a sign of life within; 0: it does not ask
}

// supervisorOf reads the environment of the process.
func supervisorOf(getenv func(string) string) supervisor {
	s := supervisor{socket: getenv("NOTIFY_SOCKET")}
	if pid := getenv("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return s
	}
	if us, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && us > 0 && s.socket != "" {
		s.watchdog = time.Duration(us) * time.Microsecond
	}
	return s
}

// tell sends one state. A name that begins with @ is of the abstract space.
func (s supervisor) tell(state string) error {
	if s.socket == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling systemd: %w", err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("telling systemd: %w", err)
	}
	return nil
}

// watch gives a sign of life as often as it is wanted, while beat answers. It
// returns when the context ends.
func (s supervisor) watch(ctx context.Context, beat func(context.Context) error, failed func(error)) {
	if s.watchdog == 0 {
		return
	}
	t := time.NewTicker(s.watchdog / 2)
	defer t.Stop()
	for {
		within, cancel := context.WithTimeout(ctx, s.watchdog/2)
		err := beat(within)
		cancel()
		if err == nil {
			err = s.tell("WATCHDOG=1")
		}
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}
