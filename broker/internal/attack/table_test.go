package attack

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/internal/runs"
	"vaguemestre/broker/internal/sabotage"
)

// home is a package where attacks are tried, and the tests that try them.
type home struct {
	pkg   string
	tests []string
}

var homes = []home{
	{"broker", []string{
		"TestBitFlips", "TestCiphertextAttacks", "TestContentAttacks", "TestCostlyAttacks", "TestDepositAttacks", "TestErrorOracle",
		"TestReplay", "TestTooLarge", "TestTruncations", "TestUnsignedRefusals",
	}},
	{"crypto/seal", []string{"TestParseCertRefusesWeakKeys"}},
	{"crypto/keyring", []string{"TestSigningSubkeys"}},
	{"adapters/httpapi", []string{"TestJSONAttacks", "TestRightsAttacks"}},
	{"broker/internal/attack", []string{"TestLogAttacks"}},
}

// connections is the home of the attacks on connections: its tests serve a real
// binary, for long. They run there, and here for a record only.
const connections = "broker/internal/httpattack"

func onConnections(n int) bool { return n >= 28 && n <= 49 || n == 64 }

// served says whether that home is there.
func served(root string) bool {
	_, err := os.Stat(filepath.Join(root, connections))
	return err == nil
}

// numbers lists the attacks that must have a home.
func numbers(root string) (out []int) {
	for n := 1; n <= 100; n++ {
		if (n <= 64 || n >= 93) && (!onConnections(n) || served(root)) {
			out = append(out, n)
		}
	}
	return out
}

var named = regexp.MustCompile(`^([0-9]{2,3})_[A-Za-z0-9_]+$`)

// number is that of an attack, from the name of its subtest; 0 of any other.
func number(name string) int {
	m := named.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1])
	if n > 100 {
		return 0
	}
	return n
}

// literals finds the names of attacks in the test sources below root, by
// number, each with the package where it stands.
func literals(root string) (map[int][]string, error) {
	found := map[int][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg = filepath.ToSlash(pkg)
		ast.Inspect(file, func(n ast.Node) bool {
			l, ok := n.(*ast.BasicLit)
			if !ok || l.Kind != token.STRING {
				return true
			}
			if s, err := strconv.Unquote(l.Value); err == nil {
				if n := number(s); n > 0 && !slices.Contains(found[n], pkg) {
					found[n] = append(found[n], pkg)
				}
			}
			return true
		})
		return nil
	})
	return found, err
}

// TestHomes: every number has one home, and every home is listed.
func TestHomes(t *testing.T) {
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	found, err := literals(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(found[7]) == 0 {
		t.Fatal("the search finds nothing")
	}
	for _, n := range numbers(root) {
		if len(found[n]) != 1 {
			t.Errorf("attack %02d has %d homes: %v", n, len(found[n]), found[n])
		}
	}
	for n, pkgs := range found {
		for _, pkg := range pkgs {
			if pkg != connections && !slices.ContainsFunc(homes, func(h home) bool { return h.pkg == pkg }) {
				t.Errorf("attack %02d lives in %s, which is no home", n, pkg)
			}
		}
	}
}

// outcome is what one attack came to.
type outcome struct {
	name, test, verdict string
	passed              bool
}

// try runs the attacks of a home.
func (h home) try(ctx context.Context, root string) ([]outcome, error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return nil, sabotage.ErrNoTool
	}
	cmd := exec.CommandContext(ctx, tool, "test", "-vet=off", "-json", "-run", "^("+strings.Join(h.tests, "|")+")$/^[0-9]{2,3}_", "./"+h.pkg)
	cmd.Dir = root
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return nil, err
	}
	return outcomes(out), nil
}

// outcomes reads what `go test -json` says.
func outcomes(text []byte) (out []outcome) {
	by := map[string]*outcome{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var e struct{ Action, Test, Output string }
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		test, name, ok := strings.Cut(e.Test, "/")
		if !ok || number(name) == 0 {
			continue
		}
		if by[e.Test] == nil {
			by[e.Test] = &outcome{name: name, test: test}
		}
		if _, said, ok := strings.Cut(e.Output, "verdict: "); ok {
			by[e.Test].verdict = strings.TrimSpace(said)
		}
		if e.Action == "pass" {
			by[e.Test].passed = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(by)) {
		out = append(out, *by[k])
	}
	return out
}

// TestVerdicts tries every attack, and prints what it came to.
func TestVerdicts(t *testing.T) {
	if testing.Short() || os.Getenv(inner) != "" {
		t.Skip("it runs the tests of five packages")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var all []outcome
	byNumber := map[int]map[string]bool{}
	list := slices.Clone(homes)
	withConnections := served(root) && runs.Wanted()
	if withConnections {
		list = append(list, home{connections, []string{"Test.*"}})
	}
	for _, h := range list {
		got, err := h.try(t.Context(), root)
		if errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range got {
			if h.pkg == connections && o.verdict == "" {
				o.verdict = "refused"
			}
			if !o.passed || o.verdict == "" {
				t.Errorf("%s: passed %v, verdict %q", o.name, o.passed, o.verdict)
			}
			n := number(o.name)
			if byNumber[n] == nil {
				byNumber[n] = map[string]bool{}
			}
			byNumber[n][h.pkg+"."+o.test] = true
		}
		all = append(all, got...)
	}
	for _, n := range numbers(root) {
		if (withConnections || !onConnections(n)) && len(byNumber[n]) != 1 {
			t.Errorf("attack %02d was tried in %d tests", n, len(byNumber[n]))
		}
	}
	slices.SortFunc(all, func(a, b outcome) int {
		if d := number(a.name) - number(b.name); d != 0 {
			return d
		}
		return strings.Compare(a.name, b.name)
	})
	report(t, root, all, len(byNumber), time.Since(began))
}

// record is what a run of TestVerdicts leaves.
type record struct {
	runs.Head
	Attacks  int               `json:"attacks"`  // numbers
	Variants int               `json:"variants"` // subtests
	Refused  int               `json:"refused"`
	Verdicts map[string]string `json:"verdicts"`
}

func report(t *testing.T, root string, all []outcome, attacks int, took time.Duration) {
	t.Helper()
	const command = "VAGUEMESTRE_RECORD=1 go test ./broker/internal/attack -run TestVerdicts -v"
	h, err := runs.NewHead(root, command, 0, took)
	if err != nil {
		t.Fatal(err)
	}
	r := record{Head: h, Attacks: attacks, Variants: len(all), Verdicts: map[string]string{}}
	var table strings.Builder
	for _, o := range all {
		if o.passed {
			r.Refused++
		}
		r.Verdicts[o.name] = o.verdict
		fmt.Fprintf(&table, "%-45s %s\n", o.name, o.verdict)
	}
	t.Logf("%d attacks, %d variants, %d refused, %.1f s\n%s", r.Attacks, r.Variants, r.Refused, r.Seconds, table.String())
	runs.Keep(t, sabotage.Root, "attacks", r.Date, r)
}
