package killserve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/internal/served"
	"vaguemestre/broker/journal"
)

const (
	overHTTP  = 5 // clients
	byCommand = 1 // clerks

	// How long a life is, once it is heard, and a drain, at the longest.
	lifeSlow  = 200 * time.Millisecond
	drainSlow = 60 * time.Millisecond

	// startPatience is far above what a start takes on a loaded machine.
	startPatience = 2 * time.Minute
)

// run is one harness on one program.
type run struct {
	*crowd
	t     *testing.T
	seed  uint64
	kills int // to be done

	done                        int           // kills
	starting, draining, refused int           // kills of those sorts; lives that found the directory in use
	typical                     time.Duration // of a start
	figures
}

// play runs the program of a house through its kills, and leaves what it found
// in the ledger. When word is not "" a fault that begins so is enough.
func play(t *testing.T, h house, seed uint64, kills int, patience time.Duration, word string) *run {
	t.Helper()
	r := &run{crowd: newCrowd(h.House, h.tokens, patience), t: t, seed: seed, kills: kills, typical: 500 * time.Millisecond}
	r.lives(word)
	if err := r.clean(); err != nil {
		t.Error(err)
	}
	return r
}

// lives runs the crowd through all the kills and one last life in peace.
func (r *run) lives(word string) {
	draw := rand.New(rand.NewPCG(r.seed, 0))
	var busy sync.WaitGroup
	for i := range overHTTP + byCommand {
		own := rand.New(rand.NewPCG(r.seed, uint64(i+1)))
		busy.Go(func() {
			if i < overHTTP {
				r.byHTTP(own)
			} else {
				r.byCommands(own)
			}
		})
	}
	for r.done < r.kills && (word == "" || !r.book.found(word)) {
		killed, err := r.oneLife(draw)
		if err != nil {
			r.book.fault(broken, "%v", err)
			break
		}
		if !killed {
			continue
		}
		if r.done++; r.done%50 == 0 {
			r.verify()
		}
	}
	r.over.Store(true)
	last, err := r.lastLife()
	if err != nil {
		// Whoever still asks would wait for ever.
		r.t.Fatalf("%v\n%s", err, strings.Join(r.book.faults, "\n"))
	}
	busy.Wait()
	r.conclude(last)
}

// oneLife starts the broker and kills it at a moment that is drawn: while it
// starts, while it serves, or while it drains. It says whether it was killed: a
// drain may end before, and a start find a command at work.
func (r *run) oneLife(draw *rand.Rand) (killed bool, err error) {
	began := time.Now()
	p, err := r.house.Start(nil)
	if err != nil {
		return false, err
	}
	go r.watch(p)
	const starting, draining = 0, 1
	moment := draw.IntN(7)
	if moment == starting {
		time.Sleep(time.Duration(draw.Float64() * 1.1 * float64(r.typical)))
	} else {
		select {
		case <-p.Ready:
			r.typical = (3*r.typical + time.Since(began)) / 4
			// On a machine that is slow to start it is slow to answer.
			time.Sleep(time.Duration(draw.Int64N(int64(max(lifeSlow, r.typical/2)))))
		case <-p.Gone:
		case <-time.After(startPatience):
			_ = p.Cmd.Process.Kill()
			return false, fmt.Errorf("a broker is never ready:\n%s", p.Said())
		}
	}
	if moment == draining {
		_ = p.Cmd.Process.Signal(syscall.SIGTERM) // it is there until we wait for it
		time.Sleep(time.Duration(draw.Int64N(int64(drainSlow))))
	}
	_ = p.Cmd.Process.Kill()
	exit, err := p.Wait()
	switch {
	case err != nil:
		return false, err
	case exit == -1 && moment == starting:
		r.starting++
		return true, nil
	case exit == -1 && moment == draining:
		r.draining++
		return true, nil
	case exit == -1:
		return true, nil
	case exit == 0 && moment == draining:
		return false, nil
	case exit == exitTemporary && strings.Contains(p.Said(), journal.ErrInUse.Error()):
		r.refused++ // a command has the directory: a supervisor starts it again
		return false, nil
	}
	return false, fmt.Errorf("a broker ended by itself with %d:\n%s", exit, p.Said())
}

// lastLife starts a broker that is left alone.
func (r *run) lastLife() (*served.Process, error) {
	for {
		p, err := r.house.Start(nil)
		if err != nil {
			return nil, err
		}
		go r.watch(p)
		select {
		case <-p.Ready:
			return p, nil
		case <-p.Gone:
			if exit, err := p.Wait(); exit != exitTemporary || err != nil {
				return nil, fmt.Errorf("the last broker ended with %d:\n%s", exit, p.Said())
			}
		case <-time.After(startPatience):
			_ = p.Cmd.Process.Kill()
			return nil, fmt.Errorf("the last broker is never ready:\n%s", p.Said())
		}
	}
}

// verify asks the command for its verdict, with or without a broker.
func (r *run) verify() {
	for range 100 {
		_, err := r.house.Call(r.t.Context(), "journal", "verify", "--data", r.house.Data)
		if err == nil {
			return
		}
		if text := err.Error(); !strings.Contains(text, journal.ErrInUse.Error()) {
			r.book.fault(broken, "journal verify: %v", err)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	r.book.fault(silent, "journal verify never finds the directory free")
}

// conclude looks at everything once nobody asks for more: first as a client,
// then at what the broker leaves when it stops in order.
func (r *run) conclude(last *served.Process) {
	if err := r.age(); err != nil {
		r.book.fault(broken, "the kept keys: %v", err)
	}
	r.clerk(nil)
	r.idle(last)
	r.boxes()
	r.again()
	_ = last.Cmd.Process.Signal(syscall.SIGTERM)
	if exit, err := last.Wait(); exit != 0 || err != nil {
		r.book.fault(broken, "the last broker ends with %d, %v:\n%s", exit, err, last.Said())
	}
	r.verify()
	err := open(r.t.Context(), r.house, func(j *journal.Journal) error {
		held, err := brokertest.ReadFacts(j)
		if err != nil {
			return err
		}
		r.figures = r.book.check(held)
		items, letters, timer, err := pending(j)
		if err != nil {
			return err
		}
		if items > 0 || letters > 0 || timer {
			r.book.fault(left, "%d deliveries, %d dead letters, a timer: %v", items, letters, timer)
		}
		names, err := strays(r.house, j)
		for _, name := range names {
			r.book.fault(left, "file %s", name)
		}
		return err
	})
	if err != nil {
		r.book.fault(broken, "the journal: %v", err)
	}
}

// idle waits until nothing is to be delivered.
func (r *run) idle(p *served.Process) {
	for deadline := time.Now().Add(r.patience); ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + p.Admin() + "/metrics")
		if err == nil {
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if text := string(b); err == nil && strings.Contains(text, "\nvaguemestre_queue_items{topic=\"pli\"} 0\n") && strings.Contains(text, "\nvaguemestre_queue_items{topic=\"evidence\"} 0\n") {
				return
			}
		}
		if time.Now().After(deadline) {
			r.book.fault(left, "work waits after %s without any crash", r.patience)
			return
		}
	}
}

// boxes wants every list to hold what was sent, and nothing else, once.
func (r *run) boxes() {
	want := map[string]map[string]int{} // box and party, id: number of the letter
	for _, party := range parties {
		want["sent/"+party], want["received/"+party] = map[string]int{}, map[string]int{}
	}
	for _, e := range r.book.order {
		want["sent/"+e.letter.from][e.id()] = e.letter.number
		for _, p := range e.letter.recipients() {
			want["received/"+p][e.id()] = e.letter.number
		}
	}
	for name, ids := range want {
		box, party, _ := strings.Cut(name, "/")
		seen := map[string]bool{}
		for _, id := range r.list(party, box) {
			if _, ok := ids[id]; !ok {
				r.book.fault(invented, "the box %s of %s holds a pli that no receipt names", box, party)
			}
			if seen[id] {
				r.book.fault(twice, "the box %s of %s shows letter %d twice", box, party, ids[id])
			}
			seen[id] = true
		}
		for id, number := range ids {
			if !seen[id] {
				r.book.fault(lost, "the box %s of %s has no letter %d", box, party, number)
			}
		}
	}
}

// again reads every letter once more as its first recipient, and repeats every
// fourth submission.
func (r *run) again() {
	work := make(chan *entry)
	var busy sync.WaitGroup
	for range overHTTP {
		busy.Go(func() {
			for e := range work {
				r.reread(e)
			}
		})
	}
	for _, e := range r.book.order {
		work <- e
	}
	close(work)
	busy.Wait()
}

func (r *run) reread(e *entry) {
	l, party := e.letter, e.letter.to[0]
	for n := range 1 + len(l.pieces) {
		if !r.fetch(l, e.id(), party, n) {
			return
		}
	}
	r.state(e)
	if l.number%4 != 0 || e.byCommand { // the key of a command is its own
		return
	}
	body, ctype := l.body()
	q := request{what: fmt.Sprintf("letter %d, deposited again", l.number), party: l.from, method: "POST", path: "/v1/messages", key: l.key(), ctype: ctype, body: body}
	if a, ok := r.insist(q); ok {
		if a.status != http.StatusOK {
			r.book.fault(twice, "letter %d is new to the broker again", l.number)
		}
		r.deposited(l, a)
	}
}

// state wants the sender to see every recipient's act, and no flag.
func (r *run) state(e *entry) {
	l := e.letter
	what := fmt.Sprintf("the state of letter %d", l.number)
	a, ok := r.insist(request{what: what, party: l.from, method: "GET", path: "/v1/messages/" + e.id()})
	var v struct {
		HeaderSHA256 string `json:"header_sha256"`
		States       []struct {
			Recipient string
			Copy      bool
			Flags     []string
			Acted     bool
		}
	}
	if !ok || !r.into(what, a, &v) {
		return
	}
	if v.HeaderSHA256 != e.receipt.HeaderSHA256 {
		r.book.fault(differs, "%s: another header than the receipt names", what)
	}
	if len(v.States) != len(l.recipients()) {
		r.book.fault(differs, "%s: %d recipients, want %d", what, len(v.States), len(l.recipients()))
	}
	for _, s := range v.States {
		if !s.Copy && !s.Acted {
			r.book.fault(lost, "%s: no act of %s", what, s.Recipient)
		}
		if len(s.Flags) > 0 {
			r.book.fault(left, "%s: flags %v of %s", what, s.Flags, s.Recipient)
		}
	}
}

// TestKillServe kills the broker and looks at what is left.
func TestKillServe(t *testing.T) {
	kills := runs.Number(t, "VAGUEMESTRE_KILLS", 20)
	seed := uint64(runs.Number(t, "VAGUEMESTRE_SEED", int(time.Now().Unix()%1e6)))
	if testing.Short() {
		kills = min(kills, 6)
	}
	t.Logf("seed %d", seed)
	program := build(t, nil)
	began := time.Now()
	r := play(t, newHouse(t, program), seed, kills, time.Duration(runs.Number(t, "VAGUEMESTRE_PATIENCE", 60))*time.Second, "")
	rec := r.record(t, time.Since(began))
	t.Log(rec)
	for i, fault := range r.book.faults {
		if i == 20 {
			t.Errorf("and %d more", len(r.book.faults)-i)
			break
		}
		t.Error(fault)
	}
	switch {
	case r.Plis == 0 || r.Acts == 0 || r.Fetched == 0:
		t.Error("nothing was accepted, fetched or acted upon: nothing was shown")
	case r.lost.Load() == 0 || r.repeated.Load() == 0:
		t.Error("no answer was lost, or none was repeated: nothing was shown")
	}
	rec.write(t)
}

// build builds the program, with a fault or without.
func build(t *testing.T, edits []sabotage.Edit) string {
	t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "vaguemestre")
	err = sabotage.Build(context.Background(), root, edits, "./cmd/vaguemestre", program)
	if errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return program
}
