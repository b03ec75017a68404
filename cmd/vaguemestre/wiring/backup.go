package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"vaguemestre/config"
)

// ErrNotEmpty: a folder to write in holds something already.
var ErrNotEmpty = errors.New("the folder is not empty")

// Backup copies the data directory to a folder that does not exist or is
// empty, while the node goes on: the journal first, as of one moment, then the
// bodies that it names, which are never changed, then keys, certificates,
// configuration and secret. Nothing is unlocked in the copy. It returns once
// the copy survives a loss of power. On error the copy is not complete and must
// not be used.
//
// A purge meanwhile is signed at once, and its file is erased after the copy:
// a copy holds what was there when it began.
func (d *Data) Backup(ctx context.Context, n *Node, out string, o BackupOptions) (Inventory, error) {
	if err := os.MkdirAll(out, 0o700); err != nil {
		return Inventory{}, fmt.Errorf("backup: %w", err)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		return Inventory{}, fmt.Errorf("backup: %w", err)
	}
	if len(entries) > 0 {
		return Inventory{}, fmt.Errorf("backup: %w", ErrNotEmpty)
	}
	inv, err := d.BackupTo(ctx, n, o, func(name string, fill func(io.Writer) error) error {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return create(path, func(f *os.File) error { return fill(f) })
	})
	if err != nil {
		return inv, err
	}
	if err := errors.Join(SyncTree(out), SyncFolder(filepath.Dir(filepath.Clean(out)))); err != nil {
		return inv, fmt.Errorf("backup: %w", err)
	}
	return inv, nil
}

// BackupOptions says what a backup leaves out.
type BackupOptions struct {
	// WithoutKeys leaves the locked private keys out, where they are kept apart:
	// whoever takes such a copy and the passphrase can read nothing.
	WithoutKeys bool `json:"without_keys"`
}

// BackupTo is Backup for whoever keeps the files elsewhere: put is called for
// each of them, one after the other, with its path (slash-separated) and what
// writes it. The last two are the inventory and the digests of all others.
func (d *Data) BackupTo(ctx context.Context, n *Node, o BackupOptions, put func(name string, fill func(io.Writer) error) error) (inv Inventory, err error) {
	release := n.Journal.Bodies().Hold()
	defer func() {
		if rerr := release(); rerr != nil {
			err = errors.Join(err, fmt.Errorf("backup: %w", rerr))
		}
	}()
	if _, err := Secret(d.Dir); err != nil {
		return inv, fmt.Errorf("backup: %w", err) // a copy without it could not be opened
	}
	l := newLedger(put)
	inv = d.inventory(n, o)
	err = l.put(journalFile, func(w io.Writer) error { return n.Journal.Backup(ctx, w) })
	if err != nil {
		return inv, fmt.Errorf("backup: journal: %w", err)
	}
	names := []string{"bodies", "keys", "certs", secretFile, config.FileName}
	if o.WithoutKeys {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "keys" })
	}
	for _, name := range names {
		if err := copyTree(ctx, d.Dir, name, l.put); err != nil {
			return inv, fmt.Errorf("backup: %s: %w", name, err)
		}
	}
	if err := l.end(&inv); err != nil {
		return inv, fmt.Errorf("backup: inventory: %w", err)
	}
	return inv, nil
}

// copyTree copies a file or a folder by its name; what does not exist is
// skipped. Only plain files are taken.
func copyTree(ctx context.Context, from, name string, put func(string, func(io.Writer) error) error) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), name, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case e.IsDir() && path == "bodies/tmp":
			return fs.SkipDir // not yet bodies
		case !e.Type().IsRegular():
			return nil
		}
		in, err := root.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			// A temporary body that was finished or dropped meanwhile. What the
			// journal names and the copy lacks, verifying the copy finds.
			return nil
		}
		if err != nil {
			return err
		}
		defer in.Close()
		return put(path, func(w io.Writer) error {
			_, err := io.Copy(w, in)
			return err
		})
	})
}

// create writes a new file to the disk.
func create(path string, fill func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
