package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
)

// ErrOwner says that the file lists no broker or party of that id.
var ErrOwner = errors.New("the configuration lists no such party or broker")

// AddCertificate makes a certificate the current one of a party or broker, in
// the file at path. The rest of the file stays as it was written, comments
// included; only a file that writes its tables in a way that a line cannot be
// added to is written anew, without them. The error is ErrOwner, or that of
// Load or Write.
func AddCertificate(path, owner string, k Certificate) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	// Without the environment: it is not to be written down.
	c, err := parse(text)
	if err != nil {
		return err
	}
	list, key := c.certificatesOf(owner)
	if list == nil {
		return fmt.Errorf("write configuration: %w", ErrOwner)
	}
	*list = append([]Certificate{k}, *list...)
	edited, ok := insert(text, c.lines, key, k, len(*list) > 1)
	if ok {
		again, err := parse(edited)
		ok = err == nil && same(again, c)
	}
	if !ok {
		return Write(path, c)
	}
	if err := replace(path, edited); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// certificatesOf finds the list of an owner and the key of its table. The list
// is a copy's: c stays what its caller reads from it alone.
func (c *Config) certificatesOf(owner string) (*[]Certificate, string) {
	for i := range c.Brokers {
		if c.Brokers[i].ID == owner {
			return &c.Brokers[i].Certificates, fmt.Sprintf("brokers[%d]", i)
		}
	}
	for i := range c.Parties {
		if c.Parties[i].ID == owner {
			return &c.Parties[i].Certificates, fmt.Sprintf("parties[%d]", i)
		}
	}
	return nil, ""
}

// insert writes the certificate before those of the list that is there, or as
// a list of its own right under the header of the table. false when the file
// is not written so.
func insert(text []byte, lines map[string]int, table string, k Certificate, more bool) ([]byte, bool) {
	entry := fmt.Sprintf("{ fingerprint = %s, file = %s }", quote(k.Fingerprint), quote(k.File))
	rows := strings.Split(string(text), "\n")
	if more {
		n := lines[table+".certificates"]
		if n == 0 {
			return nil, false
		}
		before, after, found := strings.Cut(rows[n-1], "[")
		if !found {
			return nil, false
		}
		rows[n-1] = before + "[\n  " + entry + "," + after
		return []byte(strings.Join(rows, "\n")), true
	}
	n := lines[table]
	if n == 0 || !arrayHeader.MatchString(strings.TrimSpace(rows[n-1])) {
		return nil, false
	}
	return []byte(strings.Join(slices.Insert(rows, n, "certificates = [", "  "+entry+",", "]"), "\n")), true
}

// same compares what two files say, whatever their lines.
func same(a, b Config) bool {
	a.lines, b.lines = nil, nil
	return reflect.DeepEqual(a, b)
}

// quote writes a TOML basic string.
func quote(s string) string {
	var b bytes.Buffer
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
