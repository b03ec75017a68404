package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"

	"vaguemestre/cmd/vaguemestre/wiring"
)

// headerFile names the path of a file in a folder that is sent.
const headerFile = "Vaguemestre-File"

// ErrExists: the folder to write holds something already.
var ErrExists = errors.New("the folder exists and is not empty")

// sender sends a folder.
type sender struct {
	w    http.ResponseWriter
	m    *multipart.Writer
	live bool
}

func newSender(w http.ResponseWriter) *sender { return &sender{w: w, m: multipart.NewWriter(w)} }

// put sends one file.
func (s *sender) put(name string, fill func(io.Writer) error) error {
	h := textproto.MIMEHeader{"Content-Type": {"application/octet-stream"}, headerFile: {name}}
	p, err := s.part(h)
	if err != nil {
		return err
	}
	return fill(p)
}

func (s *sender) part(h textproto.MIMEHeader) (io.Writer, error) {
	if !s.live {
		s.live = true
		s.w.Header().Set("Content-Type", mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": s.m.Boundary()}))
		s.w.Header().Set("Cache-Control", "no-store")
	}
	return s.m.CreatePart(h)
}

// tree sends every file below a folder.
func (s *sender) tree(ctx context.Context, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := root.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		return s.put(path, func(w io.Writer) error {
			_, err := io.Copy(w, f)
			return err
		})
	})
}

// end says how it went: with result, or with the problem.
func (s *sender) end(result any, problem *Problem) error {
	if problem != nil && !s.live {
		problem.write(s.w)
		return nil
	}
	kind, v := typeJSON, result
	if problem != nil {
		kind, v = typeProblem, problem
	}
	p, err := s.part(textproto.MIMEHeader{"Content-Type": {kind}})
	if err != nil {
		return err
	}
	if err := json.NewEncoder(p).Encode(v); err != nil {
		return err
	}
	return s.m.Close()
}

// Vacant says whether a folder may be made there: ErrExists when it holds
// something.
func Vacant(dir string) error {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return ErrExists
	}
	return nil
}

// ReceiveFolder writes the folder of an answer at out, which must not exist or
// be empty, and reads its result. It is written beside and renamed at the end,
// durably: on error nothing is left. The error is a *Problem when the broker said what
// went wrong, ErrExists, or what failed. It closes the body.
func ReceiveFolder(r *http.Response, out string, result any) (err error) {
	defer r.Body.Close()
	if err := Vacant(out); err != nil {
		return err
	}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	if out, err = filepath.Abs(out); err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	beside, err := os.MkdirTemp(filepath.Dir(out), ".received-*") // 0700
	if err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	defer os.RemoveAll(beside) // nothing is left of it after the rename
	if err := receiveParts(multipart.NewReader(r.Body, params["boundary"]), beside, result); err != nil {
		return err
	}
	if _, err := os.Lstat(out); err == nil {
		if err := os.Remove(out); err != nil {
			return fmt.Errorf("receiving a folder: %w", err)
		}
	}
	if err := wiring.SyncTree(beside); err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	if err := os.Rename(beside, out); err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	if err := wiring.SyncFolder(filepath.Dir(out)); err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	return nil
}

func receiveParts(m *multipart.Reader, dir string, result any) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("receiving a folder: %w", err)
	}
	defer root.Close()
	for {
		p, err := m.NextRawPart()
		if err != nil {
			return fmt.Errorf("receiving a folder: cut before its end: %w", err)
		}
		name := p.Header.Get(headerFile)
		if name == "" {
			return readResult(p, result)
		}
		if err := receiveFile(root, name, p); err != nil {
			return fmt.Errorf("receiving a folder: %w", err)
		}
	}
}

// readResult reads the part that ends a folder.
func readResult(p *multipart.Part, result any) error {
	d := json.NewDecoder(io.LimitReader(p, maxAnswer))
	if p.Header.Get("Content-Type") == typeProblem {
		problem := &Problem{}
		if err := d.Decode(problem); err != nil {
			return fmt.Errorf("receiving a folder: %w", err)
		}
		return problem
	}
	if err := d.Decode(result); err != nil {
		return fmt.Errorf("receiving a folder: cut before its end: %w", err)
	}
	return nil
}

func receiveFile(root *os.Root, name string, r io.Reader) error {
	name = filepath.FromSlash(name)
	if !filepath.IsLocal(name) {
		return errors.New("a file outside the folder")
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}
