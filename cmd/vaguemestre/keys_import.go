package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/wiring"
)

// maxCertFile is far above a certificate, armored or not.
const maxCertFile = 1 << 20

func newKeysImportCommand(t *terminal) *cobra.Command {
	var data, owner, want string
	c := &cobra.Command{
		Use:   "import FILE --owner OWNER --data DIR",
		Short: "Take the certificate of a party or broker of the directory",
		Long: "Put a certificate in the data directory, and in vaguemestre.toml as the current one\n" +
			"of its owner; one that is held already is updated. FILE may be - for standard\n" +
			"input. Compare the fingerprint with the printed sheet: from then on plis are\n" +
			"sealed to that key.",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := t.readCert(args[0])
			if err != nil {
				return err
			}
			d, err := readData(data)
			if err != nil {
				return err
			}
			done, err := d.ImportCert(owner, b, strings.ToLower(strings.ReplaceAll(want, " ", "")))
			if err != nil {
				return err
			}
			if running(c.Context(), data) != nil {
				t.say("The running broker takes it up when it is started again.")
			}
			return t.printImported(done)
		},
	}
	dataFlag(c, &data)
	c.Flags().StringVar(&owner, "owner", "", "the party or broker whose certificate it is (required)")
	required(c, "owner")
	c.Flags().StringVar(&want, "fingerprint", "", "refuse the file unless it has this fingerprint, typed from the sheet")
	return c
}

func (t *terminal) readCert(path string) ([]byte, error) {
	in := t.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxCertFile+1))
	if err == nil && len(b) > maxCertFile {
		err = errors.New("the file is too large for a certificate")
	}
	return b, err
}

func (t *terminal) printImported(done wiring.Imported) error {
	if t.json {
		return t.answer(map[string]any{"owner": done.Owner, "fingerprint": done.Fingerprint, "file": done.File, "updated": done.Updated})
	}
	what := "added, as the current one"
	if done.Updated {
		what = "updated"
	}
	t.print("%s=%s %s", done.Owner, done.Fingerprint, what)
	t.say("Compare this fingerprint with the printed sheet of %s before anything is sent.", done.Owner)
	return nil
}
