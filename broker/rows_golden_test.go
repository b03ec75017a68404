package broker

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaguemestre/broker/journal"
)

var updateRows = flag.Bool("update-rows", false, "write the golden file of the rows again")

// rowsVersion numbers the rows of the projections as they are stored: whoever
// changes one of them gives the journal a new format and rebuilds the rows from
// the events, and raises this number.
const rowsVersion = 1

// TestGoldenRows: the rows and keys of each space never change within a
// version.
func TestGoldenRows(t *testing.T) {
	d := func(c string) string { return strings.Repeat(c, 64) }
	const id, id2 = "0193b3a0-0000-7000-8000-000000000001", "0193b3a0-0000-7000-8000-000000000002"
	e := Evidence{Event: Consigned, ID: id, Recipient: "parquet-lille", By: "parquet-lille", HeaderSHA256: d("a")}
	rows := []journal.Put{
		put(spaceState, stateKey(id, "parquet-lille"), State{Progress: Consigned, Closure: Returned, ClosedAt: someTime, Flags: 3, Acted: true, Judged: true, Heads: []string{d("b")}, Named: []string{d("c"), d("d")}}),
		put(spaceState, stateKey(id2, "je-lille"), State{}),
		put(spacePli, id, pliRecord{Header: d("a"), HeaderSig: d("b"), Deposit: d("c"), DepositSig: d("d"), Body: d("e"), Sent: true, Pos: 12, DepositPos: 13, FromCert: d("f"), DepositCert: d("0"), Directory: d("1")}),
		put(spacePli, id2, pliRecord{Header: d("a"), HeaderSig: d("b"), Body: d("e"), Pos: 12, FromCert: d("f")}),
		put(spaceEvidence, id+"/000000000000000c", evidenceRecord{Digest: d("a"), Sig: d("b"), Cert: d("c"), Sealed: "evidence/" + d("d")}),
		put(spaceIdem, d("2"), idemRecord{MAC: d("3"), ID: id}),
		put(spaceToken, d("4"), Token{Digest: d("4"), Hint: "abcdefgh", Application: "logiciel", Party: "ase-59", Rights: Rights(), Created: someTime, Expires: someTime, Revoked: someTime}),
		{Space: spaceUnique, Key: uniqueKey(e)},
		{Space: spaceAlarm, Key: alarmKey(id, "parquet-lille", Overdue), Value: []byte(someTime)},
		{Space: spaceInbox, Key: "parquet-lille/" + id, Value: []byte{}},
		{Space: "timer", Key: timerOverdue + stateKey(id, "parquet-lille")},
		{Space: "timer", Key: timerRetention},
	}
	var got strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&got, "%s %s %s\n", r.Space, r.Key, r.Value)
	}
	path := filepath.Join("testdata", fmt.Sprintf("rows-%d.txt", rowsVersion))
	if *updateRows {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got.String() {
		t.Errorf("a stored row changed without a new version (%v):\n got %s\nwant %s", err, got.String(), want)
	}
}
