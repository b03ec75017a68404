package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// terminal is where a command reads and writes.
type terminal struct {
	stdin io.Reader
	out   io.Writer // answers
	talk  io.Writer // everything else
	json  bool
}

// newRootCommand lists the commands. Nothing is coloured, so NO_COLOR needs no
// care.
func newRootCommand(t *terminal) *cobra.Command {
	version := false
	root := &cobra.Command{
		Use:   "vaguemestre",
		Short: "Carry the mail of child protection, sealed, against signature",
		Long: "Vaguemestre carries signalements, orders and decisions between institutions:\n" +
			"sealed from end to end, journaled, each step signed and provable without it.",
		Example:       "  vaguemestre demo --once\n  vaguemestre verify ./export --anchor ase-59@courrier-nord=FINGERPRINT …",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if version {
				return t.printVersion()
			}
			if err := c.Help(); err != nil {
				return err
			}
			return &usageError{text: "a command is missing", hint: "see the list above"}
		},
	}
	root.SetIn(t.stdin)
	root.SetOut(t.out)
	root.SetErr(t.talk)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return spelt(c) }
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if args := c.Flags().Args(); c.HasSubCommands() && len(args) > 0 {
			// A slip in the name of a command: its flags are unknown only for that.
			return unknownCommand(c, args[0])
		}
		return &usageError{text: err.Error(), hint: seeHelp(c)}
	})
	root.Flags().BoolVar(&version, "version", false, "print the version, the commit when it is known, and that of Go")
	root.PersistentFlags().BoolVar(&t.json, "json", false, "answer in JSON")
	root.AddCommand(
		newInitCommand(t), newServeCommand(t), newHealthCommand(t), newConfigCommand(t),
		newDemoCommand(t), newExportCommand(t), newVerifyCommand(t), newJournalCommand(t),
		newKeysCommand(t), newPurgeCommand(t), newSchemaCommand(t), newBenchCommand(t), newManualCommand(t),
		newSendCommand(t), newInboxCommand(t), newReadCommand(t), newAckCommand(t), newStatusCommand(t), newWatchCommand(t),
		newDeadCommand(t), newQuarantineCommand(t), newTokenCommand(t),
	)
	return root
}

// group makes a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return &usageError{text: c.CommandPath() + ": a command is missing", hint: seeHelp(c)}
		},
	}
	c.AddCommand(subs...)
	return c
}

// usageArgs makes a wrong number of arguments a fault of usage.
func usageArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			if c.HasSubCommands() && len(args) > 0 {
				return unknownCommand(c, args[0])
			}
			return &usageError{text: err.Error(), hint: seeHelp(c)}
		}
		return nil
	}
}

func unknownCommand(c *cobra.Command, name string) error {
	e := &usageError{text: fmt.Sprintf("unknown command %q for %q", name, c.CommandPath()), hint: seeHelp(c)}
	c.SuggestionsMinimumDistance = 2 // letters
	if like := c.SuggestionsFor(name); len(like) > 0 {
		e.hint = "did you mean " + strings.Join(like, " or ") + "?"
	}
	return e
}

func seeHelp(c *cobra.Command) string { return "see " + c.CommandPath() + " --help" }

// dataFlag adds --data to a command that works on a data directory.
func dataFlag(c *cobra.Command, into *string) {
	c.Flags().StringVar(into, "data", "", "data directory of the broker (required)")
	required(c, "data")
	_ = c.MarkFlagDirname("data") // completion: it fails only for a flag that does not exist
}

// required refuses a command without that flag.
func required(c *cobra.Command, name string) {
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		if before != nil {
			if err := before(c, args); err != nil {
				return err
			}
		}
		if f := c.Flags().Lookup(name); !f.Changed || f.Value.String() == "" {
			return &usageError{text: "--" + name + " is missing", hint: seeHelp(c)}
		}
		return nil
	}
}

// spelt refuses words of people that are not UTF-8: on their way to the broker
// each such byte would become U+FFFD, and what is signed would not be what was
// typed. All other flags are ids, which the broker looks up, or names of files,
// which may have any bytes.
func spelt(c *cobra.Command) error {
	for _, name := range []string{"actor", "function", "number", "reason", "place"} {
		if f := c.Flags().Lookup(name); f != nil && !utf8.ValidString(f.Value.String()) {
			return &usageError{text: "--" + name + ": not UTF-8", hint: "type it in a terminal that is set to UTF-8, such as with LANG=C.UTF-8"}
		}
	}
	return nil
}

// answer prints a value as JSON, on one line.
func (t *terminal) answer(v any) error {
	e := json.NewEncoder(t.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// say prints a line for the person, beside the answer.
func (t *terminal) say(format string, args ...any) {
	fmt.Fprintf(t.talk, format+"\n", args...)
}

// file is the standard input when it is one: a passphrase is asked there.
func (t *terminal) file() *os.File {
	f, _ := t.stdin.(*os.File)
	return f
}
