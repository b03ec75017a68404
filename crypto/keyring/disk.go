package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"vaguemestre/crypto/seal"
)

const (
	certSuffix = ".pgp"
	keySuffix  = ".key"
	maxFile    = 1 << 20
)

// ownerForm is what may become a directory name: it cannot climb, hide or look
// like an option.
var ownerForm = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?$`)

// Load reads a directory written by Save. A missing directory is an error that
// is fs.ErrNotExist. It returns ErrPassphrase, ErrExposed, or what is wrong
// with the first bad file: a broker does not start with half of its keys.
func Load(dir string, passphrase []byte) (*Ring, error) {
	owners, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("keyring: load: %w", err)
	}
	r := New()
	for _, o := range owners {
		if !o.IsDir() {
			continue
		}
		if !ownerForm.MatchString(o.Name()) {
			return nil, fmt.Errorf("keyring: load %s: %w", o.Name(), ErrOwner)
		}
		if err := r.loadOwner(dir, o.Name(), passphrase); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *Ring) loadOwner(dir, owner string, passphrase []byte) error {
	files, err := os.ReadDir(filepath.Join(dir, owner))
	if err != nil {
		return fmt.Errorf("keyring: load: %w", err)
	}
	for _, f := range files {
		path := filepath.Join(dir, owner, f.Name())
		name, isKey := strings.CutSuffix(f.Name(), keySuffix)
		if !isKey {
			var isCert bool
			if name, isCert = strings.CutSuffix(f.Name(), certSuffix); !isCert {
				continue // a temporary file that a crash left
			}
		}
		if err := r.loadFile(owner, path, name, isKey, passphrase); err != nil {
			return fmt.Errorf("keyring: load %s: %w", filepath.Join(owner, f.Name()), err)
		}
	}
	return nil
}

func (r *Ring) loadFile(owner, path, name string, isKey bool, passphrase []byte) error {
	b, err := readRegular(path, isKey)
	if err != nil {
		return err
	}
	if !isKey {
		c, err := seal.ParseCert(b)
		if err != nil {
			return err
		}
		if string(c.Fingerprint()) != name {
			return errors.New("file name is not the fingerprint")
		}
		r.AddCert(owner, c)
		return nil
	}
	if len(passphrase) == 0 {
		return ErrPassphrase
	}
	id, err := seal.Unlock(b, passphrase)
	if errors.Is(err, seal.ErrPassphrase) {
		return ErrPassphrase
	}
	if err != nil {
		return err
	}
	if string(id.Cert().Fingerprint()) != name {
		return errors.New("file name is not the fingerprint")
	}
	r.AddIdentity(owner, id)
	return nil
}

func readRegular(path string, secret bool) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, errors.New("not a small regular file")
	}
	if secret && info.Mode().Perm()&0o077 != 0 {
		return nil, ErrExposed
	}
	return os.ReadFile(path)
}

// Save writes every certificate and private key under dir, which it makes if
// needed. Private keys are locked anew each time, about 0.3 s each: so the
// passphrase may change. Nothing is deleted.
func (r *Ring) Save(dir string, passphrase []byte) error {
	for _, owner := range r.Owners() {
		if !ownerForm.MatchString(owner) {
			return fmt.Errorf("keyring: save: %w", ErrOwner)
		}
		if err := saveOwner(filepath.Join(dir, owner), r.of(owner), passphrase); err != nil {
			return fmt.Errorf("keyring: save %s: %w", owner, err)
		}
	}
	return nil
}

func saveOwner(dir string, h *holding, passphrase []byte) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	for _, c := range h.certs {
		if err := writeFile(dir, string(c.Fingerprint())+certSuffix, c.Bytes()); err != nil {
			return err
		}
	}
	for _, id := range h.ids {
		b, err := id.Lock(passphrase, seal.LockArgon2)
		if err != nil {
			return err
		}
		if err := writeFile(dir, string(id.Cert().Fingerprint())+keySuffix, b); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

// makeDir makes an owner's directory and syncs the one that names it.
func makeDir(dir string) error {
	switch _, err := os.Stat(dir); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// writeFile replaces a file so that a crash leaves the old one or the new one.
func writeFile(dir, name string, b []byte) error {
	f, err := os.CreateTemp(dir, "."+name+".*.tmp") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
