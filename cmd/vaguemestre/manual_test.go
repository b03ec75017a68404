package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaguemestre/cmd/vaguemestre/wiring"
)

func manualOf(t *testing.T, root *cobra.Command) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "manual")
	if _, err := writeManual(root, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func quietRoot() *cobra.Command {
	return newRootCommand(&terminal{stdin: strings.NewReader(""), out: io.Discard, talk: io.Discard})
}

// A command, or a flag, that is added has its place in the manual without
// anybody thinking of it; what is hidden has none.
func TestEveryCommandHasItsPage(t *testing.T) {
	root := quietRoot()
	dir := manualOf(t, root)
	var walk func(*cobra.Command)
	pages := 0
	walk = func(c *cobra.Command) {
		page, err := os.ReadFile(filepath.Join(dir, "man1", pageName(c)+".1"))
		if c.Hidden {
			if err == nil {
				t.Errorf("%s is hidden, and has a page", c.CommandPath())
			}
			return
		}
		if err != nil {
			t.Errorf("%s: %v", c.CommandPath(), err)
			return
		}
		pages++
		c.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !bytes.Contains(page, []byte(roffWord("--"+f.Name))) {
				t.Errorf("%s: --%s is not in its page", c.CommandPath(), f.Name)
			}
		})
		for _, sub := range c.Commands() {
			if sub.Name() != "help" {
				walk(sub)
			}
		}
	}
	walk(root)
	if pages < 10 {
		t.Errorf("%d pages only", pages)
	}
	for _, name := range []string{"vaguemestre", "_vaguemestre", "vaguemestre.fish"} {
		if b, err := os.ReadFile(filepath.Join(dir, "completions", name)); err != nil || !bytes.Contains(b, []byte("vaguemestre")) {
			t.Errorf("completion %s: %d bytes, %v", name, len(b), err)
		}
	}
}

// Two packages of one version must be the same bytes.
func TestManualIsReproducible(t *testing.T) {
	one, two := manualOf(t, quietRoot()), manualOf(t, quietRoot())
	list, err := filepath.Glob(filepath.Join(one, "*", "*"))
	if err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	for _, path := range list {
		rel, _ := filepath.Rel(one, path)
		a, errA := os.ReadFile(path)
		b, errB := os.ReadFile(filepath.Join(two, rel))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs", rel)
		}
	}
}

// Text of a command that looks like a request of the formatter must not become
// one, or part of the manual would be lost in silence.
func TestManualTextIsNoRequest(t *testing.T) {
	c := &cobra.Command{
		Use: "essai", Short: "Try",
		Long: ".SH forged\n'br\nC:\\n and --flag\n\n    .kept as it is\nthen prose",
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	page := string(manPage(c))
	request := regexp.MustCompile(`^\.(TH|SH|TP|PP|B|BR|I|nf|fi|sp|nh|ad)( |$)`)
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, ".") && !request.MatchString(line) {
			t.Errorf("a request: %q", line)
		}
	}
	for _, want := range []string{"\n\\&.SH forged\n", "\n\\(aqbr\n", `C:\en and \-\-flag`, ".PP\n.nf\n    .kept as it is\n.fi\n.PP\nthen prose\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

// What is in the folder is not ours to mix with.
func TestManualWritesInAnEmptyFolderOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "autre"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := writeManual(quietRoot(), dir); !errors.Is(err, wiring.ErrNotEmpty) {
		t.Errorf("got %v", err)
	}
}

// An operator copies commands from docs/install.md at night: each must be one that
// this program has, with its flags.
func TestInstallDocCommandsExist(t *testing.T) {
	root := quietRoot()
	if c, _, err := root.Find([]string{"serve"}); err != nil || c == root {
		t.Skip("serve is not there yet")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "install.md"))
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	n := 0
	for _, m := range regexp.MustCompile("(?m)(?:-- |^|`|\\| )vaguemestre ([a-z][^`\n|>]*)").FindAllStringSubmatch(joined, -1) {
		words := strings.Fields(m[1])
		c, rest, err := root.Find(words)
		if err != nil || c == root {
			t.Errorf("vaguemestre %s: no such command", m[1])
			continue
		}
		n++
		for _, w := range rest {
			name, isFlag := strings.CutPrefix(w, "--")
			if isFlag && c.Flags().Lookup(name) == nil && c.InheritedFlags().Lookup(name) == nil {
				t.Errorf("vaguemestre %s: no flag --%s", m[1], name)
			}
		}
	}
	if n < 5 {
		t.Errorf("%d commands only: the text is written otherwise now", n)
	}
}
