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
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/internal/disk"
	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
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

// looker is one worker.
type looker struct {
	*imageCheck
	root string // of dir
	dir  disk.Folder
	draw *rand.Rand
	n    int
	tn   *town
}

// draws draws and checks the images of a state.
func (l *looker) draws(j job) {
	each := l.each
	if j.state.Settled() {
		each = 1
	}
	for range each {
		if err := l.dir.Lay(j.state.Draw(l.draw), j.top); err != nil {
			l.book.fault(broken, "laying an image: %v", err)
			return
		}
		l.n++
		l.open(j, l.dir.Dir)
	}
}

// open opens one image as a restarted broker would.
func (l *looker) open(j job, dir string) {
	word, err := lost, error(nil)
	if !j.begun {
		word = broken // nothing was answered yet: it must open, or never have been made
	}
	defer func() {
		if p := recover(); p != nil {
			word, err = broken, fmt.Errorf("panic: %v", p)
		}
		if err != nil {
			l.book.fault(word, "%s, after operation %d (%s %s): %v", j.top, j.at, j.ops[j.at].Kind, filepath.Base(j.ops[j.at].Path), err)
		}
	}()
	l.count(&l.images)
	_, err = boltstore.Verify(context.Background(), dir, nil)
	switch {
	case errors.Is(err, journal.ErrNoJournal) && !j.begun && !j.copied:
		l.count(&l.none)
		err = boltstore.Create(dir, string(j.broker)) // it can still be made
		return
	case j.copied && !j.begun:
		err = nil // half of a copy, of which nobody said that it is one
		return
	case err != nil:
		return
	}
	if _, err = wiring.Secret(dir); err != nil && j.begun {
		return
	}
	word, err = l.holds(j, dir)
	if err != nil || !j.begun {
		return
	}
	if l.n%31 == 0 {
		word = broken
		err = l.play(j)
	}
}

func (c *imageCheck) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

// holds opens the journal and looks for everything that was answered.
func (l *looker) holds(j job, dir string) (word string, err error) {
	s, err := boltstore.Open(dir, boltstore.WithFoldMax(foldOften))
	if err != nil {
		return broken, err
	}
	defer func() {
		err = errors.Join(err, s.Close())
	}()
	if _, err := s.Bodies().Sweep(); err != nil {
		return broken, err
	}
	l.count(&l.opened)
	if j.copied {
		l.count(&l.copies)
	}
	word = lost
	err = s.View(func(v journal.View) error {
		var found brokertest.Facts
		if found, err = brokertest.ViewFacts(v); err != nil {
			return err
		}
		word, err = l.compare(j.notes, found, v)
		return err
	})
	return word, err
}

// compare holds a journal against what was answered.
func (l *looker) compare(notes []noted, found brokertest.Facts, v journal.View) (word string, err error) {
	purging := map[string]bool{}
	for _, n := range notes {
		purging[n.ID] = purging[n.ID] || n.What == notedPurging
	}
	for id, times := range found.Plis {
		if times > 1 {
			return twice, fmt.Errorf("a pli, %d times (%s)", times, id)
		}
	}
	for what, held := range found.Events {
		if len(held) > 1 {
			return twice, fmt.Errorf("%s, %d times", what.Event, len(held))
		}
	}
	for _, n := range notes {
		if n.What != notedHolds {
			continue
		}
		l.count(&l.held)
		if found.Plis[n.ID] == 0 {
			return lost, errors.New("a pli that was answered for")
		}
		if len(found.Events[brokertest.Fact{Event: n.Event, ID: n.ID, Recipient: n.For}]) == 0 {
			return lost, fmt.Errorf("%s, which was answered", n.Event)
		}
		for _, o := range []string{n.Object, n.Object2} {
			if o == "" {
				continue
			}
			if _, err := v.Object(o); err != nil {
				return lost, fmt.Errorf("an object that was answered with: %w", err)
			}
		}
		if n.Event != broker.Accepted || purging[n.ID] {
			continue
		}
		text, err := v.Object(n.Object2)
		if err != nil {
			return lost, err
		}
		h, err := broker.ParseHeader(text)
		if err != nil {
			return broken, err
		}
		if !v.HasBlob(journal.BodyName(h.BodySHA256)) { // Verify has read those that it has
			return lost, errors.New("the body of a pli that was answered for")
		}
	}
	return lost, nil
}

// play lets a broker live on the image: it takes up what was pending, and
// takes something new.
func (l *looker) play(j job) (err error) {
	ctx := context.Background()
	if l.tn == nil {
		if l.tn, err = makeTown(l.root, l.keys); err != nil {
			return err
		}
	}
	if err := l.tn.open(ctx, j.broker); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.tn.leave(ctx, j.broker)) }()
	n := 0
	for homeOf(newLetter(n).from) != j.broker {
		n++
	}
	s, err := newLetter(n).submission()
	if err != nil {
		return err
	}
	s.Key = "après la coupure"
	if _, err := l.tn.Nodes[j.broker].Broker.Accept(ctx, s); err != nil {
		return err
	}
	l.count(&l.played)
	return nil
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
	keepRecord(t, "images", r.Date, r)
}

// keepRecord writes a record where one is wanted.
func keepRecord(t *testing.T, name, date string, r any) {
	t.Helper()
	if !runs.Wanted() {
		return
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	path, err := runs.Write(root, name, date, r)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("record: %s", path)
}
