package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// blocking is a store whose commits can be held up, and made to fail.
type blocking struct {
	journal.Store
	mu   sync.Mutex // held: no commit ends
	fail bool       // guarded by mu
}

func (b *blocking) Update(f func(journal.Tx) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail {
		return journal.ErrFailed
	}
	return b.Store.Update(f)
}

// place is a broker of two parties that is ready to be served.
type place struct {
	Options
	store *blocking
	log   *lockedBuffer
	ended chan error // what Run returned
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{store: &blocking{}, log: &lockedBuffer{}}
	w, err := wiring.Make(t.Context(), wiring.Plan{
		Root: shortDir(t), Passphrase: []byte("only for this test"),
		Brokers: []directory.Broker{{ID: "courrier", Libelle: "Démonstration", Hosting: directory.HostingShared}},
		Parties: []directory.Party{
			{ID: "ase-59", Role: directory.RoleASE, Institution: "Département fictif", Departement: "59", Home: "courrier"},
			{ID: "parquet-lille", Role: directory.RoleParquet, Institution: "Parquet fictif", Departement: "59", Home: "courrier"},
		},
		Store: func(_ broker.BrokerID, s journal.Store) journal.Store { p.store.Store = s; return p.store },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close(context.Background()) }) // a test may have made the journal fail
	d, err := wiring.Load(w.Dir("courrier"), []byte("only for this test"))
	if err != nil {
		t.Fatal(err)
	}
	d.Config.API.Listen, d.Config.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0"
	p.Options = Options{
		Data: d, Node: w.Nodes["courrier"], Public: http.NotFoundHandler(), Local: http.NotFoundHandler(), Drain: func() {},
		Explain: func(err error) *Problem { return &Problem{Detail: err.Error()} },
		Log:     slog.New(slog.NewTextHandler(p.log, nil)), Version: "test", Getenv: func(string) string { return "" },
	}
	return p
}

// accept deposits one pli.
func (p *place) accept(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("../papers/05-suites.json")
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Node.Broker.Accept(t.Context(), broker.Submission{
		From: "parquet-lille", Kind: schemas.Suites, To: []broker.PartyID{"ase-59"}, Document: schemas.NewPlain(text),
		Actor: broker.Actor{Name: "MODÈLE Alix"}, Basis: broker.Declared, Key: "k",
	})
	if err != nil {
		t.Fatal(err)
	}
}

// started runs the place, and gives its status once it answers; stop ends it.
func (p *place) started(t *testing.T) (st Status, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p.ended = make(chan error, 1)
	go func() {
		p.ended <- Run(ctx, p.Options)
		close(p.ended)
	}()
	stop = sync.OnceValue(func() error { cancel(); return <-p.ended })
	t.Cleanup(func() { stop() })
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return DialSocket(ctx, p.Data.Dir)
	}}}
	for {
		if r, err := c.Get("http://vaguemestre/admin/v1/status"); err == nil {
			err := json.NewDecoder(r.Body).Decode(&st)
			r.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return st, stop
		}
		select {
		case err := <-p.ended:
			t.Fatalf("it ended: %v", err)
		default:
		}
	}
}

func fetched(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}
