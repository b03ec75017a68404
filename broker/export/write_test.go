package export_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
)

// shape replaces what differs from one set of keys to another.
func shape(names []string) []string {
	hex := regexp.MustCompile(`[0-9a-f]{40}`)
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = hex.ReplaceAllString(n, "FINGERPRINT")
	}
	slices.Sort(out)
	return out
}

func TestExportHasTheFilesOfTheGoldenOne(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	for _, c := range []struct {
		golden string
		o      export.Options
	}{{golden, export.Options{}}, {goldenOpen, export.Options{Open: true}}, {goldenOpen, export.Options{Open: true, As: ase}}} {
		dir, s := w.export(id, nord, c.o)
		if got, want := shape(files(t, dir)), shape(files(t, c.golden)); !slices.Equal(got, want) {
			t.Errorf("files\n got %q\nwant %q", got, want)
		}
		if s.Evidences != 4 || !s.Body || s.Opened != c.o.Open || s.Later != 0 || s.Files != len(files(t, dir)) || s.Notice != broker.NoticeDemo {
			t.Errorf("summary: %+v", s)
		}
		if got, want := string(read(t, dir, "LISEZMOI.txt")), string(read(t, golden, "LISEZMOI.txt")); got != want {
			t.Error("LISEZMOI.txt is not that of the golden export")
		}
		checkMembers(t, dir)
		r, err := verify(dir, w.anchors())
		if err != nil || len(r.Facts) != 4 || len(r.Notes) != 0 || r.Opened != c.o.Open {
			t.Errorf("verify: %v, %+v", err, r)
		}
		scriptAccepts(t, dir, w.anchors())
	}
}

func TestFoldersAreForTheirOwnerOnly(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{Open: true})
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		if want := map[bool]os.FileMode{true: 0o700, false: 0o600}[info.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s: mode %o", path, info.Mode().Perm())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The recipients' broker proves the same pli by its own journal.
func TestExportOfTheRecipient(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	for _, o := range []export.Options{{}, {Open: true}, {Open: true, As: parquet}, {Open: true, As: juge}} {
		dir, s := w.export(id, justice, o)
		want := map[broker.PartyID]int{"": 4, parquet: 3, juge: 1}[o.As]
		if s.Evidences != want || s.Opened != o.Open {
			t.Errorf("%+v: summary %+v", o, s)
		}
		r, err := verify(dir, w.anchors())
		if err != nil || r.Broker != justice || len(r.Facts) != want {
			t.Fatalf("%+v: %v, %+v", o, err, r)
		}
		checkMembers(t, dir)
		scriptAccepts(t, dir, w.anchors())
	}
	if strings.Contains(strings.Join(files(t, first(w.export(id, justice, export.Options{As: juge}))), " "), "-parquet-lille.json") {
		t.Error("a recipient sees the acts of another")
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestWhoMayBeExportedFor(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	dir := filepath.Join(t.TempDir(), "x")
	for by, as := range map[broker.BrokerID]broker.PartyID{nord: parquet, justice: ase} {
		if _, err := export.Write(context.Background(), w.at(by), id, dir, export.Options{As: as, Open: true}); !errors.Is(err, export.ErrParty) {
			t.Errorf("%s as %s: %v", by, as, err)
		}
	}
	gone(t, dir)
}

// gone holds that nothing was left, under any name.
func gone(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestErrorsLeaveNothing(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	dir := filepath.Join(t.TempDir(), "x")
	ctx := context.Background()
	if _, err := export.Write(ctx, w.at(nord), "019aa3d4-6b3b-7c21-9f5e-2d4b8a6c1e07", dir, export.Options{}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("unknown pli: %v", err)
	}
	gone(t, dir)
	ended, stop := context.WithCancel(ctx)
	stop()
	if _, err := export.Write(ended, w.at(nord), id, dir, export.Options{Open: true}); err == nil {
		t.Error("written after the end of the context")
	}
	gone(t, dir)
	full := t.TempDir()
	write(t, []byte("x"), full, "kept.txt")
	if _, err := export.Write(ctx, w.at(nord), id, full, export.Options{}); !errors.Is(err, export.ErrExists) {
		t.Errorf("a folder that is not empty: %v", err)
	}
	if got := files(t, full); len(got) != 1 {
		t.Errorf("a folder that is not empty was touched: %q", got)
	}
	empty := t.TempDir()
	if _, err := export.Write(ctx, w.at(nord), id, empty, export.Options{}); err != nil {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := verify(empty, w.anchors()); err != nil {
		t.Error(err)
	}
}

// Opening is journaled before it happens, and shows in the journal's size.
func TestOpeningIsJournaled(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	size := func(o export.Options) uint64 {
		w.export(id, nord, o)
		return w.at(nord).Journal().Head().Size
	}
	closed, opened, again := size(export.Options{}), size(export.Options{Open: true}), size(export.Options{})
	if opened != closed+1 || again != opened {
		t.Errorf("journal of %d, then %d, then %d leaves", closed, opened, again)
	}
}

func TestExportAfterAPurge(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	ctx := context.Background()
	for _, by := range []broker.BrokerID{nord, justice} {
		if err := w.at(by).Purge(ctx, id); err != nil {
			t.Fatal(err)
		}
		w.pump()
	}
	for by, purge := range map[broker.BrokerID]string{nord: "evidence/06-purged-all.json", justice: "evidence/06-purged-parquet-lille.json"} {
		dir, s := w.export(id, by, export.Options{Open: true})
		names := strings.Join(files(t, dir), " ")
		if s.Body || s.Opened || strings.Contains(names, "body.pgp") || strings.Contains(names, ".detail.pgp") || strings.Contains(names, "open/") {
			t.Errorf("%s: something erased is there: %+v %s", by, s, names)
		}
		if text := string(read(t, dir, "LISEZMOI.txt")); !strings.Contains(text, purge) || strings.Contains(text, "chiffré pour") {
			t.Errorf("%s: LISEZMOI.txt does not say that the content was erased", by)
		}
		r, err := verify(dir, w.anchors())
		if err != nil || r.Body {
			t.Fatalf("%s: %v", by, err)
		}
		if said := scriptAccepts(t, dir, w.anchors()); !strings.Contains(said, "body.pgp a été effacé") {
			t.Errorf("%s: verifier.sh does not say that the content was erased", by)
		}
		checkMembers(t, dir)
	}
}

// A content that is gone and that nobody here says to have erased: what could
// be written would not be verified.
func TestNoExportOfWhatWasNeverKept(t *testing.T) {
	w := newWorld(t)
	id := w.deposit("x", []byte("%PDF-1.4 note fictive\n"))
	d, err := w.at(nord).Dossier(id)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.at(nord).Journal().Commit(context.Background(), func(journal.View) (journal.Batch, error) {
		e := journal.Event{Type: journal.TypeNoted}
		e.Erase = []string{journal.BodyName(d.Header.BodySHA256)}
		return journal.Batch{Events: []journal.Event{e}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := export.Write(context.Background(), w.at(nord), id, dir, export.Options{}); !errors.Is(err, export.ErrNoBody) {
		t.Error(err)
	}
	gone(t, dir)
}

// A broker that started a new log from a backup still proves by the old one.
func TestExportAfterARestoredBackup(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	ctx := context.Background()
	var copied bytes.Buffer
	if err := w.at(nord).Journal().Backup(ctx, &copied); err != nil {
		t.Fatal(err)
	}
	old := w.at(nord).Journal().Head()
	if err := w.Nodes[nord].Close(ctx); err != nil {
		t.Fatal(err)
	}
	write(t, copied.Bytes(), w.Dir(nord), "journal.db")
	if _, err := w.OpenNode(ctx, nord); err != nil {
		t.Fatal(err)
	}
	if w.at(nord).Journal().Head().Origin == old.Origin {
		t.Fatal("no new log")
	}
	dir, s := w.export(id, nord, export.Options{Open: true})
	if s.Origin != old.Origin || s.Evidences != 4 {
		t.Errorf("summary: %+v", s)
	}
	if _, err := verify(dir, w.anchors()); err != nil {
		t.Fatal(err)
	}
	scriptAccepts(t, dir, w.anchors())
}

// A party that is not read any more, its key retired after the facts.
func TestCertificatesAsTheyWereWhenJudged(t *testing.T) {
	w := newWorld(t)
	id := w.story()
	w.advance(time.Hour)
	retired, err := w.Identities[string(parquet)].Revoke(w.clock(), false)
	if err != nil {
		t.Fatal(err)
	}
	w.Ring(nord).AddCert(string(parquet), retired)
	dir, s := w.export(id, nord, export.Options{})
	later := "certs/later/" + string(parquet) + "-" + w.fpr(string(parquet)) + ".pgp"
	if s.Later != 1 || !slices.Contains(files(t, dir), later) {
		t.Fatalf("no %s: %+v", later, s)
	}
	r, err := verify(dir, w.anchors())
	if err != nil || !strings.Contains(strings.Join(r.Notes, "\n"), later) {
		t.Errorf("%v, notes %q", err, r.Notes)
	}
	scriptAccepts(t, dir, w.anchors())
}
