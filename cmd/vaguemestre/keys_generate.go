package main

import (
	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/crypto/keyring"
)

func newKeysGenerateCommand(t *terminal) *cobra.Command {
	var data, owner string
	c := &cobra.Command{
		Use:   "generate --owner ID --data DIR",
		Short: "Make the keys of a party that was added to the configuration",
		Long: "Make the keys of a party that lives at this broker and has none yet, locked under\n" +
			"the passphrase of the others, and write its certificate in vaguemestre.toml. Add the\n" +
			"table of the party there first, without certificates. A broker that runs takes it up\n" +
			"when it is started again.",
		Example: "  vaguemestre keys generate --owner je-lille --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			passphrase, err := keyring.Passphrase(t.file(), t.talk)
			if err != nil {
				return err
			}
			k, err := wiring.Generate(data, owner, passphrase)
			if err != nil {
				return noData(data, err)
			}
			if t.json {
				return t.answer(map[string]string{"owner": owner, "fingerprint": k.Fingerprint, "file": k.File})
			}
			t.print("%s=%s made", owner, k.Fingerprint)
			if running(c.Context(), data) != nil {
				t.say("The running broker takes it up when it is started again.")
			}
			t.say("Print a new sheet (keys sheet), and hand the certificate (keys export) to the other brokers.")
			return nil
		},
	}
	dataFlag(c, &data)
	c.Flags().StringVar(&owner, "owner", "", "the party whose keys to make (required)")
	required(c, "owner")
	return c
}
