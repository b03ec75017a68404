package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

const (
	recipients = 8 // parquets: eight lanes each are delivered at once
	pieceSize  = 3 << 10
)

// plan is one département and eight parquets of one court, plainly fictitious.
func plan(root string) wiring.Plan {
	p := wiring.Plan{Root: root, Demonstration: true}
	p.Brokers = []directory.Broker{{ID: "courrier-a", Libelle: "A"}, {ID: "courrier-b", Libelle: "B"}}
	p.Parties = []directory.Party{{ID: "ase-00", Role: directory.RoleASE, Institution: "Département A", Departement: "59", Home: "courrier-a"}}
	for i := range recipients {
		p.Parties = append(p.Parties, directory.Party{
			ID: recipient(i), Role: directory.RoleParquet, Institution: "Tribunal B", Departement: "59", Home: "courrier-b",
		})
	}
	return p
}

func recipient(i int) broker.PartyID {
	return broker.PartyID(fmt.Sprintf("parquet-%02d", i%recipients))
}

// submission is the i-th: a signalement with one piece.
func submission(i int64) broker.Submission {
	piece := bytes.Repeat([]byte("%PDF-1.4 fictif\n"), pieceSize/16)
	return broker.Submission{
		From: "ase-00", Kind: schemas.Signalement, To: []broker.PartyID{recipient(int(i))}, Urgency: broker.U1,
		Document: schemas.NewPlain([]byte(document)), Pieces: []io.Reader{bytes.NewReader(piece)},
		Actor: broker.Actor{Name: "MODÈLE Alix", Function: "cadre"}, Basis: broker.Declared, Key: fmt.Sprint("bench-", i),
	}
}

// document is a short signalement; nobody in it exists.
const document = `{"enfants":[{"nom":"EXEMPLE","prenoms":"Camille","sexe":"feminin","date_naissance":"2019-05-03"}],` +
	`"autorite_parentale":[{"nom":"EXEMPLE","prenoms":"Claude","lien":"mere"}],` +
	`"condition":"danger_grave_immediat","danger":["sante"],"faits":{"date":"2026-11-20","constates":"Faits fictifs."},` +
	`"demande":["opp"],"auteur":{"nom":"MODÈLE Alix","telephone":"03 00 00 00 01"},"signataire":{"nom":"SPÉCIMEN Dominique"},` +
	`"pieces":[{"titre":"Rapport fictif","type_mime":"application/pdf","role":"rapport","communication":"communicable"}]}`

// sizes are those of what one exchange seals, signs and digests, in bytes.
type sizes struct {
	body    int // of body.pgp
	parts   int // of all its parts, decoded
	deposit int // of deposit.json
}

// sizesOf makes one pli to measure it.
func sizesOf(ctx context.Context) (s sizes, err error) {
	root, clean, err := tempDir()
	if err != nil {
		return s, err
	}
	defer clean()
	w, err := wiring.Make(ctx, plan(root))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, w.Close(ctx)) }()
	b := w.Nodes["courrier-a"].Broker
	r, err := b.Accept(ctx, submission(1))
	if err != nil {
		return s, err
	}
	d, err := b.Dossier(r.ID)
	if err != nil {
		return s, err
	}
	c, err := b.Read(ctx, r.ID, "ase-00")
	if err != nil {
		return s, err
	}
	defer c.Close()
	s.body, s.deposit = int(d.Header.BodySize), len(d.Deposit)
	err = c.EachPart(ctx, func(_, _ string, r io.Reader) error {
		n, err := io.Copy(io.Discard, r)
		s.parts += int(n)
		return err
	})
	return s, err
}

// finish tells submitters that their exchange is complete: it stands between
// the recipient's broker and the net, and sees evidences that were taken.
type finish struct {
	broker.Carrier
	waiting *sync.Map // id -> chan struct{}
}

func (f finish) Carry(ctx context.Context, to broker.PartyID, p broker.Parcel) error {
	err := f.Carrier.Carry(ctx, to, p)
	if err == nil && p.Evidence != nil {
		_, rest, _ := strings.Cut(string(p.Evidence.Evidence), `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		done, _ := f.waiting.LoadOrStore(id, make(chan struct{}))
		close(done.(chan struct{}))
	}
	return err
}

// measure runs complete exchanges for d, closed loop: a submitter begins the
// next when its own is complete.
func measure(ctx context.Context, d time.Duration, set setting) (Run, error) {
	root, clean, err := tempDir()
	if err != nil {
		return Run{}, err
	}
	defer clean()
	waiting := &sync.Map{}
	p := plan(root)
	if set.naive {
		p.GroupMax = 1
	}
	p.Wrap = func(from broker.BrokerID, c broker.Carrier) broker.Carrier {
		if from == "courrier-b" {
			return finish{c, waiting}
		}
		return c
	}
	if set.stored {
		p.Keys = newStored().wrap
	}
	w, err := wiring.Make(ctx, p)
	if err != nil {
		return Run{}, err
	}
	runCtx, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() { ran <- w.Run(runCtx) }()
	run, err := load(ctx, w.Nodes["courrier-a"].Broker, waiting, d, set.submitters)
	stop()
	return run, errors.Join(err, <-ran, w.Close(ctx))
}

// load drives the submitters. A tenth of the time warms up uncounted.
func load(ctx context.Context, b *broker.Broker, waiting *sync.Map, d time.Duration, submitters int) (Run, error) {
	begin := time.Now().Add(d / 10)
	end := begin.Add(d)
	var next atomic.Int64
	var mu sync.Mutex
	var all []time.Duration // guarded by mu
	var failed error        // guarded by mu
	var wg sync.WaitGroup
	for range submitters {
		wg.Go(func() {
			var mine []time.Duration
			var err error
			for err == nil && time.Now().Before(end) {
				start := time.Now()
				if err = once(ctx, b, waiting, next.Add(1)); err == nil && time.Now().After(begin) {
					mine = append(mine, time.Since(start))
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, mine...)
			failed = errors.Join(failed, err)
		})
	}
	wg.Wait()
	took := time.Since(begin) // the last ones begun are counted, and their time
	if failed != nil || len(all) == 0 {
		return Run{}, errors.Join(failed, errNothing(len(all)))
	}
	slices.Sort(all)
	ms := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000 }
	return Run{Submitters: submitters, PerS: float64(len(all)) / took.Seconds(), P50: ms(0.50), P99: ms(0.99)}, nil
}

func errNothing(n int) error {
	if n == 0 {
		return errors.New("no exchange was complete in the time given: give more --seconds")
	}
	return nil
}

// once is one complete exchange.
func once(ctx context.Context, b *broker.Broker, waiting *sync.Map, i int64) error {
	r, err := b.Accept(ctx, submission(i))
	if err != nil {
		return err
	}
	done, _ := waiting.LoadOrStore(r.ID, make(chan struct{}))
	select {
	case <-done.(chan struct{}):
		waiting.Delete(r.ID)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Minute):
		return errors.New("an exchange was not complete within a minute")
	}
}
