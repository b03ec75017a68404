package flip

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// counts are what a run found.
type counts struct {
	Flips      int            `json:"flips"`
	Files      map[string]int `json:"-"`         // what was flipped
	Effective  int            `json:"effective"` // change something that is read
	Reported   int            `json:"reported"`  // by verify, of the effective ones
	Harmless   int            `json:"reported_though_harmless"`
	Refused    int            `json:"refused_at_start"`
	Right      int            `json:"served_right"`
	Partly     int            `json:"served_with_errors"` // no wrong answer
	Crashes    int            `json:"crashed_and_explained"`
	Unreported int            `json:"unreported"` // faults, from here on
	Hangs      int            `json:"hangs"`
	Wrong      int            `json:"wrong_answers"`
	Died       int            `json:"verify_died"`
}

// record is what a run leaves.
type record struct {
	runs.Head
	counts
}

func (c counts) String() string {
	return fmt.Sprintf("%d flips %v: %d effective, %d reported (and %d harmless); the broker refused %d, answered right %d, with errors %d, crashed %d; unreported %d, hangs %d, wrong answers %d, verify died %d",
		c.Flips, c.Files, c.Effective, c.Reported, c.Harmless, c.Refused, c.Right, c.Partly, c.Crashes, c.Unreported, c.Hangs, c.Wrong, c.Died)
}

// Words of the faults: a sabotaged build is found by its own.
const (
	unreported = "UNREPORTED"
	wrong      = "WRONG ANSWER"
	hung       = "HANG"
	died       = "VERIFY DIED"
)

// patience bounds one step of the child: a hundred times what it takes.
const patience = 30 * time.Second

// TestFlips: see the package comment.
func TestFlips(t *testing.T) {
	n, seed := runs.Number(t, "VAGUEMESTRE_FLIPS", 400), uint64(runs.Number(t, "VAGUEMESTRE_SEED", 1))
	if testing.Short() {
		n = min(n, 100)
	}
	began, s := time.Now(), newSample(t)
	h := &harness{t: t, created: s.created, scratch: scratch(t), draw: rand.New(rand.NewPCG(seed, 3)), c: counts{Files: map[string]int{}}}
	defer h.stop()
	sources := []*source{newSource(t, h, "live", s, s.live), newSource(t, h, "backup", s, s.backup)}
	for range n {
		src := sources[0]
		if h.draw.IntN(4) == 0 {
			src = sources[1]
		}
		h.flip(src)
	}
	t.Logf("seed %d: %v, %.1f s", seed, h.c, time.Since(began).Seconds())
	if h.c.Effective < n/4 || h.c.Effective == n {
		t.Errorf("%d of %d flips are effective: the test looks at nothing, or cannot tell", h.c.Effective, n)
	}
	if !runs.Wanted() {
		return
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("VAGUEMESTRE_FLIPS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/flip -run TestFlips -v -timeout 3h", n, seed)
	head, err := runs.NewHead(root, command, seed, time.Since(began))
	if err != nil {
		t.Fatal(err)
	}
	runs.Keep(t, sabotage.Root, "flip", head.Date, record{head, h.c})
}

// scratch is in memory where the system has such a folder: nothing here needs
// to be durable.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "vaguemestre-flip-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// source is a folder that is flipped, and what is said of it as it is.
type source struct {
	name  string
	files map[string][]byte
	names []string // but journal.db
	ids   []string
	head  journal.Head
	sum   string
	want  answers
}

func newSource(t *testing.T, h *harness, name string, s sample, dir string) *source {
	t.Helper()
	src := &source{name: name, files: map[string][]byte{}, ids: s.ids}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		src.files[rel], err = os.ReadFile(path)
		// A live directory: the journal and its bodies. Of a backup, all.
		if rel != "journal.db" && (name == "backup" || strings.HasPrefix(rel, "bodies")) {
			src.names = append(src.names, rel)
		}
		return err
	})
	if err != nil || len(src.names) == 0 {
		t.Fatalf("%d files, %v", len(src.names), err)
	}
	slices.Sort(src.names)
	st, err := boltstore.OpenReadOnly(dir)
	if err == nil {
		err = st.View(func(v journal.View) error { src.head = v.Head(); return nil })
		st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	h.lay(src)
	if r := h.must(stepVerify, src); r.Error != "" {
		t.Fatalf("%s does not verify: %s", name, r.Error)
	}
	src.sum = h.must(stepRead, src).Sum
	src.want = h.must(stepServe, src).Answers
	none := 0
	for _, a := range src.want {
		if a == noAnswer {
			none++
		}
	}
	if len(src.want) < 100 || none != 1 { // the content that was purged
		t.Fatalf("%s: %d questions, %d without an answer: %v", name, len(src.want), none, src.want)
	}
	h.lay(src)
	if again := h.must(stepServe, src).Answers; len(again) != len(src.want) {
		t.Fatal("asked twice, it answers otherwise")
	} else if n, other := src.want.compare(again); n > 0 || len(other) > 0 {
		t.Fatalf("asked twice, it answers otherwise: %v", other)
	}
	return src
}

// harness runs the child.
type harness struct {
	t       *testing.T
	created time.Time
	scratch string
	draw    *rand.Rand
	c       counts

	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan []byte
	noise *bytes.Buffer
}

func (h *harness) dir() string { return filepath.Join(h.scratch, string(nord)) }

// lay puts a source in the data directory of the child, as it is.
func (h *harness) lay(src *source) {
	h.t.Helper()
	if err := os.RemoveAll(h.dir()); err != nil {
		h.t.Fatal(err)
	}
	for name, b := range src.files {
		path := filepath.Join(h.dir(), name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// flip flips one bit and judges what becomes of it.
func (h *harness) flip(src *source) {
	h.t.Helper()
	name := "journal.db"
	if h.draw.IntN(6) == 0 {
		name = src.names[h.draw.IntN(len(src.names))]
	}
	bad := bytes.Clone(src.files[name])
	at, bit := h.draw.IntN(len(bad)), h.draw.IntN(8)
	bad[at] ^= 1 << bit
	h.lay(src)
	if err := os.WriteFile(filepath.Join(h.dir(), name), bad, 0o600); err != nil {
		h.t.Fatal(err)
	}
	where := fmt.Sprintf("%s, %s, byte %d bit %d", src.name, name, at, bit)
	h.c.Flips++
	h.c.Files[src.name+" "+strings.SplitN(filepath.ToSlash(name), "/", 2)[0]]++

	v, ended := h.call(stepVerify, src)
	if ended != "" {
		h.fault(&h.c.Died, died, where+": "+ended)
	}
	reported := v.Error != "" || ended != ""
	effective := name != "journal.db"
	if !effective {
		r, ended := h.call(stepRead, src)
		effective = ended != "" || r.Error != "" || r.Sum != src.sum
	}
	switch {
	case effective && reported:
		h.c.Effective, h.c.Reported = h.c.Effective+1, h.c.Reported+1
	case effective:
		h.c.Effective++
		h.fault(&h.c.Unreported, unreported, where)
	case reported:
		h.c.Harmless++
	}
	h.serve(src, where, reported)
}

func (h *harness) serve(src *source, where string, reported bool) {
	h.t.Helper()
	r, ended := h.call(stepServe, src)
	none, other := src.want.compare(r.Answers)
	switch {
	case ended == hung:
		h.fault(&h.c.Hangs, hung, where+": the broker")
	case ended != "" && reported:
		h.c.Crashes++
	case ended != "":
		h.fault(&h.c.Unreported, unreported, where+": the broker died: "+ended)
	case r.Error != "":
		h.c.Refused++
	case len(other) > 0:
		slices.Sort(other)
		h.fault(&h.c.Wrong, wrong, fmt.Sprintf("%s: %d, such as %q", where, len(other), other[0]))
	case none > 0:
		h.c.Partly++
	default:
		h.c.Right++
	}
}

func (h *harness) fault(n *int, word, where string) {
	h.t.Helper()
	if *n++; *n <= 10 {
		h.t.Errorf("%s: %s", word, where)
	}
}

// must is call for what may not fail.
func (h *harness) must(s step, src *source) response {
	h.t.Helper()
	r, ended := h.call(s, src)
	if ended != "" {
		h.t.Fatalf("%s of %s as it is: %s", s, src.name, ended)
	}
	return r
}

// call asks the child; ended is how it ended instead of answering.
func (h *harness) call(s step, src *source) (r response, ended string) {
	h.t.Helper()
	if h.cmd == nil {
		h.start()
	}
	b, err := json.Marshal(request{Step: s, IDs: src.ids, Head: src.head})
	if err != nil {
		h.t.Fatal(err)
	}
	_, _ = h.in.Write(append(b, '\n')) // one that is dead answers nothing
	select {
	case line, ok := <-h.lines:
		if ok {
			if err := json.Unmarshal(line, &r); err != nil {
				h.t.Fatal(err)
			}
			return r, ""
		}
		_ = h.cmd.Wait() // how it ended stands in its output
		first, _, _ := strings.Cut(h.noise.String(), "\n")
		h.cmd = nil
		return r, "died: " + first
	case <-time.After(patience):
		h.stop()
		return r, hung
	}
}

func (h *harness) start() {
	h.t.Helper()
	h.cmd = exec.Command(os.Args[0], "-test.run=^$")
	h.cmd.Env = append(os.Environ(), childRoot+"="+h.scratch, childCreated+"="+strconv.FormatInt(h.created.Unix(), 10))
	h.noise = &bytes.Buffer{}
	h.cmd.Stderr = h.noise
	out, err := h.cmd.StdoutPipe()
	if err == nil {
		h.in, err = h.cmd.StdinPipe()
	}
	if err == nil {
		err = h.cmd.Start()
	}
	if err != nil {
		h.t.Fatal(err)
	}
	lines := make(chan []byte, 1)
	h.lines = lines
	go func() {
		defer close(lines)
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			lines <- bytes.Clone(sc.Bytes())
		}
	}()
}

// stop ends the child, whatever it does.
func (h *harness) stop() {
	if h.cmd == nil {
		return
	}
	_ = h.cmd.Process.Kill() // it may have ended
	_ = h.cmd.Wait()
	h.cmd = nil
}
