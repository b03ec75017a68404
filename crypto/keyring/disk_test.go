package keyring

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/crypto/seal"
)

func TestSaveAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	pass := []byte("phrase de passe")
	r := New()
	ase := generate(t, "ase", seal.Options{})
	r.AddIdentity("ase-59", ase)
	r.AddCert("je-lille", generate(t, "je", seal.Options{}).Cert())
	must(t, r.Save(dir, pass))
	compromised, err := ase.Revoke(day, true)
	must(t, err)
	r.AddCert("ase-59", compromised)
	must(t, r.Save(dir, pass)) // over the first

	files := 0
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s is %v", d.Name(), info.Mode().Perm())
		}
		return nil
	}))
	if files != 3 {
		t.Errorf("%d files", files)
	}

	got, err := Load(dir, pass)
	must(t, err)
	if !got.Has("ase-59") || got.Has("je-lille") || !slices.Equal(got.Owners(), r.Owners()) || !slices.Equal(got.Certs("ase-59"), r.Certs("ase-59")) {
		t.Error("not what was saved")
	}
	if got.Standing(string(ase.Cert().Fingerprint()), day, false) != "compromised" {
		t.Error("the revocation was lost on disk")
	}
	sig, _, err := got.Sign(context.Background(), "ase-59", nil, day.Add(-time.Hour))
	must(t, err)
	if _, _, err := r.Verify("ase-59", nil, sig); err != nil {
		t.Error(err)
	}

	if _, err := Load(dir, []byte("autre")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Load(dir, nil); !errors.Is(err, ErrPassphrase) {
		t.Errorf("no passphrase: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "absent"), pass); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	if err := r.Save(dir, nil); !errors.Is(err, seal.ErrNoPassphrase) {
		t.Errorf("saved without passphrase: %v", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	pass := []byte("phrase")
	id := generate(t, "ase", seal.Options{})
	fp := string(id.Cert().Fingerprint())
	locked, err := id.Lock(pass, seal.LockIterated)
	must(t, err)
	for _, row := range []struct {
		name, owner, file string
		content           []byte
		mode              os.FileMode
		want              error // nil: any
	}{
		{"key readable by others", "ase-59", fp + ".key", locked, 0o640, ErrExposed},
		{"another name", "ase-59", strings.Repeat("0", 40) + ".key", locked, 0o600, nil},
		{"another certificate's name", "ase-59", strings.Repeat("0", 40) + ".pgp", id.Cert().Bytes(), 0o600, nil},
		{"private key as certificate", "ase-59", fp + ".pgp", locked, 0o600, nil},
		{"certificate as private key", "ase-59", fp + ".key", id.Cert().Bytes(), 0o600, nil},
		{"damaged", "ase-59", fp + ".pgp", id.Cert().Bytes()[:50], 0o600, nil},
		{"owner that hides", ".ase", fp + ".pgp", id.Cert().Bytes(), 0o600, ErrOwner},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, row.owner), 0o700))
			path := filepath.Join(dir, row.owner, row.file)
			must(t, os.WriteFile(path, row.content, row.mode))
			must(t, os.Chmod(path, row.mode))
			_, err := Load(dir, pass)
			if err == nil || row.want != nil && !errors.Is(err, row.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("symbolic link", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "ase-59"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "elsewhere"), locked, 0o600))
		must(t, os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "ase-59", fp+".key")))
		if _, err := Load(dir, pass); err == nil {
			t.Error("followed")
		}
	})
	t.Run("leftover of a crash", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(filepath.Join(dir, "ase-59"), 0o700))
		must(t, os.WriteFile(filepath.Join(dir, "ase-59", "."+fp+".key.123.tmp"), locked[:10], 0o600))
		if _, err := Load(dir, pass); err != nil {
			t.Error(err)
		}
	})
	for _, owner := range []string{"", "..", "../x", "a/b", "-x", "ASE", ".x", "x."} {
		r := New()
		r.AddCert(owner, id.Cert())
		if err := r.Save(t.TempDir(), pass); !errors.Is(err, ErrOwner) {
			t.Errorf("owner %q: %v", owner, err)
		}
	}
}

func TestExportSecret(t *testing.T) {
	r := New()
	id := generate(t, "ase", seal.Options{})
	r.AddIdentity("ase-59", id)
	b, err := r.ExportSecret("ase-59", []byte("phrase"))
	must(t, err)
	if !bytes.HasPrefix(b, []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n")) {
		t.Error("not armored")
	}
	got, err := seal.Unlock(b, []byte("phrase"))
	if err != nil || got.Cert().Fingerprint() != id.Cert().Fingerprint() {
		t.Errorf("unlock: %v", err)
	}
	if _, err := r.ExportSecret("ase-59", nil); !errors.Is(err, seal.ErrNoPassphrase) {
		t.Errorf("without passphrase: %v", err)
	}
	if _, err := r.ExportSecret("inconnu", []byte("phrase")); !errors.Is(err, ErrNoKey) {
		t.Errorf("unknown owner: %v", err)
	}
}

func TestPassphrase(t *testing.T) {
	dir := t.TempDir()
	notTerminal, err := os.Open(os.DevNull)
	must(t, err)
	defer notTerminal.Close()
	ask := func() ([]byte, error) { return Passphrase(notTerminal, io.Discard) }

	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "de l'environnement")
	if b, err := ask(); err != nil || string(b) != "de l'environnement" {
		t.Errorf("environment: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "vaguemestre-passphrase"), []byte(" du fichier \n"), 0o600))
	if b, err := ask(); err != nil || string(b) != " du fichier " {
		t.Errorf("credential before environment, one line end removed: %v", err)
	}
	var none *PassphraseError
	must(t, os.WriteFile(filepath.Join(dir, "vaguemestre-passphrase"), []byte("\n"), 0o600))
	if _, err := ask(); !errors.As(err, &none) {
		t.Errorf("empty credential must not fall through: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "vaguemestre-passphrase"), make([]byte, 5000), 0o600))
	if _, err := ask(); !errors.As(err, &none) {
		t.Errorf("endless credential: %v", err)
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "")
	if _, err := ask(); !errors.As(err, &none) {
		t.Errorf("empty variable: %v", err)
	}
	os.Unsetenv("VAGUEMESTRE_PASSPHRASE")
	if _, err := ask(); !errors.As(err, &none) || none.Hint() == "" {
		t.Errorf("nothing: %v", err)
	}
}
