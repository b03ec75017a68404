package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// In a script, "vaguemestre" is this test binary as another process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"vaguemestre": main})
}

func TestScripts(t *testing.T) {
	papers, err := filepath.Abs("papers")
	if err != nil {
		t.Fatal(err)
	}
	cmds := map[string]func(*testscript.TestScript, bool, []string){
		"code": code, "story": story, "canary": canary, "alter": alter, "needs": needs, "isjson": isJSON,
	}
	maps.Copy(cmds, serveCommands())
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PAPERS", papers)
			e.Setenv("VAGUEMESTRE_PASSPHRASE", "demonstration")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Values[heldKey{}] = map[string]*held{}
			return nil
		},
		Cmds: cmds,
	})
}

// code N PROGRAM ARG…: the program must exit with N. "@anchors" stands for
// every anchor of demo.json as --anchor flags, "@lines" for the bare lines.
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program arg...")
	}
	var words []string
	for _, a := range args[2:] {
		switch a {
		case "@anchors":
			for _, l := range readStory(ts).Anchors {
				words = append(words, "--anchor", l)
			}
		case "@lines":
			words = append(words, readStory(ts).Anchors...)
		default:
			words = append(words, a)
		}
	}
	got, err := 0, ts.Exec(args[1], words...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// toldStory is `demo --json`, written here a second time on purpose: it is
// what other programs read.
type toldStory struct {
	Messages []struct {
		ID, Kind, From, Urgency, Thread string
		To                              []string
		Evidences                       []struct{ Event, Recipient, At, By, Fingerprint string }
	}
	Brokers []struct {
		Name, Data string
		Journal    struct {
			Size     uint64
			Root     string
			Verified bool
		}
	}
	Anchors []string
}

func readStory(ts *testscript.TestScript) toldStory {
	var s toldStory
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("demo.json")))
	d.DisallowUnknownFields()
	ts.Check(d.Decode(&s))
	return s
}

// story checks demo.json against the issue and section 5 of the design, and
// sets ID1… and ANCHOR1….
func story(ts *testscript.TestScript, neg bool, args []string) {
	s := readStory(ts)
	var kinds []string
	anchor := map[string]string{} // party or broker → fingerprint
	home := map[string]string{}
	for i, a := range s.Anchors {
		who, fpr, _ := strings.Cut(a, "=")
		party, at, _ := strings.Cut(who, "@")
		anchor[party], home[party] = fpr, at
		ts.Setenv("ANCHOR"+strconv.Itoa(i+1), a)
	}
	seen := map[string]bool{}
	for i, m := range s.Messages {
		kinds = append(kinds, m.Kind)
		ts.Setenv("ID"+strconv.Itoa(i+1), m.ID)
		last := ""
		for _, e := range m.Evidences {
			if by := signerOf(e.Event, e.Recipient, home[m.From]); e.By != by {
				ts.Fatalf("pli %d: %s is signed by %s, want %s", i+1, e.Event, e.By, by)
			}
			if e.Fingerprint == "" || anchor[e.By] != e.Fingerprint {
				ts.Fatalf("pli %d: %s has a fingerprint that is no anchor of %s", i+1, e.Event, e.By)
			}
			if e.At < last {
				ts.Fatalf("pli %d: %s is out of order", i+1, e.Event)
			}
			last, seen[e.Fingerprint] = e.At, true
		}
	}
	if want := []string{"signalement", "opp", "requete", "decision", "suites", "signalement"}; !slices.Equal(kinds, want) {
		ts.Fatalf("kinds %q, want %q", kinds, want)
	}
	for i, want := range []string{
		"accepted consigned opened taken_in_charge",
		"accepted consigned consigned opened executed",
		"accepted consigned consigned opened registered",
		"accepted consigned consigned opened taken_in_charge opened registered",
		"accepted consigned opened taken_in_charge",
		"accepted consigned overdue opened taken_in_charge",
	} {
		var got []string
		for _, e := range s.Messages[i].Evidences {
			got = append(got, e.Event)
		}
		if strings.Join(got, " ") != want {
			ts.Fatalf("pli %d: %q, want %q", i+1, got, want)
		}
		if same := s.Messages[i].Thread == s.Messages[0].Thread; same != (i < 5) {
			ts.Fatalf("pli %d: thread", i+1)
		}
	}
	if len(seen) < 4 || len(s.Brokers) != 2 {
		ts.Fatalf("%d fingerprints, %d brokers", len(seen), len(s.Brokers))
	}
	for i, b := range s.Brokers {
		if !b.Journal.Verified || b.Journal.Size == 0 || len(b.Journal.Root) != 64 {
			ts.Fatalf("journal of %s: %+v", b.Name, b.Journal)
		}
		ts.Setenv("DATA"+strconv.Itoa(i+1), b.Data)
		ts.Setenv("ROOT"+strconv.Itoa(i+1), b.Journal.Root)
	}
}

// signerOf is DESIGN section 5 for the events of the story.
func signerOf(event, recipient, senderHome string) string {
	switch event {
	case "accepted", "overdue":
		return senderHome
	}
	return recipient
}

// canary FILE…: nothing that the papers say of anybody is in these files, nor
// in what is under these folders.
func canary(ts *testscript.TestScript, neg bool, args []string) {
	marks := marksOf(ts)
	if len(marks) < 50 {
		ts.Fatalf("only %d marks found in the papers", len(marks))
	}
	for _, a := range args {
		ts.Check(filepath.WalkDir(ts.MkAbs(a), func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range marks {
				// The value itself is fictitious, but the habit is not to print it.
				if bytes.Contains(b, []byte(m)) != neg {
					ts.Fatalf("%s: a value of the papers, %d bytes long", path, len(m))
				}
				if neg {
					return nil
				}
			}
			return nil
		}))
	}
}

// marksOf lists the values of the papers that speak of somebody.
func marksOf(ts *testscript.TestScript) []string {
	personal := []string{
		"nom", "prenoms", "adresse", "commune", "telephone", "libelle", "constates", "rapportes", "parole_enfant", "titre",
		"crip", "ase", "juge", "numero", "fonction", "service", "texte", "motifs", "precisions", "date_naissance", "lieu_naissance",
		"infraction_suspectee", "resultat", "position_parents", "motif_urgence", "avocat", "delegation", "rythme", "age_apparent",
	}
	files, err := filepath.Glob(filepath.Join(ts.Getenv("PAPERS"), "*.json"))
	ts.Check(err)
	var out []string
	var walk func(member string, v any)
	walk = func(member string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, w := range v {
				walk(k, w)
			}
		case []any:
			for _, w := range v {
				walk(member, w)
			}
		case string:
			if slices.Contains(personal, member) && v != "France" {
				out = append(out, v)
			}
			if member == "nom" {
				out = append(out, strings.Fields(v)...)
			}
		}
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		ts.Check(err)
		var v any
		ts.Check(json.Unmarshal(b, &v))
		walk("", v)
	}
	// Shorter ones are found in any ciphertext, by chance.
	out = slices.DeleteFunc(out, func(m string) bool { return len(m) < 6 })
	slices.Sort(out)
	return slices.Compact(out)
}

// alter FILE TEXT: flips one bit of the last byte of the first occurrence.
func alter(ts *testscript.TestScript, neg bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	i := bytes.Index(b, []byte(args[1]))
	if i < 0 {
		ts.Fatalf("%s: the text is not there", args[0])
	}
	b[i+len(args[1])-1] ^= 1
	ts.Check(os.WriteFile(path, b, 0o600))
}

// needs PROGRAM=PACKAGE…: in CI the absence of a tool is a failure. Elsewhere
// the script skips itself on the next line.
func needs(ts *testscript.TestScript, neg bool, args []string) {
	for _, a := range args {
		program, pack, _ := strings.Cut(a, "=")
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			ts.Fatalf("%s is absent: install the Debian package %s", program, pack)
		}
		ts.Logf("%s is absent: install the Debian package %s", program, pack)
	}
}

// isjson FILE: one JSON value.
func isJSON(ts *testscript.TestScript, neg bool, args []string) {
	if json.Valid([]byte(ts.ReadFile(args[0]))) == neg {
		ts.Fatalf("%s: JSON validity", args[0])
	}
}
