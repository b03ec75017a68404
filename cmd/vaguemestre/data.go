package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"vaguemestre/broker/journal"
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
	return t.within(ctx, dir, (*wiring.Data).Open, f)
}

// within is withNode for a node that is opened in another way.
func (t *terminal) within(ctx context.Context, dir string, open func(*wiring.Data, context.Context, wiring.Parts) (*wiring.Node, error), f func(*wiring.Data, *wiring.Node) error) error {
	d, err := t.unlocked(dir)
	if err != nil {
		return err
	}
	n, err := open(d, ctx, wiring.Parts{Carrier: wiring.Unreached{}})
	if err != nil {
		return noData(dir, err)
	}
	err = f(d, n)
	return t.closed(err, n.Close(context.WithoutCancel(ctx)))
}

// closed says what a command has come to. All that it did was durable before
// the journal was closed: a broker that cannot sign a last checkpoint (its key
// has expired) must not make that look undone, to be repeated. A disk that
// refused a write is another matter.
func (t *terminal) closed(done, closing error) error {
	if closing == nil || errors.Is(closing, journal.ErrFailed) {
		return errors.Join(done, closing)
	}
	text := "the journal was closed badly"
	if done == nil {
		text = "what was asked is done, but " + text
	}
	t.say("vaguemestre: warning: %s: %s", text, oneLine(closing.Error()))
	return done
}

// unlocked reads a data directory with its private keys.
func (t *terminal) unlocked(dir string) (*wiring.Data, error) {
	if err := present(dir); err != nil {
		return nil, err
	}
	passphrase, err := keyring.Passphrase(t.file(), t.talk)
	if err != nil {
		return nil, err
	}
	d, err := wiring.Load(dir, passphrase)
	if err != nil {
		return nil, noData(dir, err)
	}
	return d, nil
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
