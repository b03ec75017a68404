package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// errNoOwner says that nobody of that name is in the configuration.
var errNoOwner = errors.New("the directory lists no such party or broker")

func newKeysExportCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "export OWNER… --data DIR",
		Short: "Print the public certificates of parties or brokers, armored",
		Long: "Print public certificates, to hand them to another broker. Whoever imports one\n" +
			"compares its fingerprint with the printed sheet.",
		Example: "  vaguemestre keys export ase-59 courrier-nord --data ./data > certificats.asc",
		Args:    usageArgs(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, owners []string) error {
			d, err := readData(data)
			if err != nil {
				return err
			}
			list, err := listKeys(d, time.Now())
			if err != nil {
				return err
			}
			armored, err := armoredOf(list, owners)
			if err != nil {
				return err
			}
			if t.json {
				return t.answer(armored)
			}
			for _, a := range armored {
				if _, err := fmt.Fprint(t.out, a.Certificate); err != nil {
					return fmt.Errorf("printing: %w", err)
				}
			}
			return nil
		},
	}
	dataFlag(c, &data)
	return c
}

// armoredKey is one line of `keys export --json`.
type armoredKey struct {
	Owner       string `json:"owner"`
	Fingerprint string `json:"fingerprint"`
	Certificate string `json:"certificate"`
}

// armoredOf picks the certificates of some owners, each of whom has one.
func armoredOf(list []listedKey, owners []string) ([]armoredKey, error) {
	var out []armoredKey
	for _, owner := range owners {
		found := false
		for _, k := range list {
			if k.Owner == owner {
				found = true
				out = append(out, armoredKey{k.Owner, k.Fingerprint, string(k.cert.Armor())})
			}
		}
		if !found {
			return nil, &hinted{fmt.Errorf("%s: %w", owner, errNoOwner), "vaguemestre keys list --data DIR shows them"}
		}
	}
	return out, nil
}
