package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
)

// Environment of the child process.
const (
	childRoot = "VAGUEMESTRE_CRASH_CHILD"  // where its data directories are
	childKeys = "VAGUEMESTRE_CRASH_KEYS"   // "<seed of the keys>/<Unix time of their creation>"
	openRoot  = "VAGUEMESTRE_CRASH_OPENED" // where it only opens a journal and notes that it reads
	noteRoot  = "VAGUEMESTRE_CRASH_NOTED"  // where it plays alone and notes what it answered (noted)
)

// TestMain lets the test binary be its own child.
func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		if err := serve(root, os.Getenv(childKeys), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if root := os.Getenv(openRoot); root != "" {
		if err := openNoted(root); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if root := os.Getenv(noteRoot); root != "" {
		if err := playNoted(context.Background(), root, os.Getenv(childKeys)); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// request is one line from the client.
type request struct {
	N      int    `json:"n"`
	Op     string `json:"op"`     // "accept", "act", "idle"
	Letter int    `json:"letter"` // its number
	ID     string `json:"id,omitempty"`
}

// response is one line to the client. The first line of a life has N 0.
type response struct {
	N        int      `json:"n"`
	OK       bool     `json:"ok"`
	Again    bool     `json:"again,omitempty"` // not now: ask again
	Error    string   `json:"error,omitempty"`
	Receipt  *receipt `json:"receipt,omitempty"`
	Repeated bool     `json:"repeated,omitempty"`
	Digest   string   `json:"digest,omitempty"`  // of the evidence of an act
	Pending  int      `json:"pending,omitempty"` // items of both brokers
}

// makeTown is the town of a child and of the client that checks after it.
func makeTown(root, keys string) (*town, error) {
	seed, created, _ := strings.Cut(keys, "/")
	s, err := strconv.ParseUint(seed, 10, 32)
	at, err2 := strconv.ParseInt(created, 10, 64)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	return newTown(root, s, time.Unix(at, 0), time.Now)
}

// serve runs two brokers and answers requests until its input ends.
func serve(root, keys string, in io.Reader, out io.Writer) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	tn, err := makeTown(root, keys)
	if err != nil {
		return err
	}
	if err := tn.openAll(ctx); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		err := tn.Run(ctx)
		if ctx.Err() == nil { // a journal failed: the process must end
			fmt.Fprintln(os.Stderr, "child: run:", err)
			os.Exit(4)
		}
		ended <- err
	}()
	var write sync.Mutex
	answer := func(r response) {
		b, err := json.Marshal(r)
		if err != nil {
			return
		}
		write.Lock()
		defer write.Unlock()
		_, _ = out.Write(append(b, '\n')) // whoever is not there asks again
	}
	answer(response{OK: true})
	var calls sync.WaitGroup
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		calls.Go(func() {
			r := tn.answer(ctx, q)
			r.N = q.N
			answer(r)
		})
	}
	calls.Wait()
	stop()
	return errors.Join(lines.Err(), <-ended, tn.Close(context.Background()))
}

// answer does what one request asks.
func (tn *town) answer(ctx context.Context, q request) response {
	l := newLetter(q.Letter)
	switch q.Op {
	case "accept":
		s, err := l.submission()
		if err != nil {
			return response{Error: err.Error()}
		}
		r, err := tn.Nodes[homeOf(l.from)].Broker.Accept(ctx, s)
		if err != nil {
			return response{Again: errors.Is(err, broker.ErrTemporary), Error: err.Error()}
		}
		return response{OK: true, Receipt: &receipt{r.ID, r.Deposit, r.DepositSig}, Repeated: r.Repeated}
	case "act":
		a, err := tn.Nodes[homeOf(l.acting())].Broker.Acknowledge(ctx, l.act(q.ID))
		switch {
		case err == nil, errors.Is(err, broker.ErrAlready):
			return response{OK: true, Digest: a.Digest, Repeated: err != nil}
		case errors.Is(err, broker.ErrTemporary), errors.Is(err, broker.ErrNotFound), errors.Is(err, broker.ErrNotYet),
			errors.Is(err, journal.ErrFailed): // the process is ending
			return response{Again: true}
		}
		return response{Error: err.Error()}
	case "idle":
		n, err := tn.pending()
		if err != nil {
			return response{Error: err.Error()}
		}
		return response{OK: true, Pending: n}
	}
	return response{Error: "no such request"}
}

// pending counts the work of both brokers that is not done.
func (tn *town) pending() (n int, err error) {
	for _, b := range both {
		err = errors.Join(err, tn.Nodes[b].Journal.View(func(v journal.View) error {
			n += v.Pending(broker.TopicPli) + v.Pending(broker.TopicEvidence)
			return nil
		}))
	}
	return n, err
}
