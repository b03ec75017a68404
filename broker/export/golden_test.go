package export_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

const (
	golden     = "../testdata/wire/export"
	goldenOpen = "../testdata/wire/export-open"
)

// The script that we carry is the one of the specification.
func TestVerifierScriptIsThatOfTheWire(t *testing.T) {
	want := read(t, "../testdata/wire/verifier.sh")
	for _, copied := range []string{"verifier.sh", golden + "/verifier.sh", goldenOpen + "/verifier.sh"} {
		if !bytes.Equal(read(t, copied), want) {
			t.Errorf("%s is another script: copy broker/testdata/wire/verifier.sh, and run make.sh there", copied)
		}
	}
}

func TestGoldenExportsAreVerified(t *testing.T) {
	for _, dir := range []string{golden, goldenOpen} {
		r, err := verify(dir, goldenAnchors(t))
		if err != nil {
			t.Fatal(err)
		}
		var events []string
		for _, f := range r.Facts {
			events = append(events, string(f.Event)+" "+string(f.Recipient)+" by "+f.By)
		}
		want := []string{
			"consigned parquet-lille by parquet-lille", "consigned je-lille by je-lille",
			"opened parquet-lille by parquet-lille", "taken_in_charge parquet-lille by parquet-lille",
		}
		switch {
		case !slices.Equal(events, want):
			t.Errorf("facts: %q", events)
		case r.Signatures != 8, r.Size != 13, r.Broker != nord, !r.Body, r.Notice != broker.NoticeDemo, len(r.Notes) > 0:
			t.Errorf("report: %+v", r)
		case r.Opened != (dir == goldenOpen):
			t.Errorf("opened: %v", r.Opened)
		}
	}
}

func TestWithoutAnchorsNothingIsProven(t *testing.T) {
	r, err := verify(golden, nil)
	wantFault(t, err, "", "without anchors")
	if len(r.Certificates) != 5 || !strings.HasPrefix(r.Certificates[0], "ase-59-acd4d2df") {
		t.Errorf("certificates to compare: %q", r.Certificates)
	}
}

// wantFault holds the first fault to a file and a part of its text.
func wantFault(t *testing.T, err error, file, what string) {
	t.Helper()
	var f *export.FaultError
	if !errors.As(err, &f) {
		t.Errorf("want a fault of %q about %q, got %v", file, what, err)
		return
	}
	if !strings.Contains(f.File, file) || !strings.Contains(f.What, what) {
		t.Errorf("want a fault of %q about %q, got %q: %q", file, what, f.File, f.What)
	}
}

// copied is a writable copy of an export.
func copied(t *testing.T, from string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "export")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func write(t *testing.T, b []byte, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOneChangedByteInAnyFile(t *testing.T) {
	dir := copied(t, goldenOpen)
	anchors := goldenAnchors(t)
	for _, name := range files(t, dir) {
		whole := read(t, dir, name)
		for _, at := range []int{0, len(whole) / 3, len(whole) / 2, len(whole) - 1} {
			if name == "export.sha256.asc" && at != len(whole)/2 {
				continue // its armor is the one thing that nothing covers
			}
			b := bytes.Clone(whole)
			b[at] ^= 1
			write(t, b, dir, name)
			if _, err := verify(dir, anchors); err == nil {
				t.Errorf("%s, byte %d: verified", name, at)
			} else {
				wantFault(t, err, faultOf(name), "")
			}
		}
		write(t, append(bytes.Clone(whole), '\n'), dir, name)
		if _, err := verify(dir, anchors); err == nil {
			t.Errorf("%s with a line more: verified", name)
		}
		write(t, whole[:len(whole)-1], dir, name)
		if _, err := verify(dir, anchors); err == nil {
			t.Errorf("%s without its last byte: verified", name)
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		_, err := verify(dir, anchors)
		wantFault(t, err, name, "missing")
		write(t, whole, dir, name)
	}
	if _, err := verify(dir, anchors); err != nil {
		t.Fatal(err)
	}
}

// faultOf is the file that the first fault names when a file is altered.
func faultOf(name string) string {
	switch name {
	case "export.sha256":
		return "" // whichever line it is
	case "export.sha256.asc":
		return "export.sha256"
	case "open/session-key.txt":
		return "" // it, or body.pgp that it does not open
	}
	if strings.HasSuffix(name, "session-key.txt") {
		return ""
	}
	return name
}

func TestFilesAddedSwappedOrOdd(t *testing.T) {
	anchors := goldenAnchors(t)
	cases := []struct {
		name, file, what string
		do               func(t *testing.T, dir string)
	}{
		{"a file more", "note.txt", "not in export.sha256", func(t *testing.T, d string) { write(t, []byte("x"), d, "note.txt") }},
		{"a hidden file", ".x", "not in export.sha256", func(t *testing.T, d string) { write(t, []byte("x"), d, ".x") }},
		{"a part more", "open/parts/piece-02.pdf", "unexpected", func(t *testing.T, d string) { write(t, []byte("x"), d, "open/parts/piece-02.pdf") }},
		{"an odd name", "", "abnormal name", func(t *testing.T, d string) { write(t, []byte("x"), d, "a b") }},
		{"a line feed in a name", "", "abnormal name", func(t *testing.T, d string) { write(t, []byte("x"), d, "a\nb") }},
		{"folders without end", "", "too deep", func(t *testing.T, d string) { write(t, []byte("x"), d, "a/b/c/d/e/f/g/h") }},
		{"two leaves swapped", "leaf/02.json", "lists", func(t *testing.T, d string) { swap(t, d, "leaf/02.json", "leaf/03.json") }},
		{"two parts swapped", "open/parts/document.json", "sealed message", func(t *testing.T, d string) {
			swap(t, d, "open/parts/document.json", "open/parts/acte.json")
		}},
		{"two session keys swapped", "evidence/04", "session key", func(t *testing.T, d string) {
			swap(t, d, "open/evidence/04-opened-parquet-lille/session-key.txt", "open/evidence/05-taken_in_charge-parquet-lille/session-key.txt")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := copied(t, goldenOpen)
			c.do(t, dir)
			_, err := verify(dir, anchors)
			wantFault(t, err, c.file, c.what)
		})
	}
}

func swap(t *testing.T, dir, a, b string) {
	t.Helper()
	x, y := read(t, dir, a), read(t, dir, b)
	write(t, y, dir, a)
	write(t, x, dir, b)
}

func TestAnchorsThatDoNotFit(t *testing.T) {
	all := goldenAnchors(t) // ase, parquet, je, nord, justice
	without := func(i int) []export.Anchor { return slices.Delete(slices.Clone(all), i, i+1) }
	elsewhere := slices.Clone(all)
	elsewhere[0].Broker = justice
	asBroker := append(without(0), export.Anchor{Broker: "ase-59", Fingerprint: all[0].Fingerprint})
	swapped := slices.Clone(all)
	swapped[1].Fingerprint, swapped[2].Fingerprint = all[2].Fingerprint, all[1].Fingerprint
	for _, c := range []struct {
		name, file, what string
		anchors          []export.Anchor
	}{
		{"no sender", "header.json", "no anchor of ase-59", without(0)},
		{"no recipient", "evidence/02-consigned", "no anchor of parquet-lille", without(1)},
		{"no copy", "evidence/03-consigned", "no anchor of je-lille", without(2)},
		{"no broker", "export.sha256", "no anchor of courrier-nord", without(3)},
		{"sender at another home", "deposit.json", "not the anchored home", elsewhere},
		{"sender as a broker", "header.json", "no anchor of ase-59", asBroker},
		{"recipients swapped", "evidence/02-consigned", "no anchor of parquet-lille", swapped},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := verify(golden, c.anchors)
			wantFault(t, err, c.file, c.what)
			scriptRefuses(t, golden, c.anchors)
		})
	}
	twice := append(slices.Clone(all), export.Anchor{Party: "x", Broker: nord, Fingerprint: all[0].Fingerprint})
	if _, err := verify(golden, twice); !errors.Is(err, export.ErrAnchor) {
		t.Errorf("one fingerprint for two: %v", err)
	}
	if _, err := verify(golden, append(slices.Clone(all), all[0])); err != nil {
		t.Errorf("an anchor given twice: %v", err)
	}
}
