package export

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// tree is a folder that anybody may have made. Nothing outside of it is
// reached, whatever it holds, and nothing but plain files is opened.
type tree struct {
	root   *os.Root
	names  []string          // of all files, sorted bytewise
	sizes  map[string]int64  // by name, when it was listed
	sums   map[string]string // digests by name, of what is outside open/
	open   bool              // there is a folder open/
	wanted map[string]bool   // files that were checked
}

// newTree lists the folder. The caller closes it. A fault is a *FaultError;
// other errors are about the folder itself.
func newTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	t := &tree{root: root, sizes: map[string]int64{}, sums: map[string]string{}, wanted: map[string]bool{}}
	left := maxEntries
	if err := t.walk(".", 0, &left); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	slices.Sort(t.names)
	return t, nil
}

func (t *tree) close() error { return t.root.Close() }

// walk reads folders by portions: one with millions of entries is not read.
func (t *tree) walk(dir string, depth int, left *int) error {
	if depth > maxDepth {
		return fault(dir, "folders too deep")
	}
	d, err := t.root.Open(dir)
	if err != nil {
		return fault(dir, "unreadable folder")
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(256)
		for _, x := range entries {
			if *left--; *left < 0 {
				return fault("", "too many files")
			}
			if err := t.entry(dir, depth, x, left); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fault(dir, "unreadable folder")
		}
	}
}

func (t *tree) entry(dir string, depth int, x fs.DirEntry, left *int) error {
	if !plainName(x.Name()) {
		return fault("", "a file has an abnormal name") // which is not repeated
	}
	name := path.Join(dir, x.Name())
	switch {
	case x.IsDir():
		t.open = t.open || name == strings.TrimSuffix(dirOpen, "/")
		return t.walk(name, depth+1, left)
	case !x.Type().IsRegular():
		return fault(name, "neither a file nor a folder")
	}
	info, err := x.Info()
	if err != nil || !info.Mode().IsRegular() {
		return fault(name, "unreadable")
	}
	t.names = append(t.names, name)
	t.sizes[name] = info.Size()
	return nil
}

func (t *tree) has(name string) bool { _, ok := t.sizes[name]; return ok }

// limit is the most bytes that a file may have.
func limit(name string) int64 {
	if name == fileBody || strings.HasPrefix(name, dirOpen) {
		return maxBody
	}
	return maxSmall
}

// file opens a file that was listed.
func (t *tree) file(name string) (*os.File, int64, error) {
	if !t.has(name) {
		return nil, 0, fault(name, "missing")
	}
	f, err := t.root.Open(name)
	if err != nil {
		return nil, 0, fault(name, "unreadable")
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, 0, fault(name, "unreadable")
	}
	if info.Size() > limit(name) {
		f.Close()
		return nil, 0, fault(name, "too large")
	}
	return f, info.Size(), nil
}

// read returns a small file, and says that it was expected. Outside open/ it
// must still be what the list was compared with.
func (t *tree) read(name string) ([]byte, error) {
	f, _, err := t.file(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	switch {
	case err != nil:
		return nil, fault(name, "unreadable")
	case len(b) > maxSmall:
		return nil, fault(name, "too large")
	}
	if sum, ok := t.sums[name]; ok && sum != hexSum(b) {
		return nil, fault(name, "changed while it was read")
	}
	t.wanted[name] = true
	return b, nil
}

func hexSum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// takeStock makes export.sha256 again from the files, and compares.
func (t *tree) takeStock() error {
	for _, name := range []string{fileList, fileList + sigSuffix, fileHeader, fileProof, fileVerifier} {
		if !t.has(name) {
			return fault(name, "missing")
		}
	}
	stated, err := t.read(fileList)
	if err != nil {
		return err
	}
	var lines []listed
	for _, name := range t.names {
		if strings.HasPrefix(name, dirOpen) || name == fileList || name == fileList+sigSuffix {
			continue
		}
		digest, err := t.sum(name)
		if err != nil {
			return err
		}
		t.sums[name] = digest
		lines = append(lines, listed{digest, name})
	}
	if found := listText(lines); !bytes.Equal(found, stated) {
		return firstDifference(string(found), string(stated))
	}
	return nil
}

func (t *tree) sum(name string) (string, error) {
	f, _, err := t.file(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, limit(name)+1)); err != nil {
		return "", fault(name, "unreadable")
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// firstDifference names the first file on which the folder and the list
// disagree.
func firstDifference(found, stated string) error {
	here, there := strings.Split(found, "\n"), strings.Split(stated, "\n")
	for i := range max(len(here), len(there)) {
		a, b := at(here, i), at(there, i)
		if a == b {
			continue
		}
		_, file, _ := strings.Cut(a, "  ")
		_, listed, _ := strings.Cut(b, "  ")
		switch {
		case file == listed && file != "":
			return fault(file, "not the bytes that export.sha256 lists")
		case file != "" && !strings.Contains(stated, "  "+file+"\n"):
			return fault(file, "not in export.sha256")
		case plainPath(listed) && !strings.Contains(found, "  "+listed+"\n"):
			return fault(listed, "in export.sha256, but missing")
		}
		break
	}
	return fault(fileList, "does not fit the files")
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// plainPath says whether a path of the list may be repeated in a message.
func plainPath(s string) bool {
	for _, name := range strings.Split(s, "/") {
		if !plainName(name) {
			return false
		}
	}
	return true
}

// expect says that a file must be there and is checked.
func (t *tree) expect(name string) error {
	if !t.has(name) {
		return fault(name, "missing")
	}
	t.wanted[name] = true
	return nil
}

// leftOver finds a file that nothing asked for, in open/ or outside.
func (t *tree) leftOver(inOpen bool) error {
	for _, name := range t.names {
		if strings.HasPrefix(name, dirOpen) == inOpen && !t.wanted[name] {
			return fault(name, "unexpected file")
		}
	}
	return nil
}

// equal compares a file with what a reader gives, in constant memory.
func (t *tree) equal(name string, r io.Reader) error {
	f, _, err := t.file(name)
	if err != nil {
		return err
	}
	defer f.Close()
	t.wanted[name] = true
	c := &comparer{file: f}
	if _, err := io.Copy(c, r); err != nil || !c.ended() {
		return fault(name, "not what the sealed message holds")
	}
	return nil
}

var errDiffers = errors.New("export: differs")

// comparer is a writer that accepts only the bytes of a file.
type comparer struct {
	file io.Reader
	buf  [8 << 10]byte
}

func (c *comparer) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		b := c.buf[:min(len(p)-n, len(c.buf))]
		if _, err := io.ReadFull(c.file, b); err != nil || !bytes.Equal(b, p[n:n+len(b)]) {
			return n, errDiffers
		}
		n += len(b)
	}
	return len(p), nil
}

func (c *comparer) ended() bool {
	n, err := c.file.Read(c.buf[:1])
	return n == 0 && err == io.EOF
}
