package wiring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"vaguemestre/config"
	"vaguemestre/crypto/seal"
)

// Errors of ImportCert that ask for a decision.
var (
	// ErrOwner: the configuration lists no such party or broker.
	ErrOwner = errors.New("the configuration lists no such party or broker")
	// ErrOwnKey: the private keys of that owner are here; another certificate
	// would be one that nobody here can sign or read with.
	ErrOwnKey = errors.New("the keys of that owner are made here: only an update of a certificate held can be imported")
	// ErrTaken: the certificate is listed for somebody else.
	ErrTaken = errors.New("that certificate is listed for another owner")
	// ErrOther: the certificate is not the one that was asked for.
	ErrOther = errors.New("the certificate has another fingerprint than the one given")
)

// Imported says what ImportCert did.
type Imported struct {
	Owner, Fingerprint, File string
	Updated                  bool // it was held: revocations and dates were merged
}

// ImportCert puts a certificate of an owner in the data directory and in its
// configuration, as the current one; one that is held already is merged. want
// is the fingerprint that it must have, "" for any. It takes effect when the
// directory is loaded again. Secret material is refused by seal.ParseCert,
// whose *seal.Error it wraps.
func (d *Data) ImportCert(owner string, b []byte, want string) (Imported, error) {
	cert, err := seal.ParseCert(b)
	if err != nil {
		return Imported{}, fmt.Errorf("import: %w", err)
	}
	fpr := string(cert.Fingerprint())
	if want != "" && want != fpr {
		return Imported{}, fmt.Errorf("import: %w", ErrOther)
	}
	c := d.Config
	list, atHome := find(&c, owner)
	if list == nil {
		return Imported{}, fmt.Errorf("import: %w", ErrOwner)
	}
	if other, held := d.Keys.OwnerOf(fpr); held && other != owner {
		return Imported{}, fmt.Errorf("import: %w", ErrTaken)
	}
	out := Imported{Owner: owner, Fingerprint: fpr}
	if i := slices.IndexFunc(*list, func(k config.Certificate) bool { return k.Fingerprint == fpr }); i >= 0 {
		out.File, out.Updated = (*list)[i].File, true
		err = d.update(out, cert)
	} else if atHome {
		err = ErrOwnKey
	} else {
		out.File = "certs/" + owner + "/" + fpr + ".pgp"
		if err = replaceIn(d.Dir, out.File, cert.Bytes()); err == nil {
			err = config.AddCertificate(filepath.Join(d.Dir, config.FileName), owner, config.Certificate{Fingerprint: fpr, File: out.File})
		}
	}
	if err != nil {
		return Imported{}, fmt.Errorf("import: %w", err)
	}
	return out, nil
}

// update merges a certificate with the one that is held, in its file.
func (d *Data) update(i Imported, cert *seal.Cert) error {
	if held, ok := d.Keys.Cert(i.Fingerprint); ok {
		old, err := seal.ParseCert(held)
		if err != nil {
			return err
		}
		cert = seal.Merge(old, cert)
	}
	return replaceIn(d.Dir, i.File, cert.Bytes())
}

// find is the list of certificates of an owner, in a configuration whose rows
// are copied first, and whether its private keys are of this broker.
func find(c *config.Config, owner string) (list *[]config.Certificate, atHome bool) {
	c.Brokers, c.Parties = slices.Clone(c.Brokers), slices.Clone(c.Parties)
	for i := range c.Brokers {
		if c.Brokers[i].ID == owner {
			return &c.Brokers[i].Certificates, owner == c.Broker
		}
	}
	for i := range c.Parties {
		if c.Parties[i].ID == owner {
			return &c.Parties[i].Certificates, c.Parties[i].Home == c.Broker
		}
	}
	return nil, false
}

// replaceIn writes a file of a data directory so that a crash leaves the old
// one or the new one.
func replaceIn(dir, name string, b []byte) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".import-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
