package killserve

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
	Kills          int   `json:"kills"`
	Starting       int   `json:"kills_while_starting"`
	Draining       int   `json:"kills_while_draining"`
	InUse          int   `json:"starts_while_in_use"` // a command had the directory; started again
	Requests       int64 `json:"requests"`
	Commands       int64 `json:"commands"`
	KilledCommands int64 `json:"commands_killed"`
	Lost           int64 `json:"answers_lost"`     // then repeated
	Repeated       int64 `json:"answers_repeated"` // from what was stored
	Doubled        int64 `json:"sent_twice_at_once"`
	Cut            int64 `json:"given_up_by_the_client"`
	figures
	Faults int `json:"faults"`
}

func (r *run) record(t *testing.T, took time.Duration) record {
	t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("VAGUEMESTRE_KILLS=%d VAGUEMESTRE_SEED=%d go test ./broker/internal/killserve -run TestKillServe -timeout 4h -v", r.kills, r.seed)
	h, err := runs.NewHead(root, command, r.seed, took)
	if err != nil {
		t.Fatal(err)
	}
	return record{
		Head: h, Kills: r.done, Starting: r.starting, Draining: r.draining, InUse: r.refused,
		Requests: r.requests.Load(), Commands: r.commands.Load(), KilledCommands: r.killedCommands.Load(),
		Lost: r.lost.Load(), Repeated: r.repeated.Load(), Doubled: r.doubled.Load(), Cut: r.cut.Load(),
		figures: r.figures, Faults: len(r.book.faults),
	}
}

// String is the line that every run prints.
func (r record) String() string {
	return fmt.Sprintf("%d kills (%d while starting, %d while draining), %d requests, %d commands (%d killed), %d submissions, %d receipts (%d repeated from the journal), "+
		"%d answers lost, %d sent twice at once, %d given up by the client, %d plis, %d consigned, %d fetched, %d acts, %d leaves, %d faults, %.1f s",
		r.Kills, r.Starting, r.Draining, r.Requests, r.Commands, r.KilledCommands, r.Submissions, r.Receipts, r.Repeated,
		r.Lost, r.Doubled, r.Cut, r.Plis, r.Consigned, r.Fetched, r.Acts, r.Leaves, r.Faults, r.Seconds)
}

// write leaves the record when VAGUEMESTRE_RECORD is set.
func (r record) write(t *testing.T) {
	t.Helper()
	runs.Keep(t, sabotage.Root, "kill-serve", r.Date, r)
}
