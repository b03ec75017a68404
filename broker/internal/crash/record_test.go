package crash

import (
	"fmt"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
)

// record is what a run leaves for whoever asks what was run.
type record struct {
	runs.Head
	Kills    int   `json:"kills"`
	Requests int64 `json:"requests"`
	Lost     int64 `json:"answers_lost"`     // then repeated
	Repeated int64 `json:"answers_repeated"` // from what was stored
	Doubled  int64 `json:"sent_twice_at_once"`
	figures
	Faults int `json:"faults"`
}

func (c *client) record(t *testing.T, kills int, f figures, took time.Duration) record {
	t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("VAGUEMESTRE_KILLS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/crash -run TestKill -v", kills, c.seed)
	h, err := runs.NewHead(root, command, c.seed, took)
	if err != nil {
		t.Fatal(err)
	}
	return record{
		Head: h, Kills: kills, Requests: c.sent.Load(), Lost: c.lostAnswers.Load(), Repeated: c.repeated.Load(), Doubled: c.doubled.Load(),
		figures: f, Faults: len(c.book.faults),
	}
}

// String is the line that every run prints.
func (r record) String() string {
	return fmt.Sprintf("%d kills, %d submissions, %d receipts (%d repeated from the journal), %d answers lost, %d sent twice at once, %d plis, %d consigned, %d acts, %d leaves, %d faults, %.1f s",
		r.Kills, r.Submissions, r.Accepted, r.Repeated, r.Lost, r.Doubled, r.Plis, r.Consigned, r.Acts, r.Leaves, r.Faults, r.Seconds)
}

// write leaves the record when VAGUEMESTRE_RECORD is set.
func (r record) write(t *testing.T) {
	t.Helper()
	runs.Keep(t, sabotage.Root, "kill", r.Date, r)
}
