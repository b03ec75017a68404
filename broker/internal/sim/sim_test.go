package sim

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
)

// TestSimulation plays its seeds, as many at a time as there are cores, each on
// one goroutine. The first that fails prints its trace; with VAGUEMESTRE_STOP
// it is also the last.
func TestSimulation(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(800)) // little is alive at any time
	scene, err := newScenery()
	if err != nil {
		t.Fatal(err)
	}
	first, n := uint64(runs.Number(t, "VAGUEMESTRE_SEED", 1)), runs.Number(t, "VAGUEMESTRE_SEEDS", usualSeeds)
	s := &series{t: t, scene: scene, next: first, end: first + uint64(n), counts: map[string]int{}, stop: os.Getenv("VAGUEMESTRE_STOP") != ""}
	start := time.Now()
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(s.work)
	}
	workers.Wait()
	r := s.record(first, n, time.Since(start))
	t.Log(r)
	if n >= 100 {
		r.wantMoves(t)
	}
	r.write(t)
}

// series is a row of seeds that several goroutines share.
type series struct {
	t     *testing.T
	scene *scenery
	end   uint64
	stop  bool

	mu     sync.Mutex
	next   uint64         // guarded by mu
	counts map[string]int // guarded by mu
	faults int            // guarded by mu
	failed int            // guarded by mu
}

func (s *series) work() {
	for {
		s.mu.Lock()
		seed := s.next
		s.next++
		over := seed >= s.end || s.stop && s.failed > 0
		s.mu.Unlock()
		if over {
			return
		}
		p, _, err := once(s.scene, seed, false)
		if err != nil {
			s.t.Errorf("seed %d: %v", seed, err)
			return
		}
		s.add(seed, p)
	}
}

func (s *series) add(seed uint64, p *play) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, k := range p.counts {
		s.counts[what] += k
	}
	s.faults += len(p.faults)
	if len(p.faults) == 0 {
		return
	}
	if s.failed++; s.failed > 1 {
		s.t.Errorf("seed %d: %s", seed, p.faults[0])
		return
	}
	again, _, err := once(s.scene, seed, true)
	if err != nil {
		s.t.Errorf("seed %d: %v", seed, err)
		return
	}
	s.t.Errorf("seed %d:\n%s\n\n%s", seed, strings.Join(again.lines, "\n"), strings.Join(p.faults, "\n"))
}

// once plays one seed and returns the digest of its trace.
func once(scene *scenery, seed uint64, keep bool) (*play, string, error) {
	p, err := newPlay(scene, seed)
	if err != nil {
		return nil, "", fmt.Errorf("sim: %w", err)
	}
	p.keep = keep
	return p, p.run(), nil
}
