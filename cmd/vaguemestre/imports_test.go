// The rules of the house, as a test: who may import whom (DESIGN section 8),
// how long a file and a function may be, and that every package says what it
// is. The sources are parsed in this process and not asked of the go command,
// so that the test cache notices a change.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const (
	maxFileLines     = 400
	maxFunctionLines = 60
)

// arrows lists every package of ours and what of ours it may import. A folder
// ending in /... stands for all that is below it. Imports of _test.go files
// are free.
var arrows = map[string][]string{
	"cmd/vaguemestre":         {"cmd/vaguemestre/wiring", "cmd/vaguemestre/demo", "cmd/vaguemestre/bench", "cmd/vaguemestre/serving", "adapters/...", "broker/...", "config", "crypto/...", "schemas"},
	"cmd/vaguemestre/bench":   {"cmd/vaguemestre/wiring", "broker/...", "crypto/...", "schemas"},
	"cmd/vaguemestre/demo":    {"cmd/vaguemestre/wiring", "broker/...", "crypto/...", "schemas"},
	"cmd/vaguemestre/serving": {"cmd/vaguemestre/wiring", "adapters/httpapi", "broker/...", "config", "crypto/...", "schemas"},
	"cmd/vaguemestre/wiring":  {"adapters/...", "broker/...", "config", "crypto/...", "schemas"},

	"broker":                   {"broker/journal", "broker/clock", "broker/directory", "schemas"},
	"broker/journal":           {},
	"broker/journal/boltstore": {"broker/journal"},
	"broker/queue":             {"broker/journal"},
	"broker/directory":         {},
	"broker/clock":             {},
	"broker/export":            {"broker", "broker/journal", "broker/directory", "schemas"},
	"broker/inproc":            {"broker", "broker/directory"},
	"broker/brokertest":        {"broker", "broker/journal", "broker/directory"},
	"broker/internal/...":      {}, // slow harnesses, written as tests

	"adapters/httpapi":  {"broker/...", "schemas"},
	"adapters/portal":   {"broker/...", "schemas"},
	"adapters/relay":    {"broker/...", "schemas"},
	"adapters/alert":    {"broker/...", "schemas"},
	"adapters/pgpmail":  {"broker/...", "schemas"},
	"adapters/filedrop": {"broker/...", "schemas"},

	"crypto/seal":    {},
	"crypto/keyring": {"crypto/seal"},
	"schemas":        {},
	"config":         {},
	"deploy":         {}, // no code: what an installation is made of
}

// testOnly packages are never part of the program.
var testOnly = []string{"broker/brokertest", "broker/internal/..."}

// rims keep each library behind one door.
var rims = []struct {
	library string
	by      []string // packages that may import it
	tests   []string // packages whose tests may; nil means all
}{
	{"github.com/ProtonMail/go-crypto", []string{"crypto/seal"}, []string{"crypto/..."}},
	{"go.etcd.io/bbolt", []string{"broker/journal/boltstore"}, nil},
	{"github.com/ThreeDotsLabs/watermill", []string{"broker/queue", "cmd/..."}, nil},
	{"github.com/go-playground/validator", []string{"schemas"}, nil},
	{"github.com/BurntSushi/toml", []string{"config"}, nil},
	{"github.com/spf13/cobra", []string{"cmd/..."}, nil},
}

func TestRulesOfTheHouse(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	faults, packages, err := inspect(root)
	if err != nil {
		t.Fatal(err)
	}
	if packages == 0 {
		t.Error("no package found: nothing was checked")
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("no go.mod above the test: %w", fs.ErrNotExist)
		}
		dir = filepath.Dir(dir)
	}
}

// house is one module being inspected.
type house struct {
	module string
	faults []string
	files  map[string][]*source // by package folder, relative to the root
}

type source struct {
	name string // path relative to the root
	test bool
	file *ast.File
	set  *token.FileSet
}

// inspect returns every fault of the module and the number of its packages.
func inspect(root string) ([]string, int, error) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, 0, err
	}
	h := &house{module: modfile.ModulePath(mod), files: map[string][]*source{}}
	if err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return h.visit(root, name, e)
	}); err != nil {
		return nil, 0, err
	}
	for folder, files := range h.files {
		h.checkPackage(folder, files)
		for _, f := range files {
			h.checkImports(folder, f)
			h.checkSize(f)
		}
	}
	slices.Sort(h.faults)
	return h.faults, len(h.files), nil
}

func (h *house) visit(root, name string, e fs.DirEntry) error {
	if e.IsDir() {
		hidden := strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_")
		_, err := os.Stat(filepath.Join(name, "go.mod"))
		if name != root && (hidden || e.Name() == "testdata" || err == nil) { // err == nil: a module of its own
			return filepath.SkipDir
		}
		return nil
	}
	if !strings.HasSuffix(name, ".go") {
		return nil
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return err
	}
	relative = filepath.ToSlash(relative)
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Dir(relative)
	h.files[folder] = append(h.files[folder], &source{relative, strings.HasSuffix(name, "_test.go"), file, set})
	return nil
}

func (h *house) fault(where, format string, args ...any) {
	h.faults = append(h.faults, where+": "+fmt.Sprintf(format, args...))
}

func (h *house) checkPackage(folder string, files []*source) {
	if _, ok := declared(folder); !ok {
		h.fault(folder, "package not declared in arrows")
	}
	product := slices.ContainsFunc(files, func(f *source) bool { return !f.test })
	if !slices.ContainsFunc(files, func(f *source) bool { return f.test != product && f.file.Doc != nil }) {
		h.fault(folder, "no package comment")
	}
}

// declared finds the row of a package: its own, else the /... that covers it.
func declared(folder string) ([]string, bool) {
	if row, ok := arrows[folder]; ok {
		return row, true
	}
	for pattern, row := range arrows {
		if strings.HasSuffix(pattern, "/...") && covers(pattern, folder) {
			return row, true
		}
	}
	return nil, false
}

// covers: "broker/..." stands for broker and all below it.
func covers(pattern, folder string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return folder == base || below && strings.HasPrefix(folder, base+"/")
}

func anyCovers(patterns []string, folder string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return covers(p, folder) })
}

func (h *house) checkImports(folder string, f *source) {
	allowed, _ := declared(folder)
	for _, spec := range f.file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			h.fault(f.name, "import path: %v", err)
			continue
		}
		if ours, ok := strings.CutPrefix(imported, h.module+"/"); ok && !f.test {
			switch {
			case !anyCovers(allowed, ours):
				h.fault(f.name, "%s may not import %s", folder, ours)
			case anyCovers(testOnly, ours):
				h.fault(f.name, "%s is for tests", ours)
			}
		}
		for _, rim := range rims {
			if !covers(rim.library+"/...", imported) {
				continue
			}
			if !f.test && !anyCovers(rim.by, folder) {
				h.fault(f.name, "%s is for %s alone", rim.library, strings.Join(rim.by, ", "))
			}
			if f.test && rim.tests != nil && !anyCovers(rim.tests, folder) {
				h.fault(f.name, "%s is for the tests of %s alone", rim.library, strings.Join(rim.tests, ", "))
			}
		}
	}
}

// checkSize leaves tests alone: a long table of cases reads well.
func (h *house) checkSize(f *source) {
	if f.test {
		return
	}
	if lines := f.set.Position(f.file.FileEnd).Line; lines > maxFileLines {
		h.fault(f.name, "%d lines, at most %d", lines, maxFileLines)
	}
	for _, d := range f.file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if lines := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1; lines > maxFunctionLines {
			h.fault(f.name, "function %s has %d lines, at most %d", fn.Name.Name, lines, maxFunctionLines)
		}
		if fn.Name.Name == "init" && fn.Recv == nil {
			h.fault(f.name, "no init function: main wires everything")
		}
	}
}

// TestTheRulesCatch plants one fault at a time in a small module, so that a
// checker that sees nothing is seen.
func TestTheRulesCatch(t *testing.T) {
	doc := "// Package p is here.\npackage p\n"
	imports := func(names ...string) string {
		text := doc
		for _, n := range names {
			text += "import _ \"" + n + "\"\n"
		}
		return text
	}
	for name, c := range map[string]struct{ file, text, want string }{
		"forbidden arrow":               {"broker/x.go", imports("example/crypto/seal"), "broker/x.go: broker may not import crypto/seal"},
		"arrow to a neighbour":          {"adapters/portal/x.go", imports("example/adapters/relay"), "adapters/portal may not import adapters/relay"},
		"arrow from a leaf":             {"schemas/x.go", imports("example/broker/clock"), "schemas may not import broker/clock"},
		"arrow back to the program":     {"config/x.go", imports("example/cmd/vaguemestre"), "config may not import cmd/vaguemestre"},
		"test package in the program":   {"cmd/vaguemestre/x.go", imports("example/broker/brokertest"), "broker/brokertest is for tests"},
		"harness in an adapter":         {"adapters/alert/x.go", imports("example/broker/internal/crash"), "broker/internal/crash is for tests"},
		"undeclared package":            {"util/x.go", doc, "util: package not declared in arrows"},
		"undeclared adapter":            {"adapters/fax/x.go", doc, "adapters/fax: package not declared in arrows"},
		"package at the root":           {"x.go", doc, ".: package not declared in arrows"},
		"OpenPGP outside":               {"crypto/keyring/x.go", imports("github.com/ProtonMail/go-crypto/openpgp/v2"), "is for crypto/seal alone"},
		"OpenPGP in a test outside":     {"broker/x_test.go", imports("github.com/ProtonMail/go-crypto/openpgp"), "is for the tests of crypto/... alone"},
		"bbolt outside":                 {"broker/journal/x.go", imports("go.etcd.io/bbolt"), "go.etcd.io/bbolt is for broker/journal/boltstore alone"},
		"watermill in the core":         {"broker/x.go", imports("github.com/ThreeDotsLabs/watermill/message"), "is for broker/queue, cmd/... alone"},
		"validator outside":             {"broker/x.go", imports("github.com/go-playground/validator/v10"), "is for schemas alone"},
		"TOML outside":                  {"broker/directory/x.go", imports("github.com/BurntSushi/toml"), "is for config alone"},
		"long file":                     {"broker/x.go", doc + strings.Repeat("\n", 399), "broker/x.go: 401 lines, at most 400"},
		"long function":                 {"broker/x.go", doc + "func f() {" + strings.Repeat("\n", 60) + "}\n", "function f has 61 lines, at most 60"},
		"long method":                   {"broker/x.go", doc + "type t int\nfunc (t) f() {" + strings.Repeat("\n", 60) + "}\n", "function f has 61 lines"},
		"init":                          {"broker/x.go", doc + "func init() {}\n", "no init function"},
		"no package comment":            {"broker/x.go", "package p\n", "broker: no package comment"},
		"comment in the test file only": {"broker/x.go", "package p\n", "no package comment"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{c.file: c.text}
			if strings.Contains(name, "test file only") {
				files["broker/x_test.go"] = doc
			}
			faults := inspectFiles(t, files)
			if len(faults) != 1 || !strings.Contains(faults[0], c.want) {
				t.Errorf("faults %q, want one with %q", faults, c.want)
			}
		})
	}
}

// TestTheRulesLetPass: what is lawful, and what is not ours to judge.
func TestTheRulesLetPass(t *testing.T) {
	doc := "// Package p is here.\npackage p\n"
	faults := inspectFiles(t, map[string]string{
		"broker/x.go":                     doc + "import _ \"example/schemas\"\nimport _ \"example/broker/journal\"\n",
		"broker/x_test.go":                "package p\nimport _ \"example/broker/brokertest\"\nimport _ \"go.etcd.io/bbolt\"\n" + strings.Repeat("\n", 500),
		"adapters/relay/x.go":             doc + "import _ \"example/broker/directory\"\nimport _ \"example/broker\"\n",
		"cmd/vaguemestre/x.go":            doc + "import _ \"example/crypto/keyring\"\nimport _ \"example/adapters/portal\"\n",
		"crypto/seal/x.go":                doc + "import _ \"github.com/ProtonMail/go-crypto/openpgp/v2\"\n",
		"crypto/keyring/x.go":             doc,
		"crypto/keyring/x_test.go":        "package p\nimport _ \"github.com/ProtonMail/go-crypto/openpgp\"\n",
		"broker/internal/crash/x_test.go": doc,
		"schemas/x.go":                    doc + strings.Repeat("\n", 398),
		"schemas/y.go":                    "package p\nfunc f() {" + strings.Repeat("\n", 59) + "}\n",
		"schemas/testdata/x.go":           "package p\nimport _ \"example/broker\"\n",
		".ci/tools/x.go":                  "package p\nimport _ \"example/broker\"\n",
		"docs/other/go.mod":               "module other\n",
		"docs/other/x.go":                 "package p\n",
		"config/example.toml":             "broker = 1\n",
	})
	if len(faults) != 0 {
		t.Errorf("faults %q, want none", faults)
	}
}

func inspectFiles(t *testing.T, files map[string]string) []string {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module example\n"
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	faults, _, err := inspect(root)
	if err != nil {
		t.Fatal(err)
	}
	return faults
}
