package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// load commits from several goroutines until it is stopped.
type load struct {
	j       *journal.Journal
	stop    chan struct{}
	wg      sync.WaitGroup
	commits atomic.Int64
	mu      sync.Mutex
	last    time.Time     // of a commit that was answered
	gap     time.Duration // the longest between two
	err     error
}

const committers = 8

func startLoad(j *journal.Journal) *load {
	l := &load{j: j, stop: make(chan struct{}), last: time.Now()}
	for worker := range committers {
		l.wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-l.stop:
					return
				default:
				}
				key := fmt.Sprintf("%d-%d", worker, n)
				_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
					return journal.Batch{Events: []journal.Event{{Type: journal.TypeNoted, Changes: journal.Changes{
						Puts: []journal.Put{{Space: "kept", Key: key, Value: []byte("x")}}, Objects: [][]byte{[]byte(key)}}}}}, nil
				})
				l.answered(err)
			}
		})
	}
	return l
}

func (l *load) answered(err error) {
	l.commits.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.gap, l.last = max(l.gap, now.Sub(l.last)), now
	l.err = errors.Join(l.err, err)
}

// longest is the longest gap since it was asked last.
func (l *load) longest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	gap := max(l.gap, time.Since(l.last))
	l.gap, l.last = 0, time.Now()
	return gap
}

func (l *load) end() error {
	close(l.stop)
	l.wg.Wait()
	return l.err
}

// stuck is a reader of the copy that waits before its second write.
type stuck struct {
	io.Writer
	writes int
	until  func()
}

func (s *stuck) Write(b []byte) (int, error) {
	if s.writes++; s.writes == 2 {
		s.until()
	}
	return s.Writer.Write(b)
}

const heldBack = "COMMITS WERE HELD BACK"

type backupRecord struct {
	runs.Head
	Messages     int     `json:"messages"`
	Bytes        int64   `json:"bytes"`
	Commits      int64   `json:"commits"`
	DuringStuck  int64   `json:"commits_during_a_copy_that_stands_still"`
	GapBefore    float64 `json:"longest_gap_before_ms"`
	GapDuring    float64 `json:"longest_gap_during_ms"`
	CopyTook     float64 `json:"copy_seconds"`
	EventsInCopy uint64  `json:"events_in_copy"`
}

// TestBackupUnderLoad: see the package comment.
func TestBackupUnderLoad(t *testing.T) {
	began, n := time.Now(), runs.Number(t, "VAGUEMESTRE_MESSAGES", 2000)
	dir, copied := t.TempDir(), t.TempDir()
	s := create(t, dir)
	generate(t, s, n)
	j, err := journal.New(s, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l := startLoad(j)
	out, err := os.Create(filepath.Join(copied, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	r := backupRecord{Messages: n}
	const wanted = 300
	err = j.Backup(context.Background(), &stuck{Writer: io.Discard, until: func() {
		from := l.commits.Load()
		for end := time.Now().Add(20 * time.Second); l.commits.Load()-from < wanted && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		r.DuringStuck = l.commits.Load() - from
	}})
	if err != nil {
		t.Fatal(err)
	}
	if r.DuringStuck < wanted {
		t.Errorf("%s: %d commits while the copy stood still, want %d", heldBack, r.DuringStuck, wanted)
	}
	l.longest()
	time.Sleep(300 * time.Millisecond)
	r.GapBefore = ms(l.longest())
	covered, start := j.Head().Size, time.Now()
	err = j.Backup(context.Background(), out)
	r.CopyTook, r.GapDuring = time.Since(start).Seconds(), ms(l.longest())
	if err := errors.Join(err, out.Sync(), out.Close(), l.end(), j.Close(context.Background())); err != nil {
		t.Fatal(err)
	}
	rep, err := boltstore.Verify(context.Background(), copied, nil)
	if err != nil || rep.Size < covered {
		t.Errorf("the copy: %d of %d events, %v", rep.Size, covered, err)
	}
	info, err := os.Stat(filepath.Join(copied, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	r.Commits, r.Bytes, r.EventsInCopy = l.commits.Load(), info.Size(), rep.Size
	t.Logf("%d messages, %d MB copied in %.2f s beside %d commits; longest gap between commits %.0f ms, %.0f ms without; %d commits while a copy stood still",
		n, r.Bytes>>20, r.CopyTook, r.Commits, r.GapDuring, r.GapBefore, r.DuringStuck)
	leave(t, "backup", "TestBackupUnderLoad", n, began, &r.Head, &r)
}

// leave writes the record of a run, where one is wanted.
func leave(t *testing.T, name, test string, messages int, began time.Time, head *runs.Head, record any) {
	t.Helper()
	if !runs.Wanted() {
		return
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("VAGUEMESTRE_MESSAGES=%d go test ./broker/internal/ops -run %s -v -timeout 1h", messages, test)
	if *head, err = runs.NewHead(root, command, seed, time.Since(began)); err != nil {
		t.Fatal(err)
	}
	runs.Keep(t, sabotage.Root, name, head.Date, record)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// TestSabotage: a backup that holds the writer is found.
func TestSabotage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	edit := sabotage.Edit{File: "broker/journal/boltstore/backup.go", Old: "	v, err := s.view()\n	if err != nil {", New: "	s.writer.Lock()\n	defer s.writer.Unlock()\n	v, err := s.view()\n	if err != nil {"}
	res, err := sabotage.Test(context.Background(), root, []sabotage.Edit{edit}, []string{"VAGUEMESTRE_RECORD=", "VAGUEMESTRE_MESSAGES=500"}, "./broker/internal/ops", "-run", "^TestBackupUnderLoad$")
	switch {
	case errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true":
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	case !strings.Contains(res.Output, heldBack):
		t.Errorf("nothing was found:\n%s", res.Output)
	}
}
