package demo

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"vaguemestre/broker"
)

func play(t *testing.T, o Options) (*Demo, Result, error) {
	t.Helper()
	o.Root = t.TempDir()
	if o.Papers == nil {
		o.Papers = os.DirFS("../papers")
	}
	d, err := New(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := d.Play(context.Background())
	return d, r, err
}

// The whole story happens, is proven, and is told in the order of time.
func TestPlay(t *testing.T) {
	d, r, err := play(t, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Messages) != 6 || len(r.Brokers) != 2 || len(r.Anchors) != 6 || r.Fingerprints() < 4 {
		t.Errorf("%d messages, %d brokers, %d anchors, %d fingerprints", len(r.Messages), len(r.Brokers), len(r.Anchors), r.Fingerprints())
	}
	v, _ := d.Board().Look()
	for _, p := range v.Plis {
		if len(p.Waiting) > 0 {
			t.Errorf("pli %d still waits for %v", p.Number, p.Waiting)
		}
	}
	hours := lines(v)
	if !slices.IsSortedFunc(hours, func(a, b line) int { return a.fact.At.Compare(b.fact.At) }) {
		t.Error("the timeline is not in the order of time")
	}
	overdue := slices.IndexFunc(hours, func(l line) bool { return l.fact.Event == broker.Overdue })
	if overdue < 0 || hours[overdue].fact.At.Sub(v.Plis[5].Facts[0].At) < silence {
		t.Error("overdue before the patience of the party had ended")
	}
	var b strings.Builder
	if err := WriteTimeline(&b, v, r); err != nil || !strings.HasPrefix(b.String(), Notice+"\n") {
		t.Errorf("the first line is not the notice: %v", err)
	}
}

// A step that cannot happen is named, and the brokers are closed all the same.
func TestMissingStep(t *testing.T) {
	whole := os.DirFS("../papers")
	lacking := fstest.MapFS{}
	for _, name := range []string{"01-signalement.json", "pdf/rapport.pdf", "pdf/certificat.pdf", "02-opp.json"} {
		b, err := fs.ReadFile(whole, name)
		if err != nil {
			t.Fatal(err)
		}
		lacking[name] = &fstest.MapFile{Data: b}
	}
	_, _, err := play(t, Options{Papers: lacking})
	var m *MissingError
	if !errors.As(err, &m) || m.Step != "pli 2, deposit" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a lacking piece: %v", err)
	}
}

// Every evidence that the story implies is looked for: taking any one away is
// noticed, by its name.
func TestCompleteNoticesEachEvidence(t *testing.T) {
	var whole []PliView
	for _, s := range plot() {
		for len(whole) < s.pli {
			whole = append(whole, PliView{Number: len(whole) + 1})
		}
		for _, f := range s.implied() {
			p := &whole[s.pli-1]
			p.Facts = append(p.Facts, FactView{Event: f.event, Recipient: f.recipient})
		}
	}
	if err := complete(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for j, gone := range whole[i].Facts {
			less := slices.Clone(whole)
			less[i].Facts = slices.Delete(slices.Clone(whole[i].Facts), j, j+1)
			var m *MissingError
			if err := complete(less); !errors.As(err, &m) || !strings.Contains(m.Step, string(gone.Event)) {
				t.Errorf("pli %d without %s for %s: %v", i+1, gone.Event, orAll(gone.Recipient), err)
			}
		}
	}
}

// Interrupted, it ends: what was journaled is kept, and nothing is left open.
func TestInterrupted(t *testing.T) {
	d, err := New(context.Background(), Options{Root: t.TempDir(), Papers: os.DirFS("../papers")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := d.Play(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if _, err := d.world.OpenNode(context.Background(), Nord); err != nil {
		t.Errorf("the journal was left open: %v", err)
	}
	if err := d.world.Nodes[Nord].Close(context.Background()); err != nil {
		t.Error(err)
	}
}
