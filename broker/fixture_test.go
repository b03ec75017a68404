package broker_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// town is two brokers of the demonstration's shape, on real journals and keys.
type town struct {
	*wiring.World
	t    *testing.T
	logs *logBook
	stop context.CancelFunc
	done chan error
}

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
	juge    = broker.PartyID("je-lille")
)

// logBook is a log that many write and a test reads.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newTown makes the town; change may alter its plan.
func newTown(t *testing.T, change func(*wiring.Plan)) *town {
	t.Helper()
	brokers, parties := wiring.Lille()
	logs := &logBook{}
	p := wiring.Plan{
		Root: t.TempDir(), Demonstration: true, Brokers: brokers, Parties: parties,
		Log: slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&p)
	}
	w, err := wiring.Make(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	tn := &town{World: w, t: t, logs: logs}
	t.Cleanup(func() {
		tn.halt()
		if err := w.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tn
}

// run starts deliveries and timers.
func (tn *town) run() {
	ctx, stop := context.WithCancel(context.Background())
	tn.stop, tn.done = stop, make(chan error, 1)
	go func() { tn.done <- tn.Run(ctx) }()
}

func (tn *town) halt() {
	if tn.stop == nil {
		return
	}
	tn.stop()
	if err := <-tn.done; err != nil {
		tn.t.Error(err)
	}
	tn.stop = nil
}

func (tn *town) at(id broker.BrokerID) *broker.Broker { return tn.Nodes[id].Broker }

// eventually waits for something that the brokers do by themselves.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("never came: %s", what)
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// signalement is a submission of the smallest urgent signalement.
func signalement(t *testing.T, key string) broker.Submission {
	return broker.Submission{
		From: ase, Kind: schemas.Signalement, To: []broker.PartyID{parquet}, Cc: []broker.PartyID{juge}, Urgency: broker.U0,
		Document: schemas.NewPlain(readFile(t, "../schemas/testdata/good/signalement_u0_huit_champs.json")),
		Pieces:   []io.Reader{strings.NewReader("%PDF-1.4 note d'astreinte fictive\n")},
		Actor:    broker.Actor{Name: "MODÈLE Alix", Function: "cadre d'astreinte"}, Basis: broker.Declared, Key: key,
	}
}

func accept(t *testing.T, b *broker.Broker, s broker.Submission) broker.Receipt {
	t.Helper()
	r, err := b.Accept(context.Background(), s)
	if err != nil {
		t.Fatalf("accept: %v", err)
	}
	return r
}

// progress is what a broker knows of a pair.
func (tn *town) progress(b broker.BrokerID, id string, p broker.PartyID) broker.State {
	s, err := tn.at(b).Status(id)
	if err != nil {
		return broker.State{}
	}
	for _, pair := range s.Pairs {
		if pair.Recipient == p {
			return pair.State
		}
	}
	return broker.State{}
}
