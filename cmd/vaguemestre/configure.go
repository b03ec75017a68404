package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
)

func newConfigCommand(t *terminal) *cobra.Command {
	return group("config", "Print a sample of the configuration, or check a file",
		newConfigExampleCommand(t), newConfigCheckCommand(t))
}

func newConfigExampleCommand(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a commented sample, with every key",
		Args:  usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if t.json {
				return t.answer(map[string]string{"file": config.FileName, "example": string(config.Example())})
			}
			if _, err := t.out.Write(config.Example()); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return nil
		},
	}
}

// foundFault is one line of `config check --json`.
type foundFault struct {
	Line    int    `json:"line"` // 0: of no line
	Key     string `json:"key"`
	Problem string `json:"problem"`
}

func newConfigCheckCommand(t *terminal) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Name every fault of a configuration file, with its line",
		Long: "Read a configuration file as serve does, and print every fault, one a line, with\n" +
			"its place: first those of form; once there are none, what the words mean and the\n" +
			"files that they name. Values are not printed. Nothing is changed, and no\n" +
			"passphrase is needed. Exits with 1 when there is any.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			faults, err := checkConfig(file)
			if err != nil {
				return err
			}
			return t.printFaults(file, faults)
		},
	}
	c.Flags().StringVar(&file, "config", "", "configuration file (required)")
	required(c, "config")
	_ = c.MarkFlagFilename("config", "toml") // completion only
	return c
}

// checkConfig gathers what serve would refuse, as far as it can be known
// without a key.
func checkConfig(file string) ([]foundFault, error) {
	c, err := config.Load(file)
	if list := config.Faults(err); len(list) > 0 {
		out := make([]foundFault, len(list))
		for i, f := range list {
			out[i] = foundFault{f.Line, f.Key, f.Problem}
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	var out []foundFault
	_, err = directory.New(wiring.Listing(c))
	for _, e := range flat(err) {
		var f *directory.Fault
		var shared *directory.SharedHostingError
		switch {
		case errors.As(e, &f):
			out = append(out, foundFault{c.Line(f.Place), f.Place, f.Problem})
		case errors.As(e, &shared):
			i := slices.IndexFunc(c.Brokers, func(b config.Broker) bool { return b.ID == string(shared.Broker) })
			key := fmt.Sprintf("brokers[%d].hosting", i)
			out = append(out, foundFault{c.Line(key), key, "home of several institutions: " + shared.Hint()})
		default:
			return nil, e
		}
	}
	out = append(out, missingFiles(file, c)...)
	if len(out) == 0 {
		out = notServed(file, c)
	}
	slices.SortStableFunc(out, func(a, b foundFault) int { return a.Line - b.Line })
	return out, nil
}

// notServed is what serve would refuse beyond forms and words: certificates that
// are not those of the fingerprints, and parties that no carrier reaches.
func notServed(file string, c config.Config) (out []foundFault) {
	if filepath.Base(file) != config.FileName {
		return nil // another file beside the one that is served: see served
	}
	d, err := wiring.Load(filepath.Dir(file), nil)
	if err != nil {
		return []foundFault{{0, "certificates", err.Error()}}
	}
	var away *wiring.UnreachableError
	if !errors.As(d.Reachable(), &away) {
		return nil
	}
	for i, p := range c.Parties {
		if slices.Contains(away.Brokers, broker.BrokerID(p.Home)) {
			key := fmt.Sprintf("parties[%d].home", i)
			out = append(out, foundFault{c.Line(key), key, "no carrier reaches that broker: " + away.Hint()})
		}
	}
	return out
}

// missingFiles looks for the files that the configuration names.
func missingFiles(file string, c config.Config) (out []foundFault) {
	dir := filepath.Dir(file)
	look := func(key, path string) {
		if path == "" {
			return
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, filepath.FromSlash(path))
		}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			out = append(out, foundFault{c.Line(key), key, "there is no such file"})
		} else if err != nil {
			out = append(out, foundFault{c.Line(key), key, "the file cannot be looked at"})
		}
	}
	look("api.tls_cert", c.API.TLSCert)
	look("api.tls_key", c.API.TLSKey)
	each := func(table string, list []config.Certificate) {
		for i, k := range list {
			look(fmt.Sprintf("%s.certificates[%d].file", table, i), k.File)
		}
	}
	for i, b := range c.Brokers {
		each(fmt.Sprintf("brokers[%d]", i), b.Certificates)
	}
	for i, p := range c.Parties {
		each(fmt.Sprintf("parties[%d]", i), p.Certificates)
	}
	return out
}

// flat is the list of errors that one joins.
func flat(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func (t *terminal) printFaults(file string, faults []foundFault) error {
	for _, f := range faults {
		switch {
		case t.json:
			if err := t.answer(f); err != nil {
				return err
			}
		case f.Line > 0:
			t.print("%s:%d: %s: %s", file, f.Line, f.Key, f.Problem)
		default:
			t.print("%s: %s: %s", file, f.Key, f.Problem)
		}
	}
	if len(faults) > 0 {
		return &hinted{fmt.Errorf("%d faults in the configuration", len(faults)), "correct the lines above, then check again"}
	}
	if !t.json {
		t.print("%s: right", file)
	}
	return nil
}
