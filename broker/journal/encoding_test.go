package journal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker/journal"
)

var update = flag.Bool("update", false, "write the golden files again")

var start = time.Date(2026, 11, 20, 22, 41, 7, 123e6, time.UTC)

// full is an event with a member of every kind.
func full() journal.Event {
	body := []byte("scelle")
	sum := sha256.Sum256(body)
	return journal.Event{Type: "accepted", At: start, ID: "0193b3a0-0000-7000-8000-000000000001", Digest: strings.Repeat("0a", 32),
		Changes: journal.Changes{
			Objects: [][]byte{[]byte("en-tete")},
			Blobs: []journal.Blob{{Name: "body/a", SHA256: hex.EncodeToString(sum[:]), Size: 6, Bytes: body},
				{Name: "body/b", SHA256: strings.Repeat("ff", 32), Size: 1 << 30}},
			Erase:   []string{"body/c"},
			Puts:    []journal.Put{{Space: "state", Key: "a", Value: []byte("v")}, {Space: "state", Key: "b", Value: []byte{}}, {Space: "state", Key: "c"}},
			Enqueue: []journal.Item{{Topic: "carry", Dest: "parquet-lille", Lane: "fil", Urgent: true, Payload: []byte("p")}, {Topic: "carry"}},
			Settle: []journal.Settlement{{Seq: 256, Outcome: journal.Done}, {Seq: 512, Outcome: journal.Retry, At: start.Add(time.Second), Reason: "temporaire"},
				{Seq: 768, Outcome: journal.Dead, Reason: "perime"}, {Seq: 1024, Outcome: journal.Requeue}},
			Timers: []journal.Timer{{Key: "overdue/a", Due: start.Add(15 * time.Minute), Payload: []byte("t")}, {Key: "overdue/b"}},
		}}
}

// TestGolden: the bytes of a leaf and of a record never change.
func TestGolden(t *testing.T) {
	en, err := journal.NewEntry(12, full(), [16]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{"record-1.hex": []byte(hex.EncodeToString(en.Record) + "\n"), "leaf-1.json": en.Leaf} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
		}
	}
}

func TestRecordRoundTrip(t *testing.T) {
	en, err := journal.NewEntry(12, full(), [16]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := journal.ParseRecord(en.Record)
	if err != nil {
		t.Fatal(err)
	}
	want := full()
	want.Objects, want.Blobs[0].Bytes = nil, nil
	if !reflect.DeepEqual(r.Event, want) || !reflect.DeepEqual(r.Inline, []bool{true, false}) || len(r.Objects) != 1 || r.Objects[0] != en.Objects[0] {
		t.Errorf("got %+v", r)
	}
	if got := r.Leaf(12, [16]byte{1}, en.Record).Append(nil); !bytes.Equal(got, en.Leaf) {
		t.Errorf("the record gives the leaf %s, want %s", got, en.Leaf)
	}
	for i := range en.Record { // every cut, and every flipped byte that still parses must say something else
		if _, err := journal.ParseRecord(en.Record[:i]); !errors.Is(err, journal.ErrRecord) {
			t.Errorf("cut at %d: %v", i, err)
		}
		bad := bytes.Clone(en.Record)
		bad[i] ^= 1
		if got, err := journal.ParseRecord(bad); err == nil && reflect.DeepEqual(got, r) {
			t.Errorf("byte %d counts for nothing", i)
		}
	}
	if _, err := journal.ParseRecord(append(en.Record, 0)); !errors.Is(err, journal.ErrRecord) {
		t.Errorf("a byte after the end: %v", err)
	}
}

func TestParseLeaf(t *testing.T) {
	nonce := strings.Repeat("0a", 32)
	good := `{"v":1,"n":12,"at":"2026-11-20T22:41:07.123Z","type":"consigned","nonce":"` + nonce + `","id":"p-1","digest":"` + nonce + `"}`
	l, err := journal.ParseLeaf([]byte(good))
	if err != nil || l.N != 12 || l.Type != "consigned" || l.ID != "p-1" || l.Digest != nonce || l.Nonce != nonce || !l.At.Equal(start) {
		t.Fatalf("%+v, %v", l, err)
	}
	for name, change := range map[string][2]string{
		"version": {`"v":1`, `"v":2`}, "zeros": {`"n":12`, `"n":012`}, "sign": {`"n":12`, `"n":+12`}, "space": {`,"at"`, `, "at"`},
		"order": {`"v":1,"n":12`, `"n":12,"v":1`}, "no milliseconds": {`.123Z`, `Z`}, "zone": {`.123Z`, `.123+00:00`}, "day": {`11-20`, `11-31`},
		"type": {`consigned`, `Consigned`}, "nonce": {`:"0a0a`, `:"0A0a`}, "empty id": {`"id":"p-1"`, `"id":""`}, "escape": {`p-1`, `p\u0031`},
		"unknown member": {`,"id"`, `,"x":"y","id"`}, "twice": {`,"id":"p-1"`, `,"id":"p-1","id":"p-1"`}, "end": {`"}`, "\"}\n"}, "not ascii": {`p-1`, `é`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s: the case changes nothing", name)
		}
		if _, err := journal.ParseLeaf([]byte(bad)); !errors.Is(err, journal.ErrLeaf) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckpointText(t *testing.T) {
	h := journal.Head{Broker: "relais", Origin: "relais/log/00112233445566778899aabbccddeeff", Size: 7, Root: sha256.Sum256(nil)}
	text := "relais/log/00112233445566778899aabbccddeeff\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
	if string(h.Checkpoint()) != text {
		t.Errorf("text %q", h.Checkpoint())
	}
	if got, err := journal.ParseCheckpoint([]byte(text)); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"no end": text[:len(text)-1], "a line more": text + "x\n", "zeros": strings.Replace(text, "\n7\n", "\n07\n", 1),
		"origin": "relais" + text[6+5+32:], "upper": strings.Replace(text, "aabb", "AABB", 1), "short root": strings.Replace(text, "47DE", "", 1),
		"padding": strings.Replace(text, "SuFU=", "SuFV=", 1), "return": strings.ReplaceAll(text, "\n", "\r\n"), "negative": strings.Replace(text, "\n7\n", "\n-7\n", 1),
	} {
		if _, err := journal.ParseCheckpoint([]byte(bad)); !errors.Is(err, journal.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := journal.NewOrigin("Relais", [16]byte{}); err == nil {
		t.Error("a broker with a capital")
	}
}

// TestFrontier: the same roots as a tree that keeps every hash.
func TestFrontier(t *testing.T) {
	var f journal.Frontier
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) (out []tlog.Hash, _ error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	for n := range int64(300) {
		leaf := []byte{byte(n), byte(n >> 8)}
		more, err := tlog.StoredHashes(n, leaf, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		var completed []tlog.Hash
		f.Append(journal.LeafHash(leaf), func(_ int, h [32]byte) { completed = append(completed, h) })
		root, err := tlog.TreeHash(n+1, read)
		if err != nil || root != tlog.Hash(f.Root()) || !reflect.DeepEqual(completed, more) {
			t.Fatalf("size %d: %v, want %v; %v", n+1, tlog.Hash(f.Root()), root, err)
		}
		again, err := journal.ParseFrontier(f.Size, f.AppendNodes(nil))
		if err != nil || again.Root() != f.Root() {
			t.Fatalf("size %d: read back %v", n+1, err)
		}
	}
	if _, err := journal.ParseFrontier(3, make([]byte, 32)); !errors.Is(err, journal.ErrFrontier) {
		t.Errorf("a node is missing: %v", err)
	}
}

func FuzzParseLeaf(f *testing.F) {
	en, err := journal.NewEntry(12, full(), [16]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(en.Leaf)
	f.Add([]byte(`{"v":1,"n":0,"at":"2026-11-20T22:41:07.123Z","type":"log","nonce":"` + strings.Repeat("0a", 32) + `"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := journal.ParseLeaf(b); err == nil && !bytes.Equal(l.Append(nil), b) {
			t.Errorf("two encodings of %+v", l)
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	en, err := journal.NewEntry(12, full(), [16]byte{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(en.Record)
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := journal.ParseRecord(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.Append(nil), b) {
			t.Errorf("two encodings of %+v", r)
		}
		if _, err := journal.ParseLeaf(r.Leaf(1, [16]byte{}, b).Append(nil)); err != nil {
			t.Errorf("a record without a leaf: %+v", r)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte("relais/log/00112233445566778899aabbccddeeff\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := journal.ParseCheckpoint(b); err == nil && !bytes.Equal(h.Checkpoint(), b) {
			t.Errorf("two texts of %+v", h)
		}
	})
}
