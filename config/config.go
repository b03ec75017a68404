// Package config reads, checks, writes and documents the one configuration
// file of a broker: DATA/vaguemestre.toml.
//
// # The file
//
// It is TOML, because TOML refuses a département code written as a number where
// other formats read 01 as 1. [Example] is the commented sample, and what it
// says is the reference. [Load] takes nothing for granted: a key that is not
// known, in another case, or of another type is refused, and so is a file that
// others than its owner may write, since it holds the fingerprints on which all
// trust rests. There is no key for the notice: it follows from demonstration
// and from hosting, so that no one can forget it, or claim it.
//
// This package knows forms and places (what is a text, which file, which line).
// What the words mean, such as an unknown home or a certificate with two owners,
// is judged by broker/directory; [Config.Line] gives the line of a fault found
// there.
//
// [Initial] writes a file like the sample for a broker that is being made, and
// [AddCertificate] adds one line to a file without touching the rest of it, so
// that what an operator wrote beside a key stays there.
//
// # Environment
//
// A variable prevails over the file. Only limits of this machine can be set
// so; who is who, and what is said of it, stands in the file alone.
//
//	VAGUEMESTRE_LIMITS_BODY        limits.body, bytes
//	VAGUEMESTRE_LIMITS_FREE_SPACE  limits.free_space, bytes
//
// Another variable that begins with VAGUEMESTRE_LIMITS_ is refused as a
// misspelling; variables that begin otherwise belong to other parts.
package config

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/BurntSushi/toml"
)

// FileName is the name of the file in a data directory.
const FileName = "vaguemestre.toml"

// Defaults and bounds of [Limits], in bytes. No value turns a limit off.
const (
	DefaultBody      = 200_000_000
	MinBody          = 1_000_000
	MaxBody          = 230_000_000 // its base64 must fit in what crypto/seal opens, 320 MiB
	DefaultFreeSpace = 1_000_000_000
	MinFreeSpace     = 50_000_000
)

// Defaults and bounds of [API], [Admin] and [Log].
const (
	DefaultAPIListen   = "127.0.0.1:8480"
	DefaultAdminListen = "127.0.0.1:8481"
	DefaultRate        = 20 // calls a second
	DefaultBurst       = 60 // calls
	MaxRate            = 100_000

	// ListenOff as [API].Listen means that there is no API by TCP: commands,
	// which come by DATA/admin.sock, are then all that is served.
	ListenOff = "off"

	LogAuto = "auto" // JSON, but text on a terminal
	LogJSON = "json"
	LogText = "text"
)

const (
	maxFile = 4 << 20 // of the configuration file itself
)

// ErrInvalid is wrapped by every [*Error].
var ErrInvalid = errors.New("invalid configuration")

// Error is one fault of the file or of a variable. It never holds the value
// found.
type Error struct {
	Line    int    // in the file, from 1; 0 when unknown or in a variable
	Key     string // parties[1].departement, or the name of a variable
	Problem string // what is wanted
}

func (e *Error) Error() string {
	at := e.Key
	if e.Line > 0 && e.Key != "" {
		at = fmt.Sprintf("line %d: %s", e.Line, e.Key)
	} else if e.Line > 0 {
		at = fmt.Sprintf("line %d", e.Line)
	}
	return fmt.Sprintf("%v: %s: %s", ErrInvalid, at, e.Problem)
}

func (e *Error) Unwrap() error { return ErrInvalid }

// Faults lists the faults that an error of this package joins, in the order of
// the file; nil when there is none in it.
func Faults(err error) []*Error {
	if e, ok := err.(*Error); ok {
		return []*Error{e}
	}
	var out []*Error
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			out = append(out, Faults(one)...)
		}
	case interface{ Unwrap() error }:
		out = Faults(e.Unwrap())
	}
	slices.SortStableFunc(out, func(a, b *Error) int { return a.Line - b.Line })
	return out
}

// Config is the file. Its members have the meaning that [Example] gives.
type Config struct {
	Broker        string    `toml:"broker"`
	Demonstration bool      `toml:"demonstration,omitempty"`
	Limits        Limits    `toml:"limits"`
	API           API       `toml:"api"`
	Admin         Admin     `toml:"admin"`
	Log           Log       `toml:"log"`
	Retention     Retention `toml:"retention,omitzero"`
	Brokers       []Broker  `toml:"brokers"`
	Parties       []Party   `toml:"parties"`

	lines map[string]int
}

// Limits protect this machine, in bytes.
type Limits struct {
	Body      int64 `toml:"body"`       // largest document and pieces of one pli
	FreeSpace int64 `toml:"free_space"` // below this, no new submission is accepted
}

// API is how applications reach this broker. What is left out is written by
// Load with its default.
type API struct {
	// Listen is host:port, or ListenOff. Beyond this machine it needs TLS: a
	// token in clear on a network is everybody's.
	Listen string `toml:"listen,omitempty"`
	// TLSCert and TLSKey are files in PEM, both or none, inside the data
	// directory or by an absolute path: what renews them is another program.
	TLSCert string `toml:"tls_cert,omitempty"`
	TLSKey  string `toml:"tls_key,omitempty"`

	RatePerSecond int64 `toml:"rate_per_second,omitzero"` // calls of one token, in the long run
	Burst         int64 `toml:"burst,omitzero"`           // calls of one token at once
	MaxUpload     int64 `toml:"max_upload,omitzero"`      // bytes; see Config.Upload
}

// Upload is the largest document and pieces of one call to the API, in bytes:
// API.MaxUpload, and never more than Limits.Body.
func (c Config) Upload() int64 {
	if c.API.MaxUpload == 0 {
		return c.Limits.Body
	}
	return min(c.API.MaxUpload, c.Limits.Body)
}

// Admin is where health and metrics are read.
type Admin struct {
	Listen string `toml:"listen,omitempty"` // host:port, of this machine only
}

// Retention is how long content is kept.
type Retention struct {
	// ContentDays after its deposit, and after the last that was said of it, the
	// content of a pli is erased here, once nobody is awaited any more; evidences
	// and journal stay. 0: it is kept.
	ContentDays int64 `toml:"content_days,omitzero"`
}

// MaxRetention is the longest retention of content, in days: a century.
const MaxRetention = 36_525

// Log is how serve speaks.
type Log struct {
	Format string `toml:"format,omitempty"` // LogAuto, LogJSON or LogText
}

// Broker is one broker of the directory.
type Broker struct {
	ID           string        `toml:"id"`
	Libelle      string        `toml:"libelle"`
	Hosting      string        `toml:"hosting,omitempty"`
	Relay        bool          `toml:"relay,omitempty"`
	Via          string        `toml:"via,omitempty"` // the relay through which others reach it
	Fetches      bool          `toml:"fetches,omitempty"`
	Address      string        `toml:"address,omitempty"`
	TLSPins      []string      `toml:"tls_pins,omitempty"`
	Certificates []Certificate `toml:"certificates"`
}

// Party is one party of the directory.
type Party struct {
	ID           string        `toml:"id"`
	Role         string        `toml:"role"`
	Institution  string        `toml:"institution"`
	Departement  string        `toml:"departement"`
	Home         string        `toml:"home"`
	Telephone    string        `toml:"telephone,omitempty"`
	Zone         string        `toml:"zone,omitempty"`
	Certificates []Certificate `toml:"certificates"`
	Patience     Patience      `toml:"patience,omitempty"`
}

// Certificate is one OpenPGP certificate: the fingerprint that was compared
// with the printed sheet, and the file that must have it.
type Certificate struct {
	Fingerprint string `toml:"fingerprint"` // 40 lower-case hexadecimal digits
	File        string `toml:"file"`        // slash-separated, inside the data directory
}

// Patience has the fields of directory.Patience, so that a conversion makes
// one of the other; zero means the default.
type Patience struct {
	U0     time.Duration `toml:"u0,omitzero"`
	U1     time.Duration `toml:"u1,omitzero"`
	U2     time.Duration `toml:"u2,omitzero"`
	U2Days int           `toml:"u2_days,omitzero"`
	DayEnd time.Duration `toml:"day_end,omitzero"`
}

//go:embed example.toml
var example []byte

// Example returns a commented file that Load accepts.
func Example() []byte { return slices.Clone(example) }

// Load reads the file and the variables of the environment. The error joins
// every fault found, each an [*Error]; it wraps fs.ErrNotExist when there is no
// file.
func Load(path string) (Config, error) { return load(path, os.Environ()) }

func load(path string, environ []string) (Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	defer f.Close() // read only: nothing can be lost
	info, err := f.Stat()
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return Config{}, &Error{Key: FileName, Problem: "others than the owner may write it; take that away with chmod go-w"}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, err := parse(data)
	if err != nil {
		return Config{}, err
	}
	if err := c.override(environ); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Line returns the line of a key such as "parties[1].home", or of the closest
// one that contains it; 0 when unknown. Faults of broker/directory use the same
// names.
func (c Config) Line(key string) int { return lineOf(c.lines, key) }

// Write replaces the file at once: a reader sees the old one or the new one,
// whole. It refuses, with the error of [Load], a configuration that Load would
// refuse.
func Write(path string, c Config) error {
	data, err := encode(c)
	if err == nil {
		err = replace(path, data)
	}
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

func encode(c Config) ([]byte, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(c); err != nil {
		return nil, err
	}
	if _, err := parse(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func replace(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".vaguemestre-*.toml") // mode 0600: it has duty telephones
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name()) // best effort: the first error is the one to tell
		}
	}()
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
