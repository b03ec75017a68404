//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vaguemestre/broker/internal/disk"
	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
)

// failures are the ways in which an operation of each kind can fail.
var failures = map[disk.Kind][]disk.Fault{
	disk.Write:    {{Errno: syscall.EIO}, {Errno: syscall.ENOSPC}, {Errno: syscall.ENOSPC, Short: true}},
	disk.Sync:     {{Errno: syscall.EIO}, {Errno: syscall.ENOSPC}, {Errno: syscall.EIO, Drop: true}},
	disk.SyncDir:  {{Errno: syscall.EIO}},
	disk.Truncate: {{Errno: syscall.EIO}, {Errno: syscall.ENOSPC}},
	disk.Create:   {{Errno: syscall.EIO}, {Errno: syscall.ENOSPC}, {Errno: syscall.EMFILE}},
	disk.Open:     {{Errno: syscall.EIO}, {Errno: syscall.EMFILE}},
	disk.Mkdir:    {{Errno: syscall.EIO}, {Errno: syscall.ENOSPC}},
	disk.Rename:   {{Errno: syscall.EIO}, {Errno: syscall.ENOSPC}},
	disk.Unlink:   {{Errno: syscall.EIO}},
}

const (
	faultLetters = 4 // one is large
	faultWorkers = 2
	brokenFor    = 150 * time.Millisecond // "for ever", for the patience of a test
	supervising  = 10 * time.Millisecond  // between an end and the next start
	// promptly bounds the end of a process whose journal failed: far above what
	// a loaded machine needs.
	promptly = 10 * time.Second
)

// faultsRecord is what a run leaves.
type faultsRecord struct {
	runs.Head
	Points  int   `json:"points"` // operations of a calm run that can fail
	Trials  int   `json:"trials"`
	Struck  int   `json:"trials_struck"` // in which something failed
	Failed  int   `json:"operations_failed"`
	Journal int   `json:"trials_journal_failed"`
	Exits   int   `json:"exits_4"`
	Starts  int   `json:"starts_refused"`
	Again   int64 `json:"answers_not_now"`
	Slowest int64 `json:"slowest_exit_ms"` // from the failure to the end of the process
	figures
	Faults int `json:"faults"`
}

// String is the line that every run prints.
func (r faultsRecord) String() string {
	return fmt.Sprintf("%d points, %d trials, %d struck, %d operations failed, %d trials with a failed journal: %d exits 4 (slowest after %d ms), %d starts refused, %d answers \"not now\"; %d receipts, %d plis, %d consigned, %d acts, %d faults, %.1f s",
		r.Points, r.Trials, r.Struck, r.Failed, r.Journal, r.Exits, r.Slowest, r.Starts, r.Again, r.Accepted, r.Plis, r.Consigned, r.Acts, r.Faults, r.Seconds)
}

// TestFaults lets every operation of an exchange on the disk fail, once and for
// a time. VAGUEMESTRE_FAULTS says how many trials at most (8 when unset), evenly
// drawn from all; 0 is all.
func TestFaults(t *testing.T) {
	most := runs.Number(t, "VAGUEMESTRE_FAULTS", 8)
	seed := uint64(runs.Number(t, "VAGUEMESTRE_SEED", int(time.Now().Unix()%1e6)))
	if testing.Short() {
		most = min(most, 8)
	}
	began := time.Now()
	calm := &faultTrial{t: t, seed: seed}
	calm.run()
	rec := faultsRecord{}
	points := calm.points(&rec.Points)
	if calm.exits+calm.starts > 0 {
		t.Errorf("without any failure: %d exits, %d starts refused", calm.exits, calm.starts)
	}
	step := 1
	if most > 0 {
		step = max(1, len(points)/most)
	}
	var sum sync.Mutex
	turn := make(chan struct{}, 2)
	var all sync.WaitGroup
	for i := int(seed) % step; i < len(points); i += step {
		turn <- struct{}{}
		all.Go(func() {
			defer func() { <-turn }()
			f := &faultTrial{t: t, seed: seed, fault: points[i]}
			f.run()
			sum.Lock()
			defer sum.Unlock()
			rec.add(f)
		})
	}
	all.Wait()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	rec.Head, err = runs.NewHead(root, fmt.Sprintf("VAGUEMESTRE_FAULTS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/crash -run TestFaults -v", most, seed), seed, time.Since(began))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(rec)
	if rec.Journal == 0 || rec.Exits == 0 || rec.Struck == 0 {
		t.Error("no journal failed, or no process ended: nothing was shown")
	}
	runs.Keep(t, sabotage.Root, "faults", rec.Date, rec)
}

func (r *faultsRecord) add(f *faultTrial) {
	r.Trials++
	r.Failed += len(f.struck)
	if len(f.struck) > 0 {
		r.Struck++
	}
	if f.failedAt.Load() != 0 {
		r.Journal++
	}
	r.Exits, r.Starts, r.Slowest = r.Exits+f.exits, r.Starts+f.starts, max(r.Slowest, f.slowest.Milliseconds())
	r.Accepted, r.Plis, r.Consigned, r.Acts = r.Accepted+f.f.Accepted, r.Plis+f.f.Plis, r.Consigned+f.f.Consigned, r.Acts+f.f.Acts
	r.Submissions, r.Leaves = r.Submissions+f.f.Submissions, r.Leaves+f.f.Leaves
	if f.c != nil {
		r.Again, r.Faults = r.Again+f.c.again.Load(), r.Faults+len(f.c.book.faults)
	}
}

// faultTrial is one exchange on a disk that fails, under a supervisor.
type faultTrial struct {
	t     *testing.T
	seed  uint64
	fault *disk.Fault // nil: none
	c     *client
	d     *disk.Dir

	brokeAt  atomic.Int64 // Unix nanoseconds of the first failure; 0: none
	failedAt atomic.Int64 // of the first of a journal file; 0: none
	exits    int          // after it served
	starts   int          // that did not come to serve
	slowest  time.Duration
	struck   []disk.Strike
	f        figures
	counts   map[disk.Kind]int
}

// points lists every fault of the operations that a calm run asked for.
func (f *faultTrial) points(n *int) (out []*disk.Fault) {
	for _, k := range slices.Sorted(maps.Keys(f.counts)) {
		for at := 1; at <= f.counts[k] && len(failures[k]) > 0; at++ {
			*n++
			for _, how := range failures[k] {
				how.Kind, how.At = k, at
				once := how
				how.Forever = true
				out = append(out, &once, &how)
			}
		}
	}
	return out
}

func (f *faultTrial) String() string {
	if f.fault == nil {
		return "calm"
	}
	how := "once"
	if f.fault.Forever {
		how = "for a time"
	}
	return fmt.Sprintf("%s %d, %s, %s (short %t, drop %t)", f.fault.Kind, f.fault.At, f.fault.Errno, how, f.fault.Short, f.fault.Drop)
}

// isJournal says whether a failure there is one of the journal file.
func isJournal(s disk.Strike) bool {
	return filepath.Base(s.Path) == "journal.db" && (s.Kind == disk.Write || s.Kind == disk.Sync || s.Kind == disk.Truncate)
}

// run plays the exchange, supervises, and checks.
func (f *faultTrial) run() {
	backing := memory(f.t)
	f.c = newQuietClient(backing, f.seed)
	tn, err := makeTown(backing, f.c.keys)
	if err == nil {
		err = tn.create()
	}
	if err != nil {
		f.t.Error(err)
		return
	}
	f.d = watch(f.t, backing)
	f.c.root = f.d.Path
	if f.fault != nil {
		fault := *f.fault
		fault.Do = f.strike
		f.d.Break(fault)
	}
	stop := make(chan struct{})
	ended := make(chan struct{})
	go func() { defer close(ended); f.supervise(stop) }()
	var busy sync.WaitGroup
	for w := range faultWorkers {
		busy.Go(func() { f.work(w) })
	}
	busy.Wait()
	f.settle()
	close(stop)
	<-ended
	f.counts = f.d.Counts()
	f.struck = append(f.struck, f.d.Mend()...)
	f.check(tn)
}

// newQuietClient is a client whose seed is said by the whole run.
func newQuietClient(root string, seed uint64) *client {
	return &client{
		root: root, keys: fmt.Sprintf("%d/%d", seed, time.Now().Add(-time.Hour).Unix()), seed: seed, book: newLedger(),
		born: make(chan struct{}), patience: 30 * time.Second,
	}
}

// strike notes when something failed first, and when a journal file did.
func (f *faultTrial) strike(s disk.Strike) {
	now := time.Now().UnixNano()
	f.brokeAt.CompareAndSwap(0, now)
	if isJournal(s) {
		f.failedAt.CompareAndSwap(0, now)
	}
}

// work sends some of the letters and acts on each.
func (f *faultTrial) work(w int) {
	for n := w; n < faultLetters; n += faultWorkers {
		l := newLetter(n)
		id := f.c.submit(l, request{Op: "accept", Letter: n})
		if id == "" {
			continue
		}
		if r, ok := f.c.insist(request{Op: "act", Letter: n, ID: id}); ok {
			f.c.book.did(l, r.Digest)
		}
	}
}

// settle mends the disk when everything was answered, and waits until no work
// is left.
func (f *faultTrial) settle() {
	f.struck = append(f.struck, f.d.Mend()...)
	for deadline := time.Now().Add(f.c.patience); ; time.Sleep(5 * time.Millisecond) {
		if r, answered := f.c.ask(request{Op: "idle"}); answered && r.OK && r.Pending == 0 {
			return
		}
		if time.Now().After(deadline) {
			f.c.book.fault(left, "work is pending after %s", f.c.patience)
			return
		}
	}
}

// supervise starts the process whenever it has ended, as systemd does, and
// mends the disk when it has been broken for a while.
func (f *faultTrial) supervise(stop chan struct{}) {
	for {
		l, err := f.c.start()
		if err != nil {
			f.c.book.fault(broken, "starting a process: %v", err)
			return
		}
		served := f.attend(l, stop)
		err = l.cmd.Wait()
		select {
		case <-stop:
			if err != nil {
				f.c.book.fault(broken, "the last end: %v: %s", err, l.stderr)
			}
			return
		default:
		}
		f.judge(err, served, l.stderr.String())
		f.mendInTime()
		time.Sleep(supervising)
	}
}

// attend waits for the end of a life, and says whether it came to serve.
func (f *faultTrial) attend(l *life, stop chan struct{}) (served bool) {
	look := time.NewTicker(brokenFor / 4)
	defer look.Stop()
	ready := l.ready
	for {
		select {
		case <-ready:
			served, ready = true, nil
		case <-stop:
			_ = l.in.Close()
			<-l.gone
			return served
		case <-l.gone:
			return served || isClosed(l.ready)
		case <-look.C:
			f.mendInTime()
			f.hurry(l)
		}
	}
}

// mendInTime mends what has been broken for a while.
func (f *faultTrial) mendInTime() {
	if at := f.brokeAt.Load(); at != 0 && time.Since(time.Unix(0, at)) > brokenFor {
		f.struck = append(f.struck, f.d.Mend()...)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// hurry ends a process that goes on after its journal failed.
func (f *faultTrial) hurry(l *life) {
	at := f.failedAt.Load()
	if at != 0 && f.exits+f.starts == 0 && time.Since(time.Unix(0, at)) > promptly {
		f.c.book.fault(broken, "the process goes on %s after its journal failed", promptly)
		_ = l.cmd.Process.Kill()
	}
}

// judge says whether a process may end so.
func (f *faultTrial) judge(err error, served bool, stderr string) {
	var exit *exec.ExitError
	code := -1
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	at := f.failedAt.Load()
	switch {
	case strings.Contains(stderr, "goroutine ") || code != 1 && code != 4:
		f.c.book.fault(broken, "a process ended with %d: %s", code, stderr)
	case !served && f.fault != nil:
		f.starts++
		if len(f.struck)+f.d.Struck() == 0 {
			f.c.book.fault(broken, "a start failed for nothing: %s", stderr)
		}
	case at == 0:
		f.c.book.fault(broken, "a process ended with %d, and no journal had failed: %s", code, stderr)
	default:
		if f.exits+f.starts == 0 { // later ends are of later failures
			f.slowest = time.Since(time.Unix(0, at))
		}
		f.exits++
		if code != 4 {
			f.c.book.fault(broken, "a process whose journal had failed ended with %d: %s", code, stderr)
		}
	}
}

// check holds what is on the disk against the ledger.
func (f *faultTrial) check(tn *town) {
	ctx := context.Background()
	if err := tn.openAll(ctx); err != nil {
		f.c.book.fault(broken, "opening at the end: %v", err)
	} else {
		f.f = f.c.book.check(ctx, tn)
		if err := tn.Close(ctx); err != nil {
			f.c.book.fault(broken, "closing at the end: %v", err)
		}
		f.c.book.checkFiles(ctx, tn)
	}
	if at := f.failedAt.Load(); at != 0 && f.exits+f.starts == 0 {
		f.c.book.fault(broken, "the journal failed, and the process went on")
	}
	for _, fault := range f.c.book.faults {
		f.t.Errorf("%s: %s", f, fault)
	}
}
