package wiring

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vaguemestre/broker/journal/boltstore"
)

// Files of a backup beside those of a data directory.
const (
	inventoryFile = "backup.json" // Inventory
	sumsFile      = "SHA256SUMS"  // of all files but itself, as sha256sum -c reads it
	journalFile   = "journal.db"
)

// Inventory says what a backup holds, and what a restore needs beside it.
type Inventory struct {
	V      int      `json:"v"` // 1
	Broker string   `json:"broker"`
	At     string   `json:"at"`    // RFC 3339, when it began
	Files  int      `json:"files"` // but the inventory and the digests
	Bytes  int64    `json:"bytes"` // of these
	Holds  []string `json:"holds"`
	Lacks  []string `json:"lacks"`
}

// ErrBackup: a backup is not what its list of digests says. It is wrapped by
// errors that name the file.
var ErrBackup = errors.New("the backup differs from its SHA256SUMS")

// inventory is said before anything is copied.
func (d *Data) inventory(n *Node, o BackupOptions) Inventory {
	inv := Inventory{
		V: 1, Broker: d.Config.Broker, At: n.now().UTC().Format(time.RFC3339),
		Holds: []string{
			"the journal, as of one moment: every event, evidence and pending work",
			"the sealed bodies that it names",
			"the local secret, the configuration, the certificates of the directory",
		},
		Lacks: []string{"the passphrase of the keys: without it, nothing that was received can be read"},
	}
	keys := "the private keys, locked under the passphrase"
	if o.WithoutKeys {
		inv.Lacks = append(inv.Lacks, keys+" (the folder keys, kept apart)")
	} else {
		inv.Holds = append(inv.Holds, keys)
	}
	if d.Config.API.TLSCert != "" {
		inv.Lacks = append(inv.Lacks, "the TLS certificate of the API and its key")
	}
	inv.Lacks = append(inv.Lacks, "what the service manager of the machine keeps: credential, unit, addresses", "bodies and details that were purged before")
	return inv
}

// ledger notes the digest of every file that is put.
type ledger struct {
	to   func(name string, fill func(io.Writer) error) error
	sums strings.Builder
	n    int
	size int64
}

func newLedger(to func(string, func(io.Writer) error) error) *ledger { return &ledger{to: to} }

func (l *ledger) put(name string, fill func(io.Writer) error) error {
	sum, size := sha256.New(), &counter{}
	err := l.to(name, func(w io.Writer) error { return fill(io.MultiWriter(w, sum, size)) })
	if err != nil {
		return err
	}
	fmt.Fprintf(&l.sums, "%x  %s\n", sum.Sum(nil), name)
	l.n, l.size = l.n+1, l.size+size.n
	return nil
}

// end puts the inventory, then the digests.
func (l *ledger) end(inv *Inventory) error {
	inv.Files, inv.Bytes = l.n, l.size
	text, err := json.MarshalIndent(inv, "", "  ")
	if err != nil {
		return err
	}
	write := func(b []byte) func(io.Writer) error {
		return func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		}
	}
	if err := l.put(inventoryFile, write(append(text, '\n'))); err != nil {
		return err
	}
	return l.to(sumsFile, write([]byte(l.sums.String())))
}

type counter struct{ n int64 }

// Write implements io.Writer.
func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// CheckBackup compares a backup that was never started with its digests: what
// verifying the journal does not see, such as the secret, the locked keys, the
// configuration and the mark of a copy. It does nothing in a folder that is no
// backup, or one that was started since. Errors: ErrBackup, wrapped.
func CheckBackup(ctx context.Context, dir string) error {
	sums, err := os.Open(filepath.Join(dir, sumsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("check of a backup: %w", err)
	}
	defer sums.Close()
	if copied, err := boltstore.IsCopy(dir); err != nil || !copied {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("check of a backup: %w", err)
	}
	defer root.Close()
	listed := map[string]bool{}
	lines := bufio.NewScanner(sums)
	for lines.Scan() {
		digest, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			return fmt.Errorf("%w: a line that is none", ErrBackup)
		}
		if err := checkSum(ctx, root, name, digest); err != nil {
			return err
		}
		listed[name] = true
	}
	if err := lines.Err(); err != nil || !listed[journalFile] || !listed[inventoryFile] {
		return fmt.Errorf("%w: the list is cut", ErrBackup)
	}
	return nil
}

func checkSum(ctx context.Context, root *os.Root, name, digest string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("%w: a file of the list cannot be read", ErrBackup)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil || hex.EncodeToString(sum.Sum(nil)) != digest {
		return fmt.Errorf("%w: %s", ErrBackup, name)
	}
	return nil
}

// forgetBackup takes the list of a backup away once it is a data directory in
// use: what it says is no longer so.
func forgetBackup(dir string) error {
	for _, name := range []string{sumsFile, inventoryFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("started backup: %w", err)
		}
	}
	return nil
}
