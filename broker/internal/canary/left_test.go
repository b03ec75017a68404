package canary

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/queue"
)

// handlerPanics lets a handler of the queue panic with marks, under the
// queue's own recoverer and a logger that keeps everything.
func (p *play) handlerPanics(ctx context.Context) {
	log := slog.New(fanOut{
		slog.NewJSONHandler(p.create("log/queue.json"), &slog.HandlerOptions{Level: slog.LevelDebug}),
		slog.NewTextHandler(p.create("log/queue.txt"), &slog.HandlerOptions{Level: slog.LevelDebug}),
	})
	q := queue.New(p.Nodes[nord].Journal, queue.Options{Logger: watermill.NewSlogLogger(log), Now: p.now})
	router, err := queue.NewRouter(q, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	var seen atomic.Int64
	values := []any{
		p.n.word("panic with a text"), errors.New(p.n.word("panic with an error")), broker.Actor{Name: p.n.word("panic with a struct")},
		[]byte(p.n.word("panic with bytes")), p.plis[0].doc, &broker.Act{Reason: p.n.word("panic with an act")},
	}
	router.AddConsumerHandler("canary", "canary", q.Handle(), func(*message.Message) error {
		if n := int(seen.Add(1)); n <= len(values) {
			panic(values[n-1])
		}
		return nil
	})
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- router.Run(ctx) }()
	<-router.Running()
	if err := q.Publish("canary", message.NewMessage("essai", nil)); err != nil {
		p.t.Fatal(err)
	}
	p.eventually("the panics", func() bool { return int(seen.Load()) > len(values) })
	stop()
	if err := errors.Join(<-done, q.Close()); err != nil {
		p.t.Error(err)
	}
}

// openExports makes an export with --open of each pli: what its reader sees.
func (p *play) openExports(ctx context.Context) {
	for i, s := range p.plis {
		open := filepath.Join(p.root, authorised, fmt.Sprintf("%02d", i))
		if _, err := export.Write(ctx, p.at(s.from), s.id, open, export.Options{Open: true}); err != nil {
			p.t.Errorf("export --open of %s: %v", s.name, err)
		}
	}
}

// exports makes every export without --open, from both ends.
func (p *play) exports(ctx context.Context) {
	for i, s := range p.plis {
		for _, b := range []broker.BrokerID{nord, justice} {
			name := fmt.Sprintf("%02d-%s", i, b)
			_, err := export.Write(ctx, p.Nodes[b].Broker, s.id, p.in("export/"+name), export.Options{})
			if err != nil && !errors.Is(err, broker.ErrNotFound) && !errors.Is(err, export.ErrNoBody) {
				p.t.Errorf("export of %s: %v", s.name, err)
			}
		}
	}
	for i, id := range p.strange {
		_, err := export.Write(ctx, p.Nodes[justice].Broker, id, p.in(fmt.Sprintf("export/forged-%02d", i)), export.Options{})
		p.told("export of a forged pli", err)
	}
}

// views lists everything that an operator may list.
func (p *play) views() {
	out := json.NewEncoder(p.create("views.json"))
	for _, b := range []broker.BrokerID{nord, justice} {
		br := p.Nodes[b].Broker
		alarms, err := br.Alarms()
		if err != nil || len(alarms) == 0 {
			p.t.Errorf("alarms of %s: %d, %v", b, len(alarms), err)
		}
		encode := func(v any) {
			if err := out.Encode(v); err != nil {
				p.t.Errorf("views of %s: %v", b, err)
			}
		}
		encode(alarms)
		ids := slices.Clone(p.strange)
		for _, s := range p.plis {
			ids = append(ids, s.id)
		}
		for _, id := range ids {
			st, _ := br.Status(id)
			encode(st)
			if d, err := br.Dossier(id); err == nil {
				encode([]any{d.ID, d.Header, d.HeaderBytes, d.HeaderSig, d.Deposit, d.DepositSig, d.Directory, d.Certs, d.Evidences})
			}
		}
	}
}

func (p *play) backup(b broker.BrokerID) {
	f := p.create("backup-" + string(b))
	if err := errors.Join(p.Nodes[b].Journal.Backup(context.Background(), f), f.Close()); err != nil {
		p.t.Error(err)
	}
}

func (p *play) goroutines() {
	buf := make([]byte, 4<<20)
	f := p.create("goroutines.txt")
	_, err := f.Write(buf[:runtime.Stack(buf, true)])
	if err := errors.Join(err, f.Close()); err != nil {
		p.t.Error(err)
	}
}

func (p *play) writeMarks() {
	b, err := json.Marshal(p.n.marks)
	if err == nil {
		err = os.WriteFile(filepath.Join(p.root, "marks.json"), b, 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
