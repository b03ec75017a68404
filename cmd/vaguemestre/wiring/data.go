package wiring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
	"vaguemestre/crypto/seal"
	"vaguemestre/schemas"
)

// Policy is the table of schemas.Kinds as the directory publishes it.
func Policy() []directory.PolicyRow {
	var rows []directory.PolicyRow
	for _, k := range schemas.Kinds() {
		for _, r := range k.Routes {
			rows = append(rows, directory.PolicyRow{Kind: string(k.Kind), From: string(r.From), To: string(r.To), Copy: r.Copy, Article: r.Article})
		}
	}
	return rows
}

// Listing turns a configuration into what directory.New checks.
func Listing(c config.Config) directory.Listing {
	l := directory.Listing{Self: directory.BrokerID(c.Broker), Demonstration: c.Demonstration, Policy: Policy()}
	for _, b := range c.Brokers {
		l.Brokers = append(l.Brokers, directory.Broker{
			ID: directory.BrokerID(b.ID), Libelle: b.Libelle, Certificates: fingerprints(b.Certificates),
			Address: b.Address, TLSPins: b.TLSPins, Fetches: b.Fetches, Relay: b.Relay, Via: directory.BrokerID(b.Via), Hosting: b.Hosting,
		})
	}
	for _, p := range c.Parties {
		l.Parties = append(l.Parties, directory.Party{
			ID: directory.PartyID(p.ID), Role: directory.Role(p.Role), Institution: p.Institution, Departement: p.Departement,
			Home: directory.BrokerID(p.Home), Certificates: fingerprints(p.Certificates), Telephone: p.Telephone,
			Zone: p.Zone, Patience: directory.Patience(p.Patience),
		})
	}
	return l
}

func fingerprints(certs []config.Certificate) []string {
	var out []string
	for _, c := range certs {
		out = append(out, c.Fingerprint)
	}
	return out
}

// Data is a data directory that was read: its configuration, its directory,
// its certificates, and its private keys when a passphrase was given.
type Data struct {
	Dir       string
	Config    config.Config
	Directory *directory.Directory
	Keys      *keyring.Ring
}

// Load reads a data directory. Without a passphrase no private key is
// unlocked: enough to list and to verify. Every certificate must have the
// fingerprint that the configuration states.
func Load(dir string, passphrase []byte) (*Data, error) {
	c, err := config.Load(filepath.Join(dir, config.FileName))
	if err != nil {
		return nil, err
	}
	d := &Data{Dir: dir, Config: c, Keys: keyring.New()}
	if d.Directory, err = directory.New(Listing(c)); err != nil {
		return nil, err
	}
	if passphrase != nil {
		if d.Keys, err = keyring.Load(filepath.Join(dir, "keys"), passphrase); err != nil {
			return nil, err
		}
	}
	for _, b := range c.Brokers {
		if err := d.addCerts(b.ID, b.Certificates); err != nil {
			return nil, err
		}
	}
	for _, p := range c.Parties {
		if err := d.addCerts(p.ID, p.Certificates); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Data) addCerts(owner string, list []config.Certificate) error {
	root, err := os.OpenRoot(d.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, want := range list {
		b, err := root.ReadFile(filepath.FromSlash(want.File))
		if p := (*fs.PathError)(nil); errors.As(err, &p) {
			err = p.Err // the path is a value of the configuration: config check gives its line
		}
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", owner, err)
		}
		cert, err := seal.ParseCert(b)
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", owner, err)
		}
		if string(cert.Fingerprint()) != want.Fingerprint {
			return fmt.Errorf("certificate of %s: %w", owner, ErrFingerprint)
		}
		d.Keys.AddCert(owner, cert)
	}
	return nil
}

// ErrFingerprint: a certificate file is not the one that was compared with the
// printed sheet.
var ErrFingerprint = errors.New("the file has another fingerprint than the configuration")

// Open wires a node on a data directory, whose keys are unlocked. It returns
// the errors of Secret, and ErrSecret when the secret is that of another
// journal.
func (d *Data) Open(ctx context.Context, p Parts) (*Node, error) {
	secret, err := Secret(d.Dir)
	if err != nil {
		return nil, err
	}
	return d.open(ctx, p, secret)
}

func (d *Data) open(ctx context.Context, p Parts, secret []byte) (*Node, error) {
	p.ID, p.Dir, p.Directory, p.Keys, p.Secret = broker.BrokerID(d.Config.Broker), d.Dir, d.Directory, d.Keys, secret
	p.MaxBody, p.MinFree = d.Config.Limits.Body, uint64(d.Config.Limits.FreeSpace)
	p.Retention = time.Duration(d.Config.Retention.ContentDays) * 24 * time.Hour
	n, err := Open(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := forgetBackup(d.Dir); err != nil {
		return nil, errors.Join(err, n.Close(ctx))
	}
	return n, nil
}
