package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaguemestre/cmd/vaguemestre/wiring"
)

// newManualCommand makes what a package installs beside the program. It is
// hidden: only deploy/ calls it.
func newManualCommand(t *terminal) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:    "manual --out DIR",
		Short:  "Write the manual pages and the completions",
		Hidden: true,
		Args:   usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			n, err := writeManual(c.Root(), out)
			if err != nil {
				return fmt.Errorf("manual: %w", err)
			}
			if t.json {
				return t.answer(map[string]int{"files": n})
			}
			t.print("%d files", n)
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder to write in, which must not exist or be empty (required)")
	required(c, "out")
	_ = c.MarkFlagDirname("out") // completion only
	return c
}

// writeManual writes man1/*.1 and completions/* in a folder, and returns how
// many files that is. The same program writes the same bytes, whenever it does:
// pages carry no date. wiring.ErrNotEmpty for a folder that holds something.
func writeManual(root *cobra.Command, dir string) (int, error) {
	if left, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	} else if len(left) > 0 {
		return 0, wiring.ErrNotEmpty
	}
	files := map[string][]byte{}
	for _, c := range documented(root) {
		files[filepath.Join("man1", pageName(c)+".1")] = manPage(c)
	}
	var bash, zsh, fish bytes.Buffer
	err := errors.Join(root.GenBashCompletionV2(&bash, true), root.GenZshCompletion(&zsh), root.GenFishCompletion(&fish, true))
	if err != nil {
		return 0, err
	}
	// The names under which each shell looks for them.
	files[filepath.Join("completions", root.Name())] = bash.Bytes()
	files[filepath.Join("completions", "_"+root.Name())] = zsh.Bytes()
	files[filepath.Join("completions", root.Name()+".fish")] = fish.Bytes()
	for name, data := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return 0, err
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return 0, err
		}
	}
	return len(files), nil
}

// documented lists a command and what is below it, less what is hidden and
// cobra's own help, which the pages replace.
func documented(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	for _, sub := range below(c) {
		list = append(list, documented(sub)...)
	}
	return list
}

func below(c *cobra.Command) (subs []*cobra.Command) {
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Deprecated == "" && sub.Name() != "help" {
			subs = append(subs, sub)
		}
	}
	return subs
}

func pageName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// roff is a page in the man macros, as man-pages(7) orders it.
type roff struct{ bytes.Buffer }

func (r *roff) section(name string) { fmt.Fprintf(r, ".SH %s\n", name) }

// text writes prose. A blank line ends a paragraph; lines that begin with a
// space keep their breaks.
func (r *roff) text(s string) {
	kept := false
	for line := range strings.Lines(strings.Trim(s, "\n")) {
		line = strings.TrimRight(line, "\n")
		indented := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		if indented != kept && line != "" {
			r.WriteString(map[bool]string{true: ".PP\n.nf\n", false: ".fi\n.PP\n"}[indented])
			kept = indented
		}
		switch {
		case line != "":
			r.WriteString(roffLine(line) + "\n")
		case kept:
			r.WriteString(".sp\n")
		default:
			r.WriteString(".PP\n")
		}
	}
	if kept {
		r.WriteString(".fi\n")
	}
}

// roffLine is a line of text that says nothing to the formatter.
func roffLine(s string) string {
	s = roffWord(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s // else it would be a request
	}
	return s
}

func roffWord(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "\t", "    ").Replace(s)
}

// manPage is the page of one command, from what its help says.
func manPage(c *cobra.Command) []byte {
	var r roff
	name := pageName(c)
	fmt.Fprintf(&r, ".TH %s 1 \"\" Vaguemestre \"Vaguemestre\"\n.nh\n.ad l\n", roffWord(strings.ToUpper(name)))
	r.section("NAME")
	r.WriteString(roffWord(name) + ` \- ` + roffWord(lowerFirst(c.Short)) + "\n")
	r.section("SYNOPSIS")
	line := c.UseLine()
	if len(below(c)) > 0 {
		line = c.CommandPath() + " COMMAND"
	}
	r.WriteString(".B " + roffWord(line) + "\n")
	r.section("DESCRIPTION")
	if c.Long != "" {
		r.text(c.Long)
	} else {
		r.text(c.Short + ".")
	}
	if subs := below(c); len(subs) > 0 {
		r.section("COMMANDS")
		for _, sub := range subs {
			fmt.Fprintf(&r, ".TP\n.B %s\n%s\n", roffWord(sub.Name()), roffLine(sub.Short+"."))
		}
	}
	r.flags("OPTIONS", c.NonInheritedFlags())
	r.flags("OPTIONS OF EVERY COMMAND", c.InheritedFlags())
	if c.Example != "" {
		r.section("EXAMPLES")
		r.text(c.Example)
	}
	r.section("EXIT STATUS")
	r.text("0 done; 1 failed; 2 called wrongly; 3 something does not verify; 4 the same call may succeed later.")
	if !c.HasParent() {
		r.surroundings()
	}
	r.seeAlso(c)
	return r.Bytes()
}

func (r *roff) flags(section string, set *pflag.FlagSet) {
	if !set.HasAvailableFlags() {
		return
	}
	r.section(section)
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, usage := pflag.UnquoteUsage(f)
		switch f.DefValue {
		case "", "0", "0s", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(r, ".TP\n.B %s\n%s\n", roffWord(strings.TrimSpace(name+" "+value)), roffLine(usage))
	})
}

// surroundings is what belongs to the whole program.
func (r *roff) surroundings() {
	r.section("ENVIRONMENT")
	for _, row := range [][2]string{
		{"CREDENTIALS_DIRECTORY", "Set by systemd. Its file vaguemestre-passphrase unlocks the private keys, and comes before the variable below."},
		{"VAGUEMESTRE_PASSPHRASE", "The passphrase of the private keys. Without either, it is asked on the terminal."},
		{"VAGUEMESTRE_LIMITS_BODY, VAGUEMESTRE_LIMITS_FREE_SPACE", "Bytes; they prevail over the configuration."},
	} {
		fmt.Fprintf(r, ".TP\n.B %s\n%s\n", roffWord(row[0]), roffLine(row[1]))
	}
	r.section("FILES")
	fmt.Fprintf(r, ".TP\n.I %s\n%s\n", "/var/lib/vaguemestre", "The data directory of the packaged service: configuration, journal, sealed bodies, locked keys, local secret, admin.sock while it runs.")
}

func (r *roff) seeAlso(c *cobra.Command) {
	var names []string
	if c.HasParent() {
		names = append(names, pageName(c.Parent()))
	}
	for _, sub := range below(c) {
		names = append(names, pageName(sub))
	}
	if len(names) == 0 {
		return
	}
	r.section("SEE ALSO")
	for i, n := range names {
		end := ","
		if i == len(names)-1 {
			end = ""
		}
		fmt.Fprintf(r, ".BR %s (1)%s\n", roffWord(n), end)
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
