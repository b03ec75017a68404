package brokertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// testHistory plays a random history, and compares the store with the replay
// of its own records.
func testHistory(t *testing.T, s journal.Store) {
	for seed := range uint64(3) {
		RandomHistory(t, s, seed, 150)
		mustView(t, s, func(v journal.View) { CheckView(t, v) })
	}
}

// RandomHistory commits n random transactions of every kind of change.
func RandomHistory(t testing.TB, s journal.Store, seed uint64, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 59))
	for range n {
		err := s.Update(func(tx journal.Tx) error {
			for range 1 + r.IntN(3) {
				if _, err := tx.Append(randomEvent(r, tx)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func randomEvent(r *rand.Rand, v journal.View) journal.Event {
	e := journal.Event{Type: journal.TypeNoted, At: start.Add(time.Duration(r.IntN(1e6)) * time.Millisecond)}
	name := func(s string, n int) string { return fmt.Sprintf("%s%d", s, r.IntN(n)) }
	for range r.IntN(3) {
		switch r.IntN(5) {
		case 0:
			e.Objects = append(e.Objects, []byte(name("objet", 500)))
		case 1:
			e.Blobs = append(e.Blobs, blobOf(name("body/", 40), strings.Repeat("c", r.IntN(3000))))
			if r.IntN(2) == 0 {
				e.Erase = append(e.Erase, name("body/", 40))
			}
		case 2:
			p := journal.Put{Space: name("s", 3), Key: name("k", 60)}
			if r.IntN(4) > 0 {
				p.Value = []byte(name("v", 10))
			}
			e.Puts = append(e.Puts, p)
		case 3:
			e.Enqueue = append(e.Enqueue, journal.Item{Topic: name("t", 2), Dest: name("d", 3), Lane: []string{"", "a", "b"}[r.IntN(3)],
				Urgent: r.IntN(4) == 0, Payload: []byte(name("p", 100))})
		case 4:
			tm := journal.Timer{Key: name("timer", 20)}
			if r.IntN(3) > 0 {
				tm.Due, tm.Payload = start.Add(time.Duration(r.IntN(1e6))*time.Millisecond), []byte(name("x", 5))
			}
			e.Timers = append(e.Timers, tm)
		}
	}
	if r.IntN(2) == 0 {
		e.Settle = randomSettle(r, v)
	}
	return e
}

func randomSettle(r *rand.Rand, v journal.View) (out []journal.Settlement) {
	at := start.Add(time.Duration(r.IntN(1e6)) * time.Millisecond)
	dest := fmt.Sprintf("d%d", r.IntN(3))
	for _, it := range v.Heads(fmt.Sprintf("t%d", r.IntN(2)), dest, start.Add(time.Hour), 2) {
		o := []journal.Outcome{journal.Done, journal.Done, journal.Retry, journal.Dead}[r.IntN(4)]
		out = append(out, journal.Settlement{Seq: it.Seq, Outcome: o, At: at, Reason: "essai"})
	}
	if letters := v.Letters(0, 5); len(letters) > 2 && r.IntN(2) == 0 {
		out = append(out, journal.Settlement{Seq: letters[r.IntN(len(letters))].Seq, Outcome: journal.Requeue})
	}
	return out
}

// ReplayOf replays all records of the log in course, the first of its file.
func ReplayOf(t testing.TB, v journal.View) *journal.Replay {
	t.Helper()
	p := journal.NewReplay()
	for n := range v.Head().Size {
		e, err := v.Record(n)
		if err != nil {
			t.Fatal(err)
		}
		r := journal.Record{Event: e, Inline: make([]bool, len(e.Blobs))}
		for _, o := range e.Objects {
			r.Objects = append(r.Objects, sha256.Sum256(o))
		}
		if err := p.Apply(n, &r); err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
	}
	return p
}

// CheckView compares every read of a view with the replay of its own records.
func CheckView(t testing.TB, v journal.View) {
	t.Helper()
	checkTree(t, v)
	p := ReplayOf(t, v)
	rows := 0
	for k, want := range p.Puts {
		got, ok := v.Get(k[0], k[1])
		if ok == want.Gone || ok && !bytes.Equal(got, want.Value) {
			t.Errorf("row %v: %s, want %+v", k, got, want)
		}
		if ok {
			rows++
		}
	}
	for space := range 3 {
		v.Scan(fmt.Sprintf("s%d", space), "", "", func(string, []byte) bool { rows--; return true })
	}
	if rows != 0 {
		t.Errorf("%d rows too many or too few", -rows)
	}
	for name, want := range p.Blobs {
		if b, err := v.Blob(name); (err == nil) == want.Gone || err == nil && sha256.Sum256(b) != want.Value.SHA256 {
			t.Errorf("blob %s: %v, want %+v", name, err, want)
		}
	}
	for sum := range p.Objects {
		if b, err := v.Object(hex.EncodeToString(sum[:])); err != nil || sha256.Sum256(b) != sum {
			t.Errorf("object: %v", err)
		}
	}
	compareWork(t, v, p)
	for key, want := range p.Timers {
		if got, ok := v.Timer(key); ok == want.Gone || ok && !sameTimer(got, want.Value) {
			t.Errorf("timer %s: %+v, want %+v", key, got, want)
		}
	}
}

func sameTimer(a, b journal.Timer) bool {
	return a.Key == b.Key && a.Due.Equal(b.Due) && bytes.Equal(a.Payload, b.Payload)
}

func compareWork(t testing.TB, v journal.View, p *journal.Replay) {
	t.Helper()
	pending := 0
	for topic := range 2 {
		name := fmt.Sprintf("t%d", topic)
		pending += v.Pending(name)
		for dest := range 3 {
			for _, now := range []time.Time{start, start.Add(8 * time.Minute), start.Add(time.Hour)} {
				to := fmt.Sprintf("d%d", dest)
				got, want := v.Heads(name, to, now, 1000), p.DueHeads(name, to, now, 1000)
				if !reflect.DeepEqual(got, want) {
					t.Errorf("heads of %s %s:\n got %+v\nwant %+v", name, to, got, want)
				}
			}
		}
	}
	if pending != len(p.Items) {
		t.Errorf("%d pending, want %d", pending, len(p.Items))
	}
	if got := v.Letters(0, 1<<20); len(got) != len(p.Letters) {
		t.Errorf("%d letters, want %d", len(got), len(p.Letters))
	}
}
