package wiring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
	"vaguemestre/crypto/seal"
)

// Errors of Initial that ask for a decision.
var (
	// ErrOccupied: the folder holds something that Initial has not made.
	ErrOccupied = errors.New("the folder of the new broker is not empty")
	// ErrMade: there is a broker in the folder already.
	ErrMade = errors.New("the folder holds a broker already")
)

// markUnfinished is there from the first file of a new data directory until it
// becomes the configuration, in one step: whoever finds it knows that nothing
// beside it was ever used.
const markUnfinished = "init.unfinished"

// Initial makes a new data directory: local secret, keys of the broker and of
// its parties locked under the passphrase, journal, and last the commented
// configuration. c holds the broker, alone, and its parties, without
// certificates. first is called on the open node before the configuration is
// written; its error undoes nothing, and the directory stays unfinished.
//
// The folder must not exist, or be empty, or be what an earlier call left that
// did not come to its end: that is erased first, for nobody ever had it.
// ErrOccupied or ErrMade otherwise.
func Initial(ctx context.Context, dir string, c config.Config, passphrase []byte, first func(*Data, *Node) error) error {
	if err := judged(c); err != nil {
		return err
	}
	if err := claim(dir); err != nil {
		return err
	}
	d, err := furnish(dir, c, passphrase)
	if err != nil {
		return fmt.Errorf("new data directory: %w", err)
	}
	n, err := d.Open(ctx, Parts{Carrier: Unreached{}})
	if err != nil {
		return fmt.Errorf("new data directory: %w", err)
	}
	err = errors.Join(first(d, n), n.Close(ctx))
	if err == nil {
		err = finish(dir, d.Config)
	}
	if err != nil {
		return fmt.Errorf("new data directory: %w", err)
	}
	return nil
}

// finish makes the configuration of the mark itself: at no moment do the two
// stand side by side, whatever kills this process.
func finish(dir string, c config.Config) error {
	mark := filepath.Join(dir, markUnfinished)
	if err := config.WriteInitial(mark, c); err != nil {
		return err
	}
	if err := os.Rename(mark, filepath.Join(dir, config.FileName)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// judged refuses what the directory would refuse, before anything is made: the
// keys that are still to be drawn are stood for by others.
func judged(c config.Config) error {
	l, n := Listing(c), 0
	stand := func() []string {
		n++
		return []string{fmt.Sprintf("%040x", n)}
	}
	for i := range l.Brokers {
		l.Brokers[i].Certificates = stand()
	}
	for i := range l.Parties {
		l.Parties[i].Certificates = stand()
	}
	_, err := directory.New(l)
	return err
}

// Vacant says whether Initial would make a data directory there: nil, ErrMade
// or ErrOccupied.
func Vacant(dir string) error {
	_, err := unfinished(dir)
	return err
}

// unfinished says, of a folder that may become a data directory, whether an
// earlier Initial left something there.
func unfinished(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("new data directory: %w", err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name })
	}
	switch {
	case has(config.FileName):
		return false, ErrMade
	case has(markUnfinished):
		return true, nil
	case len(entries) > 0:
		return false, ErrOccupied
	}
	return false, nil
}

// claim makes the folder ours, or refuses it as it is.
func claim(dir string) error {
	left, err := unfinished(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("new data directory: %w", err)
	}
	if left {
		for _, name := range []string{"secret", "keys", "journal.db", "bodies"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return fmt.Errorf("new data directory: %w", err)
			}
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil { // it may have been there
		return fmt.Errorf("new data directory: %w", err)
	}
	if err := replaceIn(dir, markUnfinished, []byte("vaguemestre init did not come to its end here: call it again\n")); err != nil {
		return fmt.Errorf("new data directory: %w", err)
	}
	return nil
}

// furnish makes secret, keys and journal.
func furnish(dir string, c config.Config, passphrase []byte) (*Data, error) {
	// Before the journal: one without its secret has lost it, always.
	if _, err := newSecret(dir); err != nil {
		return nil, err
	}
	ring := keyring.New()
	c.Brokers, c.Parties = slices.Clone(c.Brokers), slices.Clone(c.Parties)
	for i := range c.Brokers {
		k, err := newKey(ring, c.Brokers[i].ID, c.Brokers[i].Libelle, true)
		if err != nil {
			return nil, err
		}
		c.Brokers[i].Certificates = []config.Certificate{k}
	}
	for i := range c.Parties {
		p := &c.Parties[i]
		k, err := newKey(ring, p.ID, p.Institution+" ("+p.ID+")", false)
		if err != nil {
			return nil, err
		}
		p.Certificates = []config.Certificate{k}
	}
	if err := ring.Save(filepath.Join(dir, "keys"), passphrase); err != nil {
		return nil, err
	}
	d := &Data{Dir: dir, Config: c, Keys: ring}
	var err error
	if d.Directory, err = directory.New(Listing(c)); err != nil {
		return nil, err
	}
	return d, boltstore.Create(dir, c.Broker)
}

// newKey makes the keys of one owner, and says how the configuration names
// their certificate. They are dated an hour back, so that a machine whose
// clock is late takes what they sign.
func newKey(ring *keyring.Ring, owner, userID string, signOnly bool) (config.Certificate, error) {
	id, err := seal.Generate(userID, seal.Options{SignOnly: signOnly, Created: time.Now().Add(-time.Hour).Truncate(time.Second)})
	if err != nil {
		return config.Certificate{}, fmt.Errorf("key of %s: %w", owner, err)
	}
	ring.AddIdentity(owner, id)
	return certificateOf(owner, string(id.Cert().Fingerprint())), nil
}

// certificateOf is how the configuration names a certificate of keys made here.
func certificateOf(owner, fpr string) config.Certificate {
	return config.Certificate{Fingerprint: fpr, File: "keys/" + owner + "/" + fpr + ".pgp"}
}

// ErrHasKey: an owner whose keys are there gets no others this way.
var ErrHasKey = errors.New("that owner has keys already")

// ErrElsewhere: the keys of an owner are made where it lives.
var ErrElsewhere = errors.New("that party or broker does not live at this broker")

// Generate makes the keys of a party that was added to the configuration file
// of a data directory without certificates, and adds them there. The passphrase
// must be that of the keys that are there: keyring.ErrPassphrase. ErrOwner,
// ErrElsewhere and ErrHasKey say why not.
func Generate(dir, owner string, passphrase []byte) (config.Certificate, error) {
	path := filepath.Join(dir, config.FileName)
	c, err := config.Load(path)
	if err != nil {
		return config.Certificate{}, err
	}
	list, atHome := find(&c, owner)
	switch {
	case list == nil:
		return config.Certificate{}, ErrOwner
	case !atHome:
		return config.Certificate{}, ErrElsewhere
	case len(*list) > 0:
		return config.Certificate{}, ErrHasKey
	}
	if err := judged(c); err != nil {
		return config.Certificate{}, err
	}
	// All under one passphrase: a broker does not start with half of its keys.
	held, err := keyring.Load(filepath.Join(dir, "keys"), passphrase)
	if err != nil {
		return config.Certificate{}, err
	}
	if fprs := held.Certs(owner); held.Has(owner) && len(fprs) > 0 {
		// Made by a call that did not come to its end: nobody has it yet.
		k := certificateOf(owner, fprs[0])
		return k, config.AddCertificate(path, owner, k)
	}
	userID := owner
	if i := slices.IndexFunc(c.Parties, func(p config.Party) bool { return p.ID == owner }); i >= 0 {
		userID = c.Parties[i].Institution + " (" + owner + ")"
	}
	fresh := keyring.New()
	k, err := newKey(fresh, owner, userID, owner == c.Broker)
	if err != nil {
		return config.Certificate{}, err
	}
	if err := fresh.Save(filepath.Join(dir, "keys"), passphrase); err != nil {
		return config.Certificate{}, err
	}
	return k, config.AddCertificate(path, owner, k)
}
