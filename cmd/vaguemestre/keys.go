package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
	"vaguemestre/crypto/seal"
)

func newKeysCommand(t *terminal) *cobra.Command {
	return group("keys", "List, exchange and print certificates and keys",
		newKeysListCommand(t), newKeysGenerateCommand(t), newKeysExportCommand(t), newKeysImportCommand(t),
		newKeysExportSecretCommand(t), newKeysSheetCommand(t))
}

// listedKey is one certificate of the configuration.
type listedKey struct {
	Owner       string `json:"owner"`
	Home        string `json:"home,omitempty"` // for a party
	Fingerprint string `json:"fingerprint"`
	Created     string `json:"created"`
	Expires     string `json:"expires,omitempty"`
	Standing    string `json:"standing"` // for signing, now
	Private     bool   `json:"private"`  // its private key is in this data directory

	cert *seal.Cert
}

// listKeys reads every certificate of the configuration, parties first, the
// current one of each first.
func listKeys(d *wiring.Data, now time.Time) ([]listedKey, error) {
	var out []listedKey
	add := func(owner, home string, list []config.Certificate) error {
		for _, k := range list {
			b, ok := d.Keys.Cert(k.Fingerprint)
			if !ok {
				return fmt.Errorf("certificate of %s: %w", owner, wiring.ErrFingerprint)
			}
			cert, err := seal.ParseCert(b)
			if err != nil {
				return fmt.Errorf("certificate of %s: %w", owner, err)
			}
			l := listedKey{
				Owner: owner, Home: home, Fingerprint: k.Fingerprint, Created: broker.FormatTime(cert.Created()),
				Standing: cert.Standing(now, seal.ToSign).String(), cert: cert,
			}
			if at, ok := cert.Expiry(); ok {
				l.Expires = broker.FormatTime(at)
			}
			_, err = os.Stat(filepath.Join(d.Dir, "keys", owner, k.Fingerprint+".key"))
			l.Private = err == nil
			out = append(out, l)
		}
		return nil
	}
	for _, p := range d.Config.Parties {
		if err := add(p.ID, p.Home, p.Certificates); err != nil {
			return nil, err
		}
	}
	for _, b := range d.Config.Brokers {
		if err := add(b.ID, "", b.Certificates); err != nil {
			return nil, err
		}
	}
	return out, nil
}
