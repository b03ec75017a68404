//go:build linux

package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/disk"
	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal/boltstore"
)

// TestImages plays an exchange on a watched disk and builds what a loss of
// power could leave after each operation.
// VAGUEMESTRE_IMAGES says how many at least (3,000 when unset).
func TestImages(t *testing.T) {
	want := runs.Number(t, "VAGUEMESTRE_IMAGES", 3000)
	if testing.Short() {
		want = min(want, 1000)
	}
	seed := uint64(runs.Number(t, "VAGUEMESTRE_SEED", int(time.Now().Unix()%1e6)))
	kills := runs.Number(t, "VAGUEMESTRE_KILLED", 1+want/3000)
	began := time.Now()
	c := &imageCheck{seed: seed, want: want, keys: fmt.Sprintf("%d/%d", seed, began.Add(-time.Hour).Unix()), book: newLedger()}
	calm := watchedPlay(t, c.keys, 0)
	operations := c.look(t, calm, want)
	syncs := 0
	for _, o := range calm {
		if o.Kind == disk.Sync && filepath.Base(o.Path) == "journal.db" {
			syncs++
		}
	}
	for k := range kills {
		at := 1 + (k*syncs+int(seed)%syncs)/kills
		operations += c.look(t, watchedPlay(t, c.keys, at), want/(2*kills))
	}
	rec := c.record(t, operations, kills, time.Since(began))
	t.Log(rec)
	reportFaults(t, c.book)
	switch {
	case c.images < want:
		t.Errorf("%d images, want %d", c.images, want)
	case c.none == 0 || c.opened == 0 || c.played == 0 || c.held == 0:
		t.Error("no image before the creation, or none of a journal with something in it: nothing was shown")
	}
	rec.write(t)
}

// look draws images of all that one play did to its disk, so many at least, and
// returns how many operations that was.
func (c *imageCheck) look(t *testing.T, ops []disk.Op, want int) int {
	t.Helper()
	var parts []part
	for _, b := range both {
		parts = append(parts, partOf(ops, b, string(b), false))
		for life := range notedLives {
			parts = append(parts, partOf(ops, b, fmt.Sprint(b, backupSuffix, life*notedLetters), true))
		}
	}
	open := 0 // states with more than one image
	for _, p := range parts {
		p.states(t, func(j job) {
			if !j.state.Settled() {
				open++
			}
		})
	}
	c.each, c.every = want/open+1, max(1, open/max(want, 1))
	for _, p := range parts {
		c.walk(t, p)
	}
	return len(ops)
}

// watchedPlay runs a child that plays alone, and returns what its disk did. It
// is killed in the killAt-th fsync of a journal, which does not take place, and
// another one goes on where the kernel still holds what was written; 0: never.
func watchedPlay(t *testing.T, keys string, killAt int) []disk.Op {
	t.Helper()
	d := watch(t, memory(t))
	play := func(kill bool) error {
		var stderr strings.Builder
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), noteRoot+"="+d.Path, childKeys+"="+keys)
		cmd.Stderr = &stderr
		if kill {
			d.Break(disk.Fault{
				Kind: disk.Sync, At: killAt, Errno: syscall.EIO,
				Only: func(p string) bool { return filepath.Base(p) == "journal.db" },
				Do:   func(disk.Strike) { _ = cmd.Process.Kill() },
			})
			defer d.Mend()
		}
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("the child: %w: %s", err, stderr.String())
		}
		return nil
	}
	if killAt > 0 && play(true) == nil {
		t.Log("a play ended before its kill")
		return d.Ops()
	}
	for _, b := range both {
		if _, err := boltstore.Verify(context.Background(), d.Behind(string(b)), nil); killAt > 0 && err != nil {
			t.Errorf("%s: %s after a kill in fsync %d: %v", broken, b, killAt, err)
		}
	}
	if killAt > 0 {
		if err := d.Again(); err != nil {
			t.Fatal(err)
		}
	}
	if err := play(false); err != nil {
		t.Fatalf("after a kill in fsync %d: %v", killAt, err)
	}
	return d.Ops()
}

// TestOpenSyncs: what a process reads may have been written by one that was
// killed before its fsync. It is on the disk before anything is said of it.
func TestOpenSyncs(t *testing.T) {
	backing := memory(t)
	tn, err := makeTown(backing, fmt.Sprintf("1/%d", time.Now().Unix()))
	if err == nil {
		err = tn.Create(nord)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := watch(t, backing)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), openRoot+"="+d.Path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	synced := false
	for _, o := range d.Ops() {
		synced = synced || o.Kind == disk.Sync && o.Path == string(nord)+"/journal.db"
		if o.Kind == disk.Note {
			if !synced {
				t.Errorf("%s: a journal is read before it is synced", lost)
			}
			return
		}
	}
	t.Error("nothing was noted")
}

// watch mounts a watched folder over backing, or skips by name.
func watch(t *testing.T, backing string) *disk.Dir {
	t.Helper()
	d, err := disk.Mount(backing, t.TempDir())
	if errors.Is(err, disk.ErrUnavailable) {
		if _, there := os.Stat("/dev/fuse"); os.Getenv("CI") == "true" && there == nil {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// memory is a folder of its own, in memory where there is such a place: what
// is built there needs no disk.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "crash-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// part is what happened to one folder of the top: a data directory, or a copy.
type part struct {
	broker broker.BrokerID
	top    string
	ops    []disk.Op
	copied bool
}

func partOf(ops []disk.Op, b broker.BrokerID, top string, copied bool) part {
	return part{b, top, disk.Under(ops, top), copied}
}

// imageCheck looks at images.
type imageCheck struct {
	seed uint64
	keys string
	want int
	each int // images after an operation
	// every says which operations: each, or one of so many. What was just
	// answered is looked at always.
	every int
	book  *ledger

	mu                                 sync.Mutex // guards the counts below
	images, none, opened, played, held int
	copies                             int // images of copies that were complete
}

// job is the state after some operation, to draw images from.
type job struct {
	part
	at    int
	state *disk.Images
	notes []noted // answered by then
	noted bool    // just now
	begun bool    // the data directory was said to be made, or the copy to be complete
}

// walk draws images after each operation of a part, on all processors.
func (c *imageCheck) walk(t *testing.T, p part) {
	t.Helper()
	jobs := make(chan job)
	var workers sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		root := memory(t)
		dir := filepath.Join(root, string(p.broker))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		workers.Go(func() {
			l := &looker{imageCheck: c, root: root, draw: rand.New(rand.NewPCG(c.seed, uint64(w)))}
			l.dir = disk.Folder{Dir: dir, Mutable: func(name string) bool { return strings.HasPrefix(name, "journal.db") }}
			for j := range jobs {
				l.draws(j)
			}
		})
	}
	n := 0
	p.states(t, func(j job) {
		if n++; n%c.every == 0 || j.noted {
			j.state = j.state.Clone()
			jobs <- j
		}
	})
	close(jobs)
	workers.Wait()
}

// states calls f after each operation, and after each note that binds.
func (p part) states(t *testing.T, f func(job)) {
	t.Helper()
	j := job{part: p, state: disk.NewImages()}
	var early []noted
	for i, o := range p.ops {
		if o.Kind == disk.Note {
			n, ok := parseNote(t, o)
			if !ok || n.Broker != p.broker {
				continue
			}
			early = append(early, n)
			j.noted = true
			j.take(n, early[:len(early):len(early)])
		} else {
			j.at, j.noted = i, false
			j.state.Apply(o)
		}
		f(j)
	}
}

// take adds what was noted. A copy is bound by what was noted before it began.
func (j *job) take(n noted, early []noted) {
	switch {
	case !j.copied:
		j.notes, j.begun = early, true
	case n.Copy != j.top:
	case n.What == notedCopying:
		j.notes = early
	case n.What == notedBackup:
		j.begun = true
	}
}

func parseNote(t *testing.T, o disk.Op) (n noted, ok bool) {
	if err := json.Unmarshal(o.Data, &n); err != nil {
		t.Errorf("a note that is not one: %v", err)
		return n, false
	}
	return n, true
}

// imagesRecord is what a run leaves.
type imagesRecord struct {
	runs.Head
	Operations int `json:"operations"` // of the disk, that were recorded
	Killed     int `json:"killed"`     // plays that were killed and taken up again before the cut
	Images     int `json:"images"`
	None       int `json:"before_creation"`
	Opened     int `json:"opened"`
	Copies     int `json:"copies"` // of those, complete backups
	Played     int `json:"broker_restarted"`
	Held       int `json:"answers_checked"`
	Faults     int `json:"faults"`
}

func (c *imageCheck) record(t *testing.T, operations, kills int, took time.Duration) imagesRecord {
	t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	h, err := runs.NewHead(root, fmt.Sprintf("VAGUEMESTRE_IMAGES=%d VAGUEMESTRE_KILLED=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/crash -run TestImages -v", c.want, kills, c.seed), c.seed, took)
	if err != nil {
		t.Fatal(err)
	}
	return imagesRecord{h, operations, kills, c.images, c.none, c.opened, c.copies, c.played, c.held, len(c.book.faults)}
}

// String is the line that every run prints.
func (r imagesRecord) String() string {
	return fmt.Sprintf("seed %d: %d operations of the disk, %d kills before a cut, %d images: %d before the creation, %d opened (%d complete copies), %d restarted, %d answers checked, %d faults, %.1f s",
		r.Seed, r.Operations, r.Killed, r.Images, r.None, r.Opened, r.Copies, r.Played, r.Held, r.Faults, r.Seconds)
}

func (r imagesRecord) write(t *testing.T) {
	t.Helper()
	runs.Keep(t, sabotage.Root, "images", r.Date, r)
}
