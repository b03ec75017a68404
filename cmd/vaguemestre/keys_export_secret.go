package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/keyring"
)

const (
	exportPassphraseName = "VAGUEMESTRE_EXPORT_PASSPHRASE"
	minExportPassphrase  = 12 // bytes: the file leaves this machine
)

func newKeysExportSecretCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "export-secret OWNER --data DIR",
		Short: "Print the private keys of a party, under a new passphrase, for gpg",
		Long: "Print the private keys of a party or of the broker, as one armored block that gpg\n" +
			"imports, locked under a passphrase of its own: " + exportPassphraseName + "\n" +
			"or asked for, twice. Whoever has both reads everything that this party ever\n" +
			"received. The use is journaled before anything is printed.",
		Example: "  vaguemestre keys export-secret ase-59 --data ./data > ase-59.secret.asc",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if b := running(c.Context(), data); b != nil {
				// A running broker journals the use; the keys do not leave it:
				// whoever exports them gives the passphrase that locks them.
				d, err := t.unlocked(data)
				if err != nil {
					return err
				}
				return t.exportSecret(d.Keys, args[0], func() error {
					var done map[string]any
					return b.call(c.Context(), http.MethodPost, "/admin/v1/keys/"+url.PathEscape(args[0])+"/exported", nil, &done)
				})
			}
			return t.withNode(c.Context(), data, func(_ *wiring.Data, n *wiring.Node) error {
				return t.exportSecret(n.Keys, args[0], func() error {
					if err := n.Broker.Note(c.Context(), "", "export_secret "+args[0]); err != nil {
						return fmt.Errorf("journaling the use: %w", err)
					}
					return nil
				})
			})
		},
	}
	dataFlag(c, &data)
	return c
}

// exportSecret prints the private keys of an owner once the use is journaled.
func (t *terminal) exportSecret(keys *keyring.Ring, owner string, journaled func() error) error {
	passphrase, err := t.newPassphrase()
	if err != nil {
		return err
	}
	block, err := keys.ExportSecret(owner, passphrase)
	if err != nil {
		return err
	}
	if err := journaled(); err != nil {
		return err
	}
	if t.json {
		return t.answer(map[string]string{"owner": owner, "secret": string(block)})
	}
	if _, err := t.out.Write(block); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// newPassphrase finds the passphrase of what is exported: in the environment,
// else asked for twice on a terminal.
func (t *terminal) newPassphrase() ([]byte, error) {
	p, set := os.LookupEnv(exportPassphraseName)
	b := []byte(p)
	if !set {
		in := t.file()
		if in == nil || !term.IsTerminal(int(in.Fd())) {
			return nil, &hinted{errors.New("no passphrase for the exported keys"), "set " + exportPassphraseName + ", or call from a terminal"}
		}
		var err error
		if b, err = ask(in, t.talk, "Passphrase of the exported keys: "); err != nil {
			return nil, err
		}
		again, err := ask(in, t.talk, "The same again: ")
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(b, again) {
			return nil, &hinted{errors.New("the two passphrases differ"), "call again"}
		}
	}
	if len(b) < minExportPassphrase {
		return nil, &hinted{errors.New("the passphrase of the exported keys is too short"), fmt.Sprintf("give at least %d characters", minExportPassphrase)}
	}
	return b, nil
}

func ask(in *os.File, prompt io.Writer, question string) ([]byte, error) {
	fmt.Fprint(prompt, question)
	b, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(prompt)
	if err != nil {
		return nil, fmt.Errorf("asking a passphrase: %w", err)
	}
	return b, nil
}
