package httpapi

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

// Archive is a proof that was made, in a folder that goes with Close.
type Archive struct {
	Name string // of the folder in the tar: the id of the pli
	Size int64  // bytes of the tar

	beside string
}

// Exporter makes the proof of a pli in a folder of dir, as one party may have
// it. Nothing in it is in clear. Its errors are those of export.Write.
func Exporter(b *broker.Broker, dir string) func(ctx context.Context, id string, as broker.PartyID) (*Archive, error) {
	return func(ctx context.Context, id string, as broker.PartyID) (*Archive, error) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		beside, err := os.MkdirTemp(dir, "export-*")
		if err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
		a := &Archive{Name: id, beside: beside}
		if _, err = export.Write(ctx, b, id, a.folder(), export.Options{As: as}); err == nil {
			// Written once to be counted: an answer that declares its length
			// cannot be cut without being seen.
			a.Size, err = a.WriteTo(io.Discard)
		}
		if err != nil {
			_ = a.Close() // the error says more
			return nil, err
		}
		return a, nil
	}
}

func (a *Archive) folder() string { return filepath.Join(a.beside, "proof") }

// Close removes the folder.
func (a *Archive) Close() error { return os.RemoveAll(a.beside) }

// WriteTo writes the tar: plain files of nobody, under one folder.
func (a *Archive) WriteTo(w io.Writer) (int64, error) {
	root, err := os.OpenRoot(a.folder())
	if err != nil {
		return 0, fmt.Errorf("tar: %w", err)
	}
	defer root.Close()
	c := &counter{w: w}
	t := tar.NewWriter(c)
	err = fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		return tarFile(t, root, path, a.Name+"/"+path)
	})
	if err == nil {
		err = t.Close()
	}
	if err != nil {
		return c.n, fmt.Errorf("tar: %w", err)
	}
	return c.n, nil
}

func tarFile(t *tar.Writer, root *os.Root, path, name string) error {
	f, err := root.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o600, ModTime: info.ModTime()}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// export gives the proof of one pli to a party of it, in tar.
func (a *API) export(x *exchange) error {
	s, err := a.visible(x)
	if err != nil {
		return err
	}
	if a.o.Export == nil {
		return newProblem(CodeNoExport)
	}
	if a.o.Broker.Journal().LowSpace() {
		// It is prepared on the disk of the journal, whose last bytes are for
		// settlements and evidences: a journal that cannot grow ends the broker.
		return newProblem(CodeTemporary).retry(retrySpace)
	}
	proof, err := a.o.Export(x.r.Context(), s.Header.ID, x.caller.party)
	if err != nil {
		return err
	}
	h := x.w.Header()
	h.Set("Content-Type", "application/x-tar")
	h.Set("Content-Disposition", `attachment; filename="`+proof.Name+`.tar"`)
	h.Set("Content-Length", strconv.FormatInt(proof.Size, 10))
	x.w.WriteHeader(http.StatusOK)
	_, err = proof.WriteTo(callerWriter{x.w})
	if cerr := proof.Close(); err == nil {
		err = cerr
	}
	return err
}
