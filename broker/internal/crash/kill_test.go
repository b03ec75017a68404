package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
)

const (
	workers   = 6
	startSlow = 60 * time.Millisecond
	lifeSlow  = 90 * time.Millisecond
)

// client speaks to whatever child lives, and to the next one after a kill.
type client struct {
	root string
	keys string
	seed uint64
	book *ledger
	// patience is for whatever must come in the end.
	patience time.Duration
	// death comes before SIGKILL, and after between two lives; both or neither.
	death func(*life) error
	after func() error

	mu    sync.Mutex
	alive *life         // nil between two lives; guarded by mu
	born  chan struct{} // closed when alive is set again; guarded by mu

	next    atomic.Int64 // number of the last request
	letters atomic.Int64 // number of the last letter
	over    atomic.Bool  // no new letter

	sent, lostAnswers, repeated, doubled, again atomic.Int64
}

// life is one child process.
type life struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	stderr *strings.Builder
	ready  chan struct{} // closed by its first line
	gone   chan struct{} // closed when its output has ended

	mu    sync.Mutex
	waits map[int]chan response // by number of the request; guarded by mu
}

// start starts a child. It lives for the requests as soon as it is ready.
func (c *client) start() (*life, error) {
	l := &life{stderr: &strings.Builder{}, ready: make(chan struct{}), gone: make(chan struct{}), waits: map[int]chan response{}}
	l.cmd = exec.Command(os.Args[0], "-test.run=^$")
	l.cmd.Env = append(os.Environ(), childRoot+"="+c.root, childKeys+"="+c.keys)
	l.cmd.Stderr = l.stderr
	in, err := l.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	l.in = in
	if err := l.cmd.Start(); err != nil {
		return nil, err
	}
	go c.listen(l, out)
	return l, nil
}

// listen hands answers over until the child is gone: then every answer that is
// awaited is lost.
func (c *client) listen(l *life, out io.Reader) {
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			break // a cut line is no answer
		}
		var got response
		if err := json.Unmarshal(line, &got); err != nil {
			c.book.fault(broken, "an answer that is not one: %v", err)
			continue
		}
		if got.N == 0 {
			c.mu.Lock()
			c.alive = l
			close(c.born)
			c.mu.Unlock()
			close(l.ready)
			continue
		}
		l.mu.Lock()
		wait := l.waits[got.N]
		delete(l.waits, got.N)
		l.mu.Unlock()
		if wait != nil {
			wait <- got
		}
	}
	c.mu.Lock()
	if c.alive == l {
		c.alive, c.born = nil, make(chan struct{})
	}
	c.mu.Unlock()
	l.mu.Lock()
	for _, wait := range l.waits {
		close(wait)
	}
	l.waits = nil
	l.mu.Unlock()
	close(l.gone)
}

// ask sends one request. answered is false when the child died first.
func (c *client) ask(q request) (r response, answered bool) {
	var l *life
	for l == nil {
		c.mu.Lock()
		born := c.born
		l = c.alive
		c.mu.Unlock()
		if l == nil {
			<-born
		}
	}
	q.N = int(c.next.Add(1))
	wait := make(chan response, 1)
	l.mu.Lock()
	if l.waits == nil {
		l.mu.Unlock()
		return r, false
	}
	l.waits[q.N] = wait
	b, err := json.Marshal(q)
	if err == nil {
		_, err = l.in.Write(append(b, '\n')) // fails when the child is gone
	}
	l.mu.Unlock()
	c.sent.Add(1)
	if err != nil {
		<-l.gone
		return r, false
	}
	r, answered = <-wait
	return r, answered
}

// insist repeats a request until it is answered for good.
func (c *client) insist(q request) (response, bool) {
	deadline := time.Now().Add(c.patience)
	for time.Now().Before(deadline) {
		r, answered := c.ask(q)
		switch {
		case !answered:
			c.lostAnswers.Add(1)
			deadline = time.Now().Add(c.patience)
		case r.OK:
			return r, true
		case r.Again:
			c.again.Add(1)
			time.Sleep(5 * time.Millisecond)
		default:
			c.book.fault(broken, "letter %d: %s is refused: %s", q.Letter, q.Op, r.Error)
			return r, false
		}
	}
	c.book.fault(silent, "letter %d: %s is never answered", q.Letter, q.Op)
	return response{}, false
}

// work submits letters one after the other and lets somebody act on each.
func (c *client) work(draw *rand.Rand) {
	for !c.over.Load() {
		l := newLetter(int(c.letters.Add(1)))
		q := request{Op: "accept", Letter: l.number}
		if draw.IntN(4) == 0 {
			c.twice(l, q, time.Duration(draw.IntN(5))*time.Millisecond)
		}
		id := c.submit(l, q)
		if draw.IntN(6) == 0 {
			c.submit(l, q) // the answer came, and the client forgot it
		}
		if id == "" {
			continue
		}
		q = request{Op: "act", Letter: l.number, ID: id}
		for range 1 + draw.IntN(4)/3 {
			if r, ok := c.insist(q); ok {
				c.book.did(l, r.Digest)
			}
		}
	}
}

// submit insists on a submission, and returns the id that it was given.
func (c *client) submit(l letter, q request) string {
	r, ok := c.insist(q)
	if !ok {
		return ""
	}
	if r.Repeated {
		c.repeated.Add(1)
	}
	c.book.accepted(l, *r.Receipt)
	return r.Receipt.ID
}

// twice sends one request two times at once, or nearly: an impatient client.
func (c *client) twice(l letter, q request, wait time.Duration) {
	c.doubled.Add(1)
	var done sync.WaitGroup
	for i := range 2 {
		done.Go(func() {
			time.Sleep(time.Duration(i) * wait)
			if r, answered := c.ask(q); answered && r.OK {
				c.book.accepted(l, *r.Receipt)
			}
		})
	}
	done.Wait()
}

// kill starts a child and kills it at a moment that is drawn.
func (c *client) kill(draw *rand.Rand) error {
	l, err := c.start()
	if err != nil {
		return err
	}
	if draw.IntN(8) == 0 {
		time.Sleep(time.Duration(draw.Int64N(int64(startSlow))))
	} else {
		select {
		case <-l.ready:
			time.Sleep(time.Duration(draw.Int64N(int64(lifeSlow))))
		case <-l.gone:
		case <-time.After(c.patience):
			_ = l.cmd.Process.Kill()
			return errors.New("a child never became ready")
		}
	}
	if c.death != nil {
		if err := c.death(l); err != nil {
			return err
		}
	}
	_ = l.cmd.Process.Kill() // it is there until we wait for it
	<-l.gone
	var exit *exec.ExitError
	err = l.cmd.Wait()
	if c.death != nil { // it may have noticed
		return c.after()
	}
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return fmt.Errorf("a child ended by itself: %v\n%s", err, l.stderr)
	}
	return nil
}

// drain waits until no work is left, and lets the child end in order.
func (c *client) drain(l *life) error {
	for deadline := time.Now().Add(c.patience); ; time.Sleep(5 * time.Millisecond) {
		if r, answered := c.ask(request{Op: "idle"}); answered && r.OK && r.Pending == 0 {
			break
		}
		if time.Now().After(deadline) {
			c.book.fault(left, "work is pending after %s without any crash", c.patience)
			break
		}
	}
	_ = l.in.Close()
	<-l.gone
	if err := l.cmd.Wait(); err != nil {
		return fmt.Errorf("the last child: %w\n%s", err, l.stderr)
	}
	return nil
}

// TestKill kills the brokers and looks at what is left.
func TestKill(t *testing.T) {
	kills := runs.Number(t, "VAGUEMESTRE_KILLS", 20)
	seed := uint64(runs.Number(t, "VAGUEMESTRE_SEED", int(time.Now().Unix()%1e6)))
	if testing.Short() {
		kills = min(kills, 6)
	}
	began := time.Now()
	c := newClient(t, t.TempDir(), seed)
	f := c.trial(t, kills)
	rec := c.record(t, kills, f, time.Since(began))
	t.Log(rec)
	reportFaults(t, c.book)
	rec.write(t)
}

func newClient(t *testing.T, root string, seed uint64) *client {
	t.Helper()
	t.Logf("seed %d", seed)
	return &client{
		root: root, keys: fmt.Sprintf("%d/%d", seed, time.Now().Add(-time.Hour).Unix()), seed: seed, book: newLedger(), born: make(chan struct{}),
		patience: time.Duration(runs.Number(t, "VAGUEMESTRE_PATIENCE", 60)) * time.Second,
	}
}

// trial makes the data directories, lets the brokers die so often under load
// and hold them against the ledger at the end.
func (c *client) trial(t *testing.T, deaths int) figures {
	t.Helper()
	tn, err := makeTown(c.root, c.keys)
	if err != nil {
		t.Fatal(err)
	}
	if err := tn.create(); err != nil {
		t.Fatal(err)
	}
	c.lives(t, deaths)
	ctx := context.Background()
	if err := tn.openAll(ctx); err != nil {
		t.Fatal(err)
	}
	f := c.book.check(ctx, tn)
	if err := tn.Close(ctx); err != nil {
		t.Error(err)
	}
	c.book.checkFiles(ctx, tn)
	switch {
	case f.Accepted == 0 || f.Acts == 0:
		t.Error("nothing was accepted, or nobody acted: nothing was shown")
	case c.lostAnswers.Load() == 0 || c.repeated.Load() == 0:
		t.Error("no answer was lost, or none was repeated: nothing was shown")
	}
	return f
}

// reportFaults prints what a ledger found, but not all of it a thousand times.
func reportFaults(t *testing.T, g *ledger) {
	t.Helper()
	for i, fault := range g.faults {
		if i == 20 {
			t.Errorf("and %d more", len(g.faults)-i)
			return
		}
		t.Error(fault)
	}
}

// lives runs the workers through all the kills and one last life in peace.
func (c *client) lives(t *testing.T, kills int) {
	draw := rand.New(rand.NewPCG(c.seed, 0))
	var busy sync.WaitGroup
	for w := range workers {
		busy.Go(func() { c.work(rand.New(rand.NewPCG(c.seed, uint64(w+1)))) })
	}
	for range kills {
		if err := c.kill(draw); err != nil {
			t.Error(err)
			break
		}
	}
	last, err := c.start()
	if err != nil {
		t.Fatal(err)
	}
	c.over.Store(true)
	busy.Wait()
	if err := c.drain(last); err != nil {
		t.Error(err)
	}
}
