// Package brokertest holds what any carrier or store of the broker must pass,
// and collaborators that fail on demand.
package brokertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

// start is when the events of the suite begin.
var start = time.Date(2026, 11, 20, 22, 41, 7, 123e6, time.UTC)

// TestStore is the suite of journal.Store. open gives a new store each time,
// at the beginning of its first log, and closes it with the test.
func TestStore(t *testing.T, open func(t *testing.T) journal.Store) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, journal.Store)
	}{
		{"begins with event 0", testBegin},
		{"gives back what was appended", testAppend},
		{"rolls back whole", testRollback},
		{"refuses one event and goes on", testRefusal},
		{"proves every leaf", testProofs},
		{"scans in order", testScan},
		{"keeps lanes in order", testLanes},
		{"lets urgent work overtake", testUrgent},
		{"waits for no hour that was set back", testClockSetBack},
		{"retries, buries and requeues", testSettle},
		{"keeps timers", testTimers},
		{"keeps checkpoints", testCheckpoints},
		{"keeps bodies", testBodies},
		{"equals the replay of its records", testHistory},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// MustAppend appends events in one transaction, and returns the position
// (leaf number in a first log) of the first.
func MustAppend(t testing.TB, s journal.Store, events ...journal.Event) (first uint64) {
	t.Helper()
	err := s.Update(func(tx journal.Tx) error {
		first = tx.Head().Size
		for _, e := range events {
			if e.At.IsZero() {
				e.At = start
			}
			if _, err := tx.Append(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return first
}

// mustView reads.
func mustView(t testing.TB, s journal.Store, f func(journal.View)) {
	t.Helper()
	if err := s.View(func(v journal.View) error { f(v); return nil }); err != nil {
		t.Fatal(err)
	}
}

func noted(c journal.Changes) journal.Event {
	return journal.Event{Type: journal.TypeNoted, At: start, Changes: c}
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func blobOf(name, content string) journal.Blob {
	return journal.Blob{Name: name, SHA256: digestOf([]byte(content)), Size: int64(len(content)), Bytes: []byte(content)}
}

func testBegin(t *testing.T, s journal.Store) {
	mustView(t, s, func(v journal.View) {
		h := v.Head()
		if h.Size != 1 || h.Broker == "" || !strings.HasPrefix(h.Origin, h.Broker+"/log/") {
			t.Errorf("head %+v", h)
		}
		if e, err := v.Record(0); err != nil || e.Type != journal.TypeLog || e.Digest != "" {
			t.Errorf("event 0: %+v, %v", e, err)
		}
		if _, err := v.Leaf(1); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("leaf after the end: %v", err)
		}
		if l := v.Logs(); len(l) != 1 || l[0] != h || v.Position() != h.Size {
			t.Errorf("logs %v", l)
		}
		if _, err := v.Log("relais/log/00000000000000000000000000000000"); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("a log that is not there: %v", err)
		}
	})
}

func testAppend(t *testing.T, s journal.Store) {
	e := journal.Event{Type: journal.TypePli, At: start, ID: "pli-1", Digest: strings.Repeat("ab", 32), Changes: journal.Changes{
		Objects: [][]byte{[]byte("en-tete"), []byte("signature")},
		Blobs:   []journal.Blob{blobOf("body/1", "scelle"), blobOf("body/2", "")},
		Puts:    []journal.Put{{Space: "state", Key: "pli-1", Value: []byte{}}, {Space: "state", Key: "pli-0"}},
		Enqueue: []journal.Item{{Topic: "carry", Dest: "parquet-lille", Lane: "fil", Urgent: true, Payload: []byte("x")}},
		Timers:  []journal.Timer{{Key: "overdue/pli-1", Due: start.Add(15 * time.Minute), Payload: []byte("y")}},
	}}
	n := MustAppend(t, s, e)
	mustView(t, s, func(v journal.View) {
		leaf, err := v.Leaf(n)
		if err != nil {
			t.Fatal(err)
		}
		l, err := journal.ParseLeaf(leaf)
		if err != nil || l.N != n || l.ID != e.ID || l.Type != e.Type || l.Digest != e.Digest || !l.At.Equal(e.At) {
			t.Errorf("leaf %s: %v", leaf, err)
		}
		got, err := v.Record(n)
		want := e
		want.Blobs = slices.Clone(e.Blobs)
		for i := range want.Blobs {
			want.Blobs[i].Bytes = nil
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("record: %v\n got %+v\nwant %+v", err, got, want)
		}
		if b, err := v.Object(digestOf([]byte("signature"))); err != nil || string(b) != "signature" {
			t.Errorf("object: %q, %v", b, err)
		}
		if _, err := v.Object(digestOf([]byte("autre"))); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("an object that is not there: %v", err)
		}
		if b, err := v.Blob("body/1"); err != nil || string(b) != "scelle" {
			t.Errorf("blob: %q, %v", b, err)
		}
		if b, ok := v.Get("state", "pli-1"); !ok || b == nil || len(b) != 0 {
			t.Errorf("an empty value: %v, %v", b, ok)
		}
	})
	MustAppend(t, s, noted(journal.Changes{Erase: []string{"body/1", "body/none"}, Puts: []journal.Put{{Space: "state", Key: "pli-1"}}}))
	mustView(t, s, func(v journal.View) {
		if _, err := v.Blob("body/1"); !errors.Is(err, journal.ErrNotFound) || v.HasBlob("body/1") || !v.HasBlob("body/2") {
			t.Errorf("after the erasure: %v", err)
		}
		if _, ok := v.Get("state", "pli-1"); ok {
			t.Error("the row is still there")
		}
	})
}

func testRollback(t *testing.T, s journal.Store) {
	var before journal.Head
	mustView(t, s, func(v journal.View) { before = v.Head() })
	stop := errors.New("stop")
	err := s.Update(func(tx journal.Tx) error {
		n, err := tx.Append(noted(journal.Changes{Puts: []journal.Put{{Space: "a", Key: "k", Value: []byte("v")}},
			Enqueue: []journal.Item{{Topic: "t"}}}))
		if err != nil {
			return err
		}
		if h := tx.Head(); h.Size != n+1 || h.Root == before.Root {
			t.Errorf("the transaction does not see what it wrote: %+v", h)
		}
		if _, ok := tx.Get("a", "k"); !ok || tx.Pending("t") != 1 {
			t.Error("the transaction does not see what it wrote")
		}
		return stop
	})
	if err != stop {
		t.Fatalf("error %v, want the one of the function", err)
	}
	mustView(t, s, func(v journal.View) {
		if _, ok := v.Get("a", "k"); ok || v.Pending("t") != 0 || v.Head() != before {
			t.Error("something stayed")
		}
	})
	MustAppend(t, s, noted(journal.Changes{})) // and the state is still usable
	mustView(t, s, func(v journal.View) { checkTree(t, v) })
}

func testRefusal(t *testing.T, s journal.Store) {
	long := strings.Repeat("a", 201)
	bad := map[string]journal.Event{
		"type":      {Type: "Pli", At: start},
		"time":      {Type: "pli"},
		"id":        {Type: "pli", At: start, ID: `a"b`},
		"digest":    {Type: "pli", At: start, Digest: "AB"},
		"space":     noted(journal.Changes{Puts: []journal.Put{{Space: "A", Key: "k", Value: []byte("v")}}}),
		"key":       noted(journal.Changes{Puts: []journal.Put{{Space: "a", Key: long, Value: []byte("v")}}}),
		"topic":     noted(journal.Changes{Enqueue: []journal.Item{{Dest: "d"}}}),
		"lane":      noted(journal.Changes{Enqueue: []journal.Item{{Topic: "t", Lane: "a\x00b"}}}),
		"outcome":   noted(journal.Changes{Settle: []journal.Settlement{{Seq: 1, Outcome: "perhaps"}}}),
		"retry":     noted(journal.Changes{Settle: []journal.Settlement{{Seq: 1, Outcome: journal.Retry}}}),
		"blob":      noted(journal.Changes{Blobs: []journal.Blob{{Name: "b", SHA256: digestOf(nil), Size: 1, Bytes: []byte("x")}}}),
		"body":      noted(journal.Changes{Blobs: []journal.Blob{{Name: "b", SHA256: digestOf(nil), Size: 1}}}),
		"timer":     noted(journal.Changes{Timers: []journal.Timer{{Due: start}}}),
		"gone":      noted(journal.Changes{Settle: []journal.Settlement{{Seq: 7 << 8, Outcome: journal.Done}}}),
		"no letter": noted(journal.Changes{Settle: []journal.Settlement{{Seq: 7 << 8, Outcome: journal.Requeue}}}),
	}
	err := s.Update(func(tx journal.Tx) error {
		for name, e := range bad {
			e.Puts = append(e.Puts, journal.Put{Space: "kept", Key: "k", Value: []byte(name)})
			_, err := tx.Append(e)
			var invalid *journal.InvalidError
			if !errors.As(err, &invalid) && !errors.Is(err, journal.ErrGone) && !errors.Is(err, journal.ErrNotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := tx.Append(noted(journal.Changes{Puts: []journal.Put{{Space: "a", Key: "after", Value: []byte("v")}}}))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	mustView(t, s, func(v journal.View) {
		if _, ok := v.Get("kept", "k"); ok || v.Head().Size != 2 {
			t.Errorf("a refused event left something: size %d", v.Head().Size)
		}
		if _, ok := v.Get("a", "after"); !ok {
			t.Error("the event after the refused ones is missing")
		}
		checkTree(t, v)
	})
}

// checkTree recomputes the root from the leaves, and proves some of them.
func checkTree(t testing.TB, v journal.View) {
	t.Helper()
	h := v.Head()
	var f journal.Frontier
	for n := range h.Size {
		leaf, err := v.Leaf(n)
		if err != nil {
			t.Fatal(err)
		}
		f.Append(journal.LeafHash(leaf), nil)
	}
	root, err := tlog.TreeHash(int64(h.Size), v.Hashes())
	if err != nil || root != tlog.Hash(f.Root()) || root != tlog.Hash(h.Root) {
		t.Errorf("root of %d: stored hashes %v, leaves %v, head %v: %v", h.Size, root, tlog.Hash(f.Root()), tlog.Hash(h.Root), err)
	}
}

func testProofs(t *testing.T, s journal.Store) {
	roots := map[int64]tlog.Hash{}
	for range 7 {
		var events []journal.Event
		for range 101 {
			events = append(events, noted(journal.Changes{}))
		}
		MustAppend(t, s, events...)
		mustView(t, s, func(v journal.View) {
			checkTree(t, v)
			roots[int64(v.Head().Size)] = v.Head().Root
		})
	}
	mustView(t, s, func(v journal.View) {
		for size, root := range roots {
			for n := int64(0); n < size; n += 37 {
				p, err := tlog.ProveRecord(size, n, v.Hashes())
				if err != nil {
					t.Fatal(err)
				}
				leaf, err := v.Leaf(uint64(n))
				if err != nil {
					t.Fatal(err)
				}
				if err := tlog.CheckRecord(p, size, root, n, journal.LeafHash(leaf)); err != nil {
					t.Errorf("leaf %d of %d: %v", n, size, err)
				}
			}
			for old, oldRoot := range roots {
				if old > size {
					continue
				}
				p, err := tlog.ProveTree(size, old, v.Hashes())
				if err == nil {
					err = tlog.CheckTree(p, size, root, old, oldRoot)
				}
				if err != nil {
					t.Errorf("%d extends %d: %v", size, old, err)
				}
			}
		}
	})
}

func testScan(t *testing.T, s journal.Store) {
	var puts []journal.Put
	for _, k := range []string{"b/2", "a", "b/10", "c", "b/1"} {
		puts = append(puts, journal.Put{Space: "inbox", Key: k, Value: []byte(k)})
	}
	puts = append(puts, journal.Put{Space: "inbo", Key: "xb/1", Value: []byte("no")}, journal.Put{Space: "inboxes", Key: "b/1", Value: []byte("no")})
	MustAppend(t, s, noted(journal.Changes{Puts: puts}))
	for _, c := range []struct{ prefix, from, want string }{
		{"", "", "a b/1 b/10 b/2 c"}, {"b/", "", "b/1 b/10 b/2"}, {"b/", "b/10", "b/10 b/2"}, {"", "b/2", "b/2 c"}, {"z", "", ""}, {"b/", "c", ""},
	} {
		var got []string
		mustView(t, s, func(v journal.View) {
			v.Scan("inbox", c.prefix, c.from, func(k string, b []byte) bool {
				if string(b) != k {
					t.Errorf("value of %s: %s", k, b)
				}
				got = append(got, k)
				return true
			})
		})
		if strings.Join(got, " ") != c.want {
			t.Errorf("prefix %q from %q: %v, want %s", c.prefix, c.from, got, c.want)
		}
	}
	calls := 0
	mustView(t, s, func(v journal.View) {
		v.Scan("inbox", "", "", func(string, []byte) bool { calls++; return calls < 2 })
	})
	if calls != 2 {
		t.Errorf("%d calls after it said stop", calls)
	}
}

func testCheckpoints(t *testing.T, s journal.Store) {
	mustView(t, s, func(v journal.View) {
		if _, _, err := v.Checkpoint(); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("before the first: %v", err)
		}
	})
	var old, last []byte
	keep := func(text []byte) error {
		return s.Update(func(tx journal.Tx) error { return tx.KeepCheckpoint(text, []byte("sig")) })
	}
	mustView(t, s, func(v journal.View) { old = v.Head().Checkpoint() })
	MustAppend(t, s, noted(journal.Changes{}))
	mustView(t, s, func(v journal.View) { last = v.Head().Checkpoint() })
	foreign := journal.Head{Origin: "autre/log/00000000000000000000000000000000", Size: 9}
	for _, text := range [][]byte{last, old} { // an older one changes nothing
		if err := keep(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := keep(foreign.Checkpoint()); !errors.Is(err, journal.ErrCheckpoint) {
		t.Errorf("a checkpoint of another log: %v", err)
	}
	mustView(t, s, func(v journal.View) {
		if text, sig, err := v.Checkpoint(); err != nil || !bytes.Equal(text, last) || string(sig) != "sig" {
			t.Errorf("kept %q %q %v", text, sig, err)
		}
	})
}
