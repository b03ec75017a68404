package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// clientDir is the npm project that pins the generator, and plays the exchange.
const clientDir = "testdata/client"

// wantTools skips without node and the packages that package-lock.json names.
func wantTools(t *testing.T) (modules string) {
	t.Helper()
	missing := ""
	modules, err := filepath.Abs(filepath.Join(clientDir, "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("node"); err != nil {
		missing = "node is absent: apt-get install nodejs npm"
	} else if _, err := os.Stat(filepath.Join(modules, ".package-lock.json")); err != nil {
		missing = "the generator is absent: npm ci --ignore-scripts --prefix adapters/httpapi/" + clientDir
	}
	switch {
	case missing == "":
	case os.Getenv("CI") == "true":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
	return modules
}

// node runs a script of the project in a directory of the test, with nothing
// of this process's environment but the search path.
func node(t *testing.T, dir string, env []string, args ...string) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 4*time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, "node", args...)
	c.Dir = dir
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "NO_COLOR=1"}, env...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(args[0]), err, out.String())
	}
}

// A client that a third-party generator makes from the served description plays
// the whole exchange: its types admit every call that the exchange needs, and
// what it sends is what the brokers take. What was done is then read in the
// journals, not in what the client says.
func TestGeneratedClient(t *testing.T) {
	modules := wantTools(t)
	tn := newTown(t, nil)
	dir := t.TempDir()
	for _, name := range []string{"exchange.ts", "tsconfig.json"} {
		text, err := os.ReadFile(filepath.Join(clientDir, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	papers, err := filepath.Abs("../../cmd/vaguemestre/papers")
	if err != nil {
		t.Fatal(err)
	}
	node(t, dir, nil, filepath.Join(modules, "@hey-api/openapi-ts/bin/run.js"), "--input", tn.servers[nord].URL+"/openapi.json", "--output", "generated", "--no-log-file")
	node(t, dir, nil, filepath.Join(modules, "typescript/bin/tsc"), "--project", ".", "--typeRoots", filepath.Join(modules, "@types"))
	node(t, dir, []string{
		"ASE=" + tn.servers[nord].URL, "PARQUET=" + tn.servers[justice].URL, "JUGE=" + tn.servers[justice].URL,
		"ASE_TOKEN=" + tn.secrets[ase], "PARQUET_TOKEN=" + tn.secrets[parquet], "JUGE_TOKEN=" + tn.secrets[juge], "PAPERS=" + papers,
	}, "js/exchange.js")
	tn.quiet()

	ids := tn.kinds(map[broker.PartyID][2]int{ase: {1, 4}, parquet: {3, 2}, juge: {1, 2}})
	tn.holds(ids, "", journaled{kind: "signalement", by: ase, paper: "01-signalement.json", pieces: []string{"rapport", "certificat"},
		facts: []string{"consigned parquet-lille", "fetched parquet-lille", "taken_in_charge parquet-lille"}})
	tn.holds(ids, "signalement", journaled{kind: "opp", by: parquet, paper: "02-opp.json", pieces: []string{"ordonnance"},
		facts: []string{"consigned ase-59", "consigned je-lille", "fetched ase-59", "executed ase-59"}})
	tn.holds(ids, "opp", journaled{kind: "requete", by: parquet, paper: "03-requete.json", pieces: []string{"requete", "ordonnance"},
		facts: []string{"consigned ase-59", "consigned je-lille", "fetched je-lille", "registered je-lille"}})
	tn.holds(ids, "requete", journaled{kind: "decision", by: juge, paper: "04-decision.json", pieces: []string{"decision"},
		facts: []string{"consigned ase-59", "consigned parquet-lille", "fetched ase-59", "taken_in_charge ase-59"}})
	tn.holds(ids, "signalement", journaled{kind: "suites", by: parquet, paper: "05-suites.json",
		facts: []string{"consigned ase-59", "fetched ase-59"}})
	for _, secret := range tn.secrets {
		if strings.Contains(tn.logs.String(), secret) {
			t.Error("a token is in the log")
		}
	}
}

// kinds lists what the journals hold by kind, and wants each party to have
// sent and received as many as said: what was refused is not there.
func (tn *town) kinds(want map[broker.PartyID][2]int) map[schemas.Kind]string {
	tn.t.Helper()
	ids := map[schemas.Kind]string{}
	for p, n := range want {
		sent, received, err := tn.at(p).Plis(p)
		if err != nil {
			tn.t.Fatal(err)
		}
		if len(sent) != n[0] || len(received) != n[1] {
			tn.t.Errorf("%s sent %d and received %d, want %v", p, len(sent), len(received), n)
		}
		for _, id := range sent {
			c := tn.open(p, id)
			ids[c.Inner.Kind] = id
		}
	}
	return ids
}

// open reads a pli as a party, from the broker itself.
func (tn *town) open(p broker.PartyID, id string) *broker.Content {
	tn.t.Helper()
	c, err := tn.at(p).Read(context.Background(), id, p)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.t.Cleanup(func() { c.Close() })
	return c
}

// journaled is what the journals must hold of a pli.
type journaled struct {
	kind   schemas.Kind
	by     broker.PartyID
	paper  string
	pieces []string
	facts  []string // event and recipient, of those that a recipient signs
}

// holds checks a pli in the journal of its sender and of each recipient.
func (tn *town) holds(ids map[schemas.Kind]string, answers schemas.Kind, k journaled) {
	tn.t.Helper()
	id := ids[k.kind]
	if id == "" {
		tn.t.Fatalf("%s: not in the journal; there are %v", k.kind, slices.Collect(maps.Keys(ids)))
	}
	first := tn.open(ase, ids["signalement"])
	c := tn.open(k.by, id)
	if c.Inner.Thread != first.Inner.Thread || c.Inner.ReplyTo != ids[answers] || c.Acte.Basis != broker.Declared {
		tn.t.Errorf("%s: thread, answer or basis is not what was sent", k.kind)
	}
	for _, p := range append(slices.Concat(c.Header.To, c.Header.Cc), k.by) {
		tn.sameContent(k, tn.open(p, id))
	}
	d, err := tn.at(k.by).Dossier(id)
	if err != nil {
		tn.t.Fatal(err)
	}
	var facts []string
	for _, e := range d.Evidences {
		row, _ := broker.LookupEvent(e.Evidence.Event)
		if row.Signer != broker.Recipient {
			continue // what brokers say by themselves
		}
		facts = append(facts, string(e.Evidence.Event)+" "+string(e.Evidence.Recipient))
		if row.Detail {
			o, err := tn.at(k.by).OpenEvidence(context.Background(), e.Sealed, k.by)
			if err != nil || o.Detail.Basis != broker.Declared || o.Detail.Actor.Name == "" {
				tn.t.Errorf("%s: %s does not say who acted, declared: %v", k.kind, e.Evidence.Event, err)
			}
		}
	}
	slices.Sort(facts)
	slices.Sort(k.facts)
	if !slices.Equal(facts, k.facts) {
		tn.t.Errorf("%s: the journal holds %q, want %q", k.kind, facts, k.facts)
	}
}

// sameContent compares an opened pli with the papers that were sent.
func (tn *town) sameContent(k journaled, c *broker.Content) {
	tn.t.Helper()
	if c.Acte.DocumentSHA256 != broker.Digest(paper(tn.t, k.paper)) || len(c.Pieces) != len(k.pieces) {
		tn.t.Errorf("%s: the document or the number of pieces is not what was sent", k.kind)
		return
	}
	n := 0
	err := c.EachPart(context.Background(), func(name, _ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if strings.HasPrefix(name, "piece-") {
			if !bytes.Equal(b, paper(tn.t, "pdf/"+k.pieces[n]+".pdf")) {
				tn.t.Errorf("%s: %s is not what was sent", k.kind, name)
			}
			n++
		}
		return err
	})
	if err != nil || n != len(k.pieces) {
		tn.t.Errorf("%s: %d pieces read: %v", k.kind, n, err)
	}
}
