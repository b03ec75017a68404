package broker

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Rows are written and read by hand: encoding/json, with the names beside the
// fields, says what they should be.
func TestRowsAreWhatTheirFieldsSay(t *testing.T) {
	digest := rapid.StringMatching(`[0-9a-f]{64}`)
	absent := rapid.OneOf(digest, rapid.Just(""))
	list := rapid.Custom(func(t *rapid.T) []string {
		if l := rapid.SliceOfN(digest, 0, 4).Draw(t, "list"); len(l) > 0 {
			return l
		}
		return nil
	})
	event := rapid.Custom(func(t *rapid.T) Event { return rapid.SampledFrom(EventTable()).Draw(t, "event").Event })
	rapid.Check(t, func(t *rapid.T) {
		checkRow(t, State{
			Progress: event.Draw(t, "progress"), Closure: event.Draw(t, "closure"), ClosedAt: rapid.SampledFrom([]string{"", someTime}).Draw(t, "at"),
			Flags: Flag(rapid.Byte().Draw(t, "flags")), Acted: rapid.Bool().Draw(t, "acted"), Judged: rapid.Bool().Draw(t, "judged"),
			Heads: list.Draw(t, "heads"), Named: list.Draw(t, "named"),
		})
		checkRow(t, pliRecord{
			Header: digest.Draw(t, "header"), HeaderSig: digest.Draw(t, "sig"), Deposit: absent.Draw(t, "deposit"), DepositSig: absent.Draw(t, "stamp"),
			Body: digest.Draw(t, "body"), Sent: rapid.Bool().Draw(t, "sent"), Pos: rapid.Uint64Max(1e14).Draw(t, "pos"), DepositPos: rapid.Uint64Max(1e14).Draw(t, "deposit pos"),
			FromCert: digest.Draw(t, "cert"), DepositCert: absent.Draw(t, "deposit cert"), Directory: absent.Draw(t, "directory"),
		})
		checkRow(t, evidenceRecord{Digest: digest.Draw(t, "digest"), Sig: digest.Draw(t, "sig"), Cert: digest.Draw(t, "cert"), Sealed: absent.Draw(t, "sealed")})
		checkRow(t, idemRecord{MAC: digest.Draw(t, "mac"), ID: someID})
	})
	checkRow(t, State{})
}

type fataler interface {
	Fatalf(format string, args ...any)
}

func checkRow[T row, P readable[T]](t fataler, v T) {
	want, err := json.Marshal(v)
	if got := v.encode(); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%T: %v\n got %s\nwant %s", v, err, got, want)
	}
	var back T
	if err := P(&back).decode(want); err != nil || !reflect.DeepEqual(back, v) {
		t.Fatalf("%T read again: %v\n got %+v\nwant %+v", v, err, back, v)
	}
}

// A row that this program would not have written is none.
func TestRowsOfOneSpellingOnly(t *testing.T) {
	good := string(State{Progress: Consigned, Flags: FlagAlerted, Acted: true, Heads: []string{someDigest}}.encode())
	m := newMemory()
	for _, text := range []string{
		good + " ", " " + good, strings.Replace(good, "true", "false", 1), strings.Replace(good, "8", "08", 1), strings.Replace(good, "8", "264", 1),
		strings.Replace(good, `"p":"consigned",`, `"p":"",`, 1), strings.Replace(good, `"h":[`, `"n":[],"h":[`, 1), strings.Replace(good, `}`, `,"n":[]}`, 1),
		"{", "", "null", good[:len(good)-1], good + good,
	} {
		m.puts[[2]string{spaceState, "k"}] = text
		if st, ok := get[State](m, spaceState, "k"); ok || !reflect.DeepEqual(st, State{}) {
			t.Errorf("read %q as %+v", text, st)
		}
	}
	m.puts[[2]string{spaceState, "k"}] = good
	if _, ok := get[State](m, spaceState, "k"); !ok {
		t.Errorf("refused %q", good)
	}
}

// FuzzRows: what is read is written the same.
func FuzzRows(f *testing.F) {
	f.Add(State{Progress: Consigned, Closure: Returned, ClosedAt: someTime, Flags: FlagAlerted, Acted: true, Judged: true, Heads: []string{someDigest}, Named: []string{someDigest}}.encode())
	f.Add(State{}.encode())
	f.Add(pliRecord{Header: someDigest, Deposit: someDigest, Sent: true, Pos: 7, DepositPos: 8, Directory: someDigest}.encode())
	f.Add(evidenceRecord{Digest: someDigest, Sealed: blobSealed + someDigest}.encode())
	f.Add(idemRecord{MAC: someDigest, ID: someID}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		var st State
		var pli pliRecord
		var ev evidenceRecord
		var idem idemRecord
		for _, r := range []interface {
			row
			decode([]byte) error
		}{&st, &pli, &ev, &idem} {
			if r.decode(b) == nil && !bytes.Equal(r.encode(), b) {
				t.Fatalf("%T read from %q is written %q", r, b, r.encode())
			}
		}
	})
}

func BenchmarkPliRecord(b *testing.B) {
	text := pliRecord{Header: someDigest, HeaderSig: someDigest, Deposit: someDigest, DepositSig: someDigest, Body: someDigest, Sent: true, Pos: 7, DepositPos: 8, FromCert: someDigest, DepositCert: someDigest, Directory: someDigest}.encode()
	b.ReportAllocs()
	for b.Loop() {
		var rec pliRecord
		if rec.decode(text) != nil || len(rec.encode()) != len(text) {
			b.Fatal("not read")
		}
	}
}
