package load

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// footprint is what the system says of a process, in bytes.
type footprint struct {
	anon int64 // RssAnon: its own memory
	peak int64 // VmHWM: the most that was resident, mappings of files included
	fds  int
}

func look(pid int) (footprint, error) {
	var f footprint
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return f, err
	}
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(line, ":")
		to := map[string]*int64{"RssAnon": &f.anon, "VmHWM": &f.peak}[name]
		if to == nil {
			continue
		}
		kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return f, err
		}
		*to = kb << 10
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	f.fds = len(fds)
	return f, err
}

// forgetPeak makes the peak of a process begin now.
func forgetPeak(pid int) error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
}

// watched samples a process until stop.
type watched struct {
	every time.Duration
	stop  chan struct{}
	done  sync.WaitGroup
	at    []time.Duration
	seen  []footprint
	err   error
}

func watch(pid int, every time.Duration) *watched {
	w := &watched{every: every, stop: make(chan struct{})}
	began := time.Now()
	w.done.Go(func() {
		for {
			f, err := look(pid)
			if err != nil {
				w.err = err
				return
			}
			w.at, w.seen = append(w.at, time.Since(began)), append(w.seen, f)
			select {
			case <-w.stop:
				return
			case <-time.After(w.every):
			}
		}
	})
	return w
}

// end stops the watch.
func (w *watched) end(t *testing.T) {
	t.Helper()
	close(w.stop)
	w.done.Wait()
	if w.err != nil {
		t.Fatal(w.err)
	}
}

// most is the largest anonymous memory and number of descriptors.
func (w *watched) most() (anon int64, fds int) {
	for _, f := range w.seen {
		anon, fds = max(anon, f.anon), max(fds, f.fds)
	}
	return anon, fds
}

// slope is by how much the anonymous memory grows in ten minutes, by least
// squares over what was seen between two moments.
func (w *watched) slope(from, to time.Duration) float64 {
	var n, sx, sy, sxx, sxy float64
	for i, at := range w.at {
		if at < from || at > to {
			continue
		}
		x, y := at.Seconds(), float64(w.seen[i].anon)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d * 600
	}
	return 0
}

// files lists the files below some folders with their sizes, and those that a
// process holds open.
func files(pid int, roots ...string) (map[string]int64, error) {
	out := map[string]int64{}
	for _, root := range roots {
		err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			if os.IsNotExist(err) {
				return nil // went meanwhile
			}
			if err == nil && info.Mode().IsRegular() {
				out[path] = info.Size()
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && strings.HasSuffix(name, " (deleted)") && strings.HasPrefix(name, "/") {
			out[fd] = 0
		}
	}
	return out, err
}
