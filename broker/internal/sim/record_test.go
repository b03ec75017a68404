package sim

import (
	"fmt"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
)

// record is what a run leaves.
type record struct {
	runs.Head
	Seeds       int `json:"seeds"`
	Plis        int `json:"plis"`
	Consigned   int `json:"consigned"`
	Acts        int `json:"acts"`
	Alarms      int `json:"alarms"`
	Deliveries  int `json:"deliveries"`
	Crashes     int `json:"crashes"`
	Cuts        int `json:"roads_cut"`
	Lost        int `json:"parcels_lost"`
	AnswersLost int `json:"answers_lost"`
	Twice       int `json:"parcels_twice"`
	Late        int `json:"parcels_late"`
	Refused     int `json:"parcels_refused"`
	Meanwhile   int `json:"meanwhile"`
	Forgeries   int `json:"forgeries"`
	DeadLetters int `json:"dead_letters"`
	Ordered     int `json:"pairs_in_order"`
	Evidences   int `json:"evidences"`
	Leaves      int `json:"leaves"`
	Faults      int `json:"faults"`
}

func (s *series) record(first uint64, n int, took time.Duration) record {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	r := record{
		Seeds: n, Plis: c["plis"], Consigned: c["consigned"], Acts: c["acts"], Alarms: c["alarms"], Deliveries: c["deliveries"],
		Crashes: c["crashes"], Cuts: c["cuts"], Lost: c[string(lost)], AnswersLost: c[string(answerLost)], Twice: c[string(twice)],
		Late: c[string(late)], Refused: c[string(refused)], Meanwhile: c["meanwhile"], Forgeries: c["forgeries"],
		DeadLetters: c["dead letters"], Ordered: c["ordered"], Evidences: c["evidences"], Leaves: c["leaves"], Faults: s.faults,
	}
	root, err := sabotage.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	command := fmt.Sprintf("VAGUEMESTRE_SEEDS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/sim -run TestSimulation -v", n, first)
	if r.Head, err = runs.NewHead(root, command, first, took); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// String is the line that every run prints.
func (r record) String() string {
	return fmt.Sprintf("%d seeds, %d plis, %d consigned, %d acts, %d alarms, %d deliveries, %d crashes, %d roads cut, parcels %d lost, %d without answer, %d twice, %d late, %d refused, %d moves meanwhile, %d forgeries, %d dead letters, %d pairs in order, %d evidences, %d leaves, %d faults, %.1f s",
		r.Seeds, r.Plis, r.Consigned, r.Acts, r.Alarms, r.Deliveries, r.Crashes, r.Cuts, r.Lost, r.AnswersLost, r.Twice, r.Late, r.Refused,
		r.Meanwhile, r.Forgeries, r.DeadLetters, r.Ordered, r.Evidences, r.Leaves, r.Faults, r.Seconds)
}

// wantMoves wants everything to have happened, so that a tame run does not look
// like a proof.
func (r record) wantMoves(t *testing.T) {
	t.Helper()
	for what, n := range map[string]int{
		"consigned": r.Consigned, "acts": r.Acts, "alarms": r.Alarms, "crashes": r.Crashes, "cuts": r.Cuts, "lost": r.Lost, "answers lost": r.AnswersLost,
		"twice": r.Twice, "late": r.Late, "meanwhile": r.Meanwhile, "forgeries": r.Forgeries,
	} {
		if n < r.Seeds/4 {
			t.Errorf("%d %s in %d seeds: little was shown", n, what, r.Seeds)
		}
	}
}

// write leaves the record when it is wanted.
func (r record) write(t *testing.T) {
	t.Helper()
	runs.Keep(t, sabotage.Root, "sim", r.Date, r)
}
