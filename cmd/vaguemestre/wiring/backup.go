package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"vaguemestre/config"
)

// ErrNotEmpty: a folder to write in holds something already.
var ErrNotEmpty = errors.New("the folder is not empty")

// Backup copies the data directory to a folder that does not exist or is
// empty, while the node goes on: the journal first, as of one moment, then the
// bodies that it names, which are never changed, then keys, certificates,
// configuration and secret. Nothing is unlocked in the copy. On error the copy
// is not complete and must not be used.
//
// A purge meanwhile is signed at once, and its file is erased after the copy:
// a copy holds what was there when it began.
func (d *Data) Backup(ctx context.Context, n *Node, out string) (err error) {
	release := n.Journal.Bodies().Hold()
	defer func() {
		if rerr := release(); rerr != nil {
			err = errors.Join(err, fmt.Errorf("backup: %w", rerr))
		}
	}()
	if _, err := Secret(d.Dir); err != nil {
		return fmt.Errorf("backup: %w", err) // a copy without it could not be opened
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("backup: %w", ErrNotEmpty)
	}
	err = create(filepath.Join(out, "journal.db"), func(f *os.File) error { return n.Journal.Backup(ctx, f) })
	if err != nil {
		return fmt.Errorf("backup: journal: %w", err)
	}
	for _, name := range []string{"bodies", "keys", "certs", "secret", config.FileName} {
		if err := copyTree(ctx, d.Dir, out, name); err != nil {
			return fmt.Errorf("backup: %s: %w", name, err)
		}
	}
	return nil
}

// copyTree copies a file or a folder by its name; what does not exist is
// skipped. Only plain files are taken, under the rights of a secret.
func copyTree(ctx context.Context, from, to, name string) error {
	root, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), name, func(path string, e fs.DirEntry, err error) error {
		switch target := filepath.Join(to, filepath.FromSlash(path)); {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case e.IsDir():
			return os.MkdirAll(target, 0o700)
		case !e.Type().IsRegular():
			return nil
		default:
			return copyFile(root, path, target)
		}
	})
}

func copyFile(root *os.Root, path, target string) error {
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
	return create(target, func(f *os.File) error {
		_, err := io.Copy(f, in)
		return err
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
