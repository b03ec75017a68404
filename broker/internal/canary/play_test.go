package canary

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	ase     = broker.PartyID("ase-59")
	parquet = broker.PartyID("parquet-lille")
	juge    = broker.PartyID("je-lille")
)

// Folders of a play: what is searched, and what only its reader sees.
const (
	searched   = "searched"
	authorised = "authorised"
)

// childRoot is where a child plays, in the environment.
const childRoot = "VAGUEMESTRE_CANARY"

// sent is a pli of the play.
type sent struct {
	planted
	id   string
	from broker.PartyID
	to   []broker.PartyID
}

// play is the exchange, in the child process.
type play struct {
	*wiring.World
	t       *testing.T
	root    string
	n       *nursery
	shift   atomic.Int64 // of the clock, in nanoseconds
	errors  *os.File
	plis    []*sent
	strange []string // ids of plis that were forged

	mu        sync.Mutex
	obstacles map[string]func() (bool, error) // by pli; guarded by mu
	gate      chan struct{}                   // deliveries wait until it is closed; guarded by mu
}

// TestPlay is the child's part of TestCanary. It ends by a panic that nobody
// recovers, so that its trace is searched too.
func TestPlay(t *testing.T) {
	root := os.Getenv(childRoot)
	if root == "" {
		t.Skip("played by TestCanary")
	}
	p := newPlay(t, root)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	p.exchange(ctx)
	p.acts(ctx)
	p.refusedDocuments(ctx)
	p.refusedCalls(ctx)
	p.forgeries(ctx)
	p.obstruct(ctx)
	p.silence(ctx)
	p.quarantine(ctx)
	p.handlerPanics(ctx)
	p.openExports(ctx)
	p.purge(ctx)
	p.exports(ctx)
	p.views()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, b := range []broker.BrokerID{nord, justice} {
		p.backup(b)
	}
	if err := p.Close(context.Background()); err != nil {
		t.Error(err)
	}
	for _, b := range []broker.BrokerID{nord, justice} {
		if _, err := boltstore.Verify(context.Background(), p.Dir(b), nil); err != nil {
			t.Error(err)
		}
	}
	p.goroutines()
	p.writeMarks()
	t.Logf("%d plis, %d marks", len(p.plis), len(p.n.marks))
	if !t.Failed() {
		panic(p.plis[0].doc)
	}
}

func newPlay(t *testing.T, root string) *play {
	t.Helper()
	p := &play{t: t, root: root, n: newNursery(59), obstacles: map[string]func() (bool, error){}}
	for _, dir := range []string{p.in("log"), p.in("tmp"), p.in("data"), p.in("export"), filepath.Join(root, authorised)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	p.errors = p.create("errors.txt")
	brokers, parties := wiring.Lille()
	plan := wiring.Plan{
		Root: p.in("data"), Demonstration: true, Brokers: brokers, Parties: parties, Passphrase: []byte("phrase d'essai"), Now: p.now,
		Log: slog.New(fanOut{
			slog.NewJSONHandler(p.create("log/broker.json"), &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}),
			slog.NewTextHandler(p.create("log/broker.txt"), &slog.HandlerOptions{Level: slog.LevelDebug}),
		}),
		Wrap: func(_ broker.BrokerID, c broker.Carrier) broker.Carrier {
			return &brokertest.Carrier{Next: c, OnCarry: p.onCarry}
		},
	}
	var err error
	if p.World, err = wiring.Make(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	return p
}

// in is a path among what is searched.
func (p *play) in(name string) string { return filepath.Join(p.root, searched, name) }

func (p *play) create(name string) *os.File {
	f, err := os.OpenFile(p.in(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	return f
}

// now is the real time, moved: the queue sleeps by it.
func (p *play) now() time.Time { return time.Now().Add(time.Duration(p.shift.Load())) }

// fanOut writes every line to several handlers.
type fanOut []slog.Handler

func (f fanOut) Enabled(context.Context, slog.Level) bool { return true }

func (f fanOut) Handle(ctx context.Context, r slog.Record) (err error) {
	for _, h := range f {
		err = errors.Join(err, h.Handle(ctx, r.Clone()))
	}
	return err
}

func (f fanOut) WithAttrs(a []slog.Attr) slog.Handler {
	out := fanOut{}
	for _, h := range f {
		out = append(out, h.WithAttrs(a))
	}
	return out
}

func (f fanOut) WithGroup(name string) slog.Handler {
	out := fanOut{}
	for _, h := range f {
		out = append(out, h.WithGroup(name))
	}
	return out
}

// ownError is an error that the caller itself made, and gets back.
type ownError struct{ error }

// report writes an error, and each that it wraps, in every way in which a
// program may print it.
func (p *play) report(what string, err error) {
	if err == nil {
		p.t.Errorf("%s: no error", what)
		return
	}
	fmt.Fprintln(p.errors, what)
	for e := err; e != nil; e = errors.Unwrap(e) {
		if _, own := e.(ownError); own {
			break
		}
		fmt.Fprintf(p.errors, "%s\n%v\n%+v\n%#v\n%q\n", e.Error(), e, e, e, e)
		b, _ := json.Marshal(e)
		fmt.Fprintf(p.errors, "%s\n", b)
	}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		fmt.Fprintln(p.errors, hint.Hint())
	}
	p.Plan.Log.Error("refused", "what", what, "error", err, "text", err.Error())
}

// onCarry puts what is planned for a pli in its way, each once.
func (p *play) onCarry(_ broker.PartyID, parcel broker.Parcel) (bool, error) {
	if parcel.Pli == nil {
		return true, nil
	}
	h, err := broker.ParseHeader(parcel.Pli.Header)
	if err != nil {
		return true, nil // it is for the receiver to refuse
	}
	p.mu.Lock()
	gate := p.gate
	p.mu.Unlock()
	if gate != nil {
		<-gate
	}
	p.mu.Lock()
	obstacle := p.obstacles[h.ID]
	p.mu.Unlock()
	if obstacle == nil {
		return true, nil
	}
	return obstacle()
}

func (p *play) hinder(id string, f func() (bool, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.obstacles[id] = f
}

func (p *play) eventually(what string, f func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(3 * time.Millisecond) {
		if f() {
			return
		}
	}
	p.t.Fatalf("never came: %s", what)
}

func (p *play) at(party broker.PartyID) *broker.Broker {
	if party == ase {
		return p.Nodes[nord].Broker
	}
	return p.Nodes[justice].Broker
}

func (p *play) state(at *broker.Broker, id string, party broker.PartyID) broker.State {
	s, err := at.Status(id)
	if err != nil {
		return broker.State{}
	}
	for _, pair := range s.Pairs {
		if pair.Recipient == party {
			return pair.State
		}
	}
	return broker.State{}
}

// submission makes a submission of a document, with marks in all the rest.
func (p *play) submission(d planted) broker.Submission {
	from, to, cc := d.way()
	s := broker.Submission{
		From: from, Kind: d.kind, To: to, Cc: cc, Document: schemas.NewPlain(d.bytes), Key: p.n.word(d.name + ": idempotency key"),
		Actor: broker.Actor{Name: p.n.word(d.name + ": actor's name"), Function: p.n.word(d.name + ": actor's function")}, Basis: broker.Authenticated,
	}
	if d.doc == nil {
		return s
	}
	for i := range d.doc.Pieces() {
		s.Pieces = append(s.Pieces, p.n.piece(fmt.Sprintf("%s: piece %d", d.name, i+1), i%2 == 1))
	}
	return s
}

// exchange deposits every good example, and waits until all are there.
func (p *play) exchange(ctx context.Context) {
	for _, d := range goodDocuments(p.t, p.n) {
		p.deposit(ctx, d)
	}
	for _, s := range p.plis {
		p.arrived(s)
	}
}

func (p *play) deposit(ctx context.Context, d planted) *sent {
	sub := p.submission(d)
	r, err := p.at(sub.From).Accept(ctx, sub)
	if err != nil {
		p.t.Fatalf("%s: %v", d.name, err)
	}
	p.n.keep(d.name+": thread", r.Thread)
	p.n.keep(d.name+": thread, without dashes", string(bytes.ReplaceAll([]byte(r.Thread), []byte("-"), nil)))
	s := &sent{planted: d, id: r.ID, from: sub.From, to: append(slices.Clone(sub.To), sub.Cc...)}
	p.plis = append(p.plis, s)
	r.Thread = ""
	fmt.Fprintf(p.errors, "%s: %+v\n", d.name, r.Reserves)
	return s
}

func (p *play) arrived(s *sent) {
	p.eventually(s.name+" consigned", func() bool {
		return !slices.ContainsFunc(s.to, func(to broker.PartyID) bool { return !p.state(p.at(s.from), s.id, to).Delivered() })
	})
}

// acts lets every first recipient say everything it may, with marks.
func (p *play) acts(ctx context.Context) {
	for i, s := range p.plis {
		for _, a := range p.sayings(i, s) {
			p.act(ctx, s, a)
		}
	}
	for _, s := range p.plis {
		p.eventually("acts of "+s.name, func() bool { return p.state(p.at(s.from), s.id, s.to[0]).Acted })
	}
}

func (p *play) act(ctx context.Context, s *sent, a broker.Act) {
	a.ID, a.Party = s.id, s.to[0]
	where := fmt.Sprintf("%s: %s: ", s.name, a.Event)
	a.Actor = broker.Actor{Name: p.n.word(where + "actor's name"), Function: p.n.word(where + "actor's function")}
	a.Reason, a.Place = p.n.word(where+"reason"), p.n.word(where+"place")
	a.Number = p.n.word(where + "number")
	a.Basis = broker.Declared
	if a.Event == broker.Opened {
		a.Basis = broker.Authenticated
	}
	if _, err := p.at(a.Party).Acknowledge(ctx, a); err != nil {
		p.t.Fatalf("%s%v", where, err)
	}
	again := a
	again.Reason = p.n.word(where + "reason of a second time")
	_, err := p.at(a.Party).Acknowledge(ctx, again)
	p.report(where+"twice", err)
}

// sayings turns through the events that persons sign.
func (p *play) sayings(i int, s *sent) []broker.Act {
	out := []broker.Act{{Event: broker.Opened}, {Event: broker.TakenInCharge}}
	for _, row := range broker.EventTable() {
		if row.Sealed && row.Event != broker.Opened && row.Event != broker.TakenInCharge && i%2 == 0 {
			a := broker.Act{Event: row.Event}
			if row.Date {
				a.DoneAt = p.now().Add(-time.Hour)
			}
			if len(row.Reasons) > 0 {
				a.ReasonCode = row.Reasons[0]
			}
			if row.Event == broker.Redirected {
				a.RedirectedTo, a.RedirectedID = juge, s.id
			}
			out = append(out, a)
		}
	}
	return out
}
