package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// file is one small file of an export.
type file struct {
	name string // path in the folder, with slashes
	b    []byte
}

// folder is an export being written.
type folder struct {
	root  string
	lines []listed
	files int
}

// listed is one line of export.sha256.
type listed struct{ digest, name string }

func (f *folder) put(x file) error {
	_, _, err := f.stream(x.name, bytes.NewReader(x.b))
	return err
}

// stream writes a file in constant memory.
func (f *folder) stream(name string, r io.Reader) (digest string, size int64, err error) {
	path := filepath.Join(f.root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", 0, err
	}
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", 0, err
	}
	sum := sha256.New()
	size, err = io.Copy(io.MultiWriter(w, sum), r)
	if err = errors.Join(err, w.Close()); err != nil {
		return "", 0, fmt.Errorf("writing %s: %w", name, err)
	}
	f.files++
	digest = hex.EncodeToString(sum.Sum(nil))
	if !strings.HasPrefix(name, dirOpen) {
		f.lines = append(f.lines, listed{digest, name})
	}
	return digest, size, nil
}

// list is export.sha256: every file so far outside open/, bytewise by path.
func (f *folder) list() []byte { return listText(f.lines) }

func listText(lines []listed) []byte {
	lines = slices.SortedFunc(slices.Values(lines), func(a, b listed) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&out, "%s  %s\n", l.digest, l.name)
	}
	return out.Bytes()
}

// moveTo gives the folder its name. An empty folder there gives way.
func (f *folder) moveTo(dir string) error {
	if _, err := os.Lstat(dir); err == nil {
		if err := os.Remove(dir); err != nil {
			return err
		}
	}
	return os.Rename(f.root, dir)
}
