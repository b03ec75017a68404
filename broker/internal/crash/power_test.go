//go:build linux

package crash

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/internal/disk"
	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// powerRecord is what a run leaves.
type powerRecord struct {
	runs.Head
	Ext4   int   `json:"cuts_ext4"`
	XFS    int   `json:"cuts_xfs"`
	Looked int   `json:"receipts_checked_after_a_cut"`
	Lost   int64 `json:"answers_lost"` // then repeated
	figures
	Faults int `json:"faults"`
}

// String is the line that every run prints.
func (r powerRecord) String() string {
	return fmt.Sprintf("%d power cuts on ext4, %d on xfs: %d submissions, %d receipts (%d checks of one after a cut), %d answers lost, %d plis, %d consigned, %d acts, %d leaves, %d faults, %.1f s",
		r.Ext4, r.XFS, r.Submissions, r.Accepted, r.Looked, r.Lost, r.Plis, r.Consigned, r.Acts, r.Leaves, r.Faults, r.Seconds)
}

// TestPower cuts the power of two brokers under load, and looks at what the
// disk has. VAGUEMESTRE_CUTS says how often on each file system (5 when unset).
func TestPower(t *testing.T) {
	cuts := runs.Number(t, "VAGUEMESTRE_CUTS", 5)
	seed := uint64(runs.Number(t, "VAGUEMESTRE_SEED", int(time.Now().Unix()%1e6)))
	if testing.Short() {
		cuts = min(cuts, 2)
	}
	began := time.Now()
	var rec powerRecord
	done := map[string]*int{"ext4": &rec.Ext4, "xfs": &rec.XFS}
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			p := &powerCuts{client: newClient(t, "", seed), loop: loopDisk(t, kind, 0)}
			p.root, p.death, p.after = p.loop.Path, func(*life) error { return p.loop.Cut() }, p.look
			f := p.trial(t, cuts)
			reportFaults(t, p.book)
			*done[kind], rec.Faults = cuts, rec.Faults+len(p.book.faults)
			rec.Looked, rec.Lost = rec.Looked+p.looked, rec.Lost+p.lostAnswers.Load()
			rec.add(f)
		})
	}
	if rec.Ext4+rec.XFS == 0 {
		t.Skip("no file system could be mounted")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	rec.Head, err = runs.NewHead(root, fmt.Sprintf("VAGUEMESTRE_CUTS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/crash -run TestPower -v", cuts, seed), seed, time.Since(began))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(rec)
	runs.Keep(t, sabotage.Root, "power", rec.Date, rec)
}

func (r *powerRecord) add(f figures) {
	r.Submissions, r.Accepted, r.Plis = r.Submissions+f.Submissions, r.Accepted+f.Accepted, r.Plis+f.Plis
	r.Consigned, r.Acts, r.Leaves = r.Consigned+f.Consigned, r.Acts+f.Acts, r.Leaves+f.Leaves
}

// loopDisk mounts a file system of its own, or skips by name: root and loop
// devices are more than a build machine need have.
func loopDisk(t *testing.T, kind string, size int) *disk.Loop {
	t.Helper()
	l, err := disk.NewLoop(kind, t.TempDir(), size)
	if errors.Is(err, disk.ErrUnavailable) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// powerCuts is a client of brokers whose disk is cut off.
type powerCuts struct {
	*client
	loop   *disk.Loop
	looked int
}

// look mounts the disk again and holds both journals against what was answered
// until now, before any broker touches them.
func (p *powerCuts) look() error {
	if err := p.loop.Renew(); err != nil {
		return err
	}
	held := map[string]int{}
	for _, b := range both {
		dir := p.root + "/" + string(b)
		if _, err := boltstore.Verify(context.Background(), dir, nil); err != nil {
			p.book.fault(broken, "%s after a cut: %v", b, err)
			return nil
		}
		s, err := boltstore.OpenReadOnly(dir)
		if err != nil {
			p.book.fault(broken, "%s after a cut: %v", b, err)
			return nil
		}
		err = s.View(func(v journal.View) error {
			found, err := brokertest.ViewFacts(v)
			for id, n := range found.Plis {
				held[string(b)+id] = n
			}
			return err
		})
		if err := errors.Join(err, s.Close()); err != nil {
			p.book.fault(broken, "%s after a cut: %v", b, err)
			return nil
		}
	}
	p.looked += p.book.receiptsIn(held)
	return nil
}

// receiptsIn wants the pli of every receipt once at the sender's home, and
// counts them.
func (g *ledger) receiptsIn(held map[string]int) (n int) {
	g.mu.Lock()
	entries := make([]entry, 0, len(g.entries))
	for _, e := range g.entries {
		entries = append(entries, entry{letter: e.letter, receipts: slices.Clone(e.receipts)})
	}
	g.mu.Unlock()
	for _, e := range entries {
		for _, r := range e.receipts {
			n++
			g.once(held[string(homeOf(e.letter.from))+r.ID], "pli, after a cut,", homeOf(e.letter.from), e.letter.number)
		}
	}
	return n
}

// TestSabotagePower: what TestPower must find at once.
func TestSabotagePower(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	_ = loopDisk(t, "ext4", 0) // or skip
	mustFind(t, []faultyBuild{{name: "nothing is synced", run: "TestPower", word: lost, edits: noSync}}, "VAGUEMESTRE_CUTS=2", "VAGUEMESTRE_PATIENCE=5")
}
