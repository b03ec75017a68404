package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
)

// readData reads a data directory without its private keys.
func readData(dir string) (*wiring.Data, error) {
	d, err := wiring.Load(dir, nil)
	if err != nil {
		return nil, noData(dir, err)
	}
	return d, nil
}

// withNode opens the broker of a data directory, its keys unlocked, calls f and
// closes it. Nothing is delivered meanwhile: what f makes waits in the queue.
func (t *terminal) withNode(ctx context.Context, dir string, f func(*wiring.Data, *wiring.Node) error) error {
	if err := present(dir); err != nil {
		return err
	}
	passphrase, err := keyring.Passphrase(t.file(), t.talk)
	if err != nil {
		return err
	}
	d, err := wiring.Load(dir, passphrase)
	if err != nil {
		return noData(dir, err)
	}
	n, err := d.Open(ctx, wiring.Parts{Carrier: offline{}})
	if err != nil {
		return noData(dir, err)
	}
	err = f(d, n)
	return errors.Join(err, n.Close(context.WithoutCancel(ctx)))
}

// present looks before a passphrase is asked for.
func present(dir string) error {
	for _, name := range []string{config.FileName, "journal.db"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return noData(dir, err)
		}
	}
	return nil
}

// offline is the carrier of a command: it carries nothing.
type offline struct{}

// Carry implements broker.Carrier.
func (offline) Carry(context.Context, broker.PartyID, broker.Parcel) error {
	return fmt.Errorf("%w: this command delivers nothing", broker.ErrTemporary)
}
