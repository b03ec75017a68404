package boltstore_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"vaguemestre/broker/journal"
)

// BenchmarkCommit commits the batches of message exchanges, five each:
// accepted, delivered, received, evidence sent, evidence received. It reports
// the CPU time of the whole process beside the elapsed time.
func BenchmarkCommit(b *testing.B) {
	for _, groupMax := range []int{256, 1} {
		for _, submitters := range []int{1, 16, 64, 256} {
			name := fmt.Sprintf("grouped/%d", submitters)
			if groupMax == 1 {
				name = fmt.Sprintf("one by one/%d", submitters)
			}
			b.Run(name, func(b *testing.B) { benchCommit(b, groupMax, submitters) })
		}
	}
}

func benchCommit(b *testing.B, groupMax, submitters int) {
	s := newStore(b, b.TempDir())
	j, err := journal.New(s, journal.Options{GroupMax: groupMax})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close(context.Background())
	var next atomic.Int64
	var wg sync.WaitGroup
	before := cpuTime(b)
	b.ResetTimer()
	for range submitters {
		wg.Go(func() {
			for {
				n := next.Add(1)
				if n > int64(b.N) {
					return
				}
				if err := exchange(j, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/1e3/float64(b.N)/5, "cpu-µs/batch")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
}

func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func junk(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func exchange(j *journal.Journal, n int64) error {
	id := fmt.Sprintf("0193b3a0-%04x-7000-8000-%012x", n%65536, n)
	lane := fmt.Sprintf("fil-%d", n%512)
	body := junk(2000)
	hexSum := func() string { return hex.EncodeToString(junk(32)) }
	commit := func(settle uint64, events ...journal.Event) (uint64, error) {
		if settle != 0 {
			events[0].Settle = []journal.Settlement{{Seq: settle, Outcome: journal.Done}}
		}
		c, err := j.Commit(context.Background(), func(v journal.View) (journal.Batch, error) {
			v.Get("state", id)
			return journal.Batch{Events: events}, nil
		})
		return c.First << 8, err
	}
	put := func(space string) []journal.Put {
		return []journal.Put{{Space: space, Key: id, Value: junk(100)}}
	}
	item := func(topic string) []journal.Item {
		return []journal.Item{{Topic: topic, Dest: "parquet-lille", Lane: lane, Payload: junk(100)}}
	}
	blob := journal.Blob{Name: journal.BodyName(sum(body)), SHA256: sum(body), Size: int64(len(body)), Bytes: body}
	pli, err := commit(0,
		journal.Event{Type: "pli", ID: id, Digest: hexSum(), Changes: journal.Changes{Objects: [][]byte{junk(600), junk(250)}, Blobs: []journal.Blob{blob}, Puts: put("idem")}},
		journal.Event{Type: "accepted", ID: id, Digest: hexSum(), Changes: journal.Changes{Objects: [][]byte{junk(700), junk(250)}, Puts: put("state"),
			Enqueue: item("pli"), Timers: []journal.Timer{{Key: "overdue/" + id, Due: start.AddDate(1, 0, 0)}}}})
	if err != nil {
		return err
	}
	if _, err := commit(pli+1<<8, journal.Event{Type: journal.TypeDelivered, ID: id}); err != nil {
		return err
	}
	received, err := commit(0,
		journal.Event{Type: "pli", ID: id, Digest: hexSum(), Changes: journal.Changes{Objects: [][]byte{junk(700), junk(250)}, Puts: put("inbox")}},
		journal.Event{Type: "consigned", ID: id, Digest: hexSum(), Changes: journal.Changes{Objects: [][]byte{junk(700), junk(250)}, Puts: put("state"), Enqueue: item("evidence")}})
	if err != nil {
		return err
	}
	if _, err := commit(received+1<<8, journal.Event{Type: journal.TypeDelivered, ID: id}); err != nil {
		return err
	}
	_, err = commit(0, journal.Event{Type: "consigned", ID: id, Digest: hexSum(), Changes: journal.Changes{Objects: [][]byte{junk(700), junk(250)}, Puts: put("state"),
		Timers: []journal.Timer{{Key: "overdue/" + id}}}})
	return err
}
