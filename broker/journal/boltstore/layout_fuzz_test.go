package boltstore

import (
	"bytes"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// FuzzLayout: a row of the file, of whatever sort, is refused, or written again
// as it was: there is one spelling of each, so a change is a change of meaning.
func FuzzLayout(f *testing.F) {
	at := time.UnixMilli(1_795_212_067_123).UTC()
	it := journal.Item{Topic: "pli", Dest: "parquet-lille", Lane: "a", Urgent: true, Payload: []byte("x"), Seq: 7, Entered: at, Due: at, Attempts: 2, Reason: "r"}
	log := logRow{base: 0, origin: "nord/log/00", frontier: journal.Frontier{Size: 1, Nodes: make([][32]byte, 1)}}
	ev := eventRow{leaf: []byte(`{"v":1}`), record: []byte("record")}
	f.Add(u64(7), encodeItem(&it))
	f.Add(u64(0), log.encode())
	f.Add(u64(1), ev.encode())
	f.Add(u64(1), blobRow{pos: 1, size: 2, inline: true}.encode())
	f.Add([]byte("retard"), encodeTimer(&journal.Timer{Key: "retard", Due: at, Payload: []byte("p")}))
	f.Add(u64(7), []byte{0x80, 0x00})
	f.Fuzz(func(t *testing.T, key, row []byte) {
		same := func(sort string, again []byte) {
			if !bytes.Equal(again, row) {
				t.Errorf("%s read, and written otherwise:\n%x\n%x", sort, row, again)
			}
		}
		if e, ok := parseEvent(row); ok {
			same("event", e.encode())
		}
		if l, ok := parseLog(key, row); ok {
			same("log", l.encode())
		}
		if it, ok := parseItem(key, row); ok {
			same("item", encodeItem(&it))
		}
		if b, ok := parseBlob(row); ok {
			same("blob", b.encode())
		}
		if timer, ok := parseTimer(key, row); ok && timer.Due.UnixMilli() >= 0 {
			same("timer", encodeTimer(&timer))
		}
	})
}
