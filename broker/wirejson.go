package broker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// The wire's JSON is one byte string per value: no white space, members in the
// listed order, the fewest escapes. It is written by hand, and read by decoding
// and writing again: what does not come out the same is refused. So no reader,
// ours or a shell, can see another value in the same signed bytes.

const version = 1

// TimeForm is the form of every instant on the wire: RFC 3339, UTC, ms.
const TimeForm = "2006-01-02T15:04:05.000Z"

// FormatTime writes an instant in TimeForm.
func FormatTime(t time.Time) string { return t.UTC().Format(TimeForm) }

// parseTime reads TimeForm and nothing near it: the length and the two marks
// leave RFC 3339 no other way to write the instant.
func parseTime(s string) (time.Time, error) {
	if len(s) == len(TimeForm) && s[19] == '.' && s[23] == 'Z' {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: instant", ErrFormat)
}

// object writes one JSON object.
type object struct {
	b     []byte
	first bool
}

func newObject(size int) *object {
	return &object{b: append(make([]byte, 0, size), '{'), first: true}
}

func (o *object) key(k string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

func (o *object) str(k, v string) { o.key(k); o.b = appendString(o.b, v) }

func (o *object) opt(k, v string) {
	if v != "" {
		o.str(k, v)
	}
}

func (o *object) num(k string, n int64) { o.key(k); o.b = strconv.AppendInt(o.b, n, 10) }

func (o *object) raw(k string, v []byte) { o.key(k); o.b = append(o.b, v...) }

func strs[S ~string](o *object, k string, list []S) {
	o.key(k)
	o.b = append(o.b, '[')
	for i, s := range list {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = appendString(o.b, string(s))
	}
	o.b = append(o.b, ']')
}

func (o *object) bytes() []byte { return append(o.b, '}') }

// appendString escapes the quote, the backslash and controls, nothing else:
// the short forms where JSON has one, \u00xx otherwise (RFC 8259 section 7).
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	done := 0
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			b = appendEscape(append(b, s[done:i]...), c)
			done = i + 1
		}
	}
	return append(append(b, s[done:]...), '"')
}

func appendEscape(b []byte, c byte) []byte {
	const hexdigits = "0123456789abcdef"
	if i := strings.IndexByte(escaped, c); i >= 0 {
		return append(b, '\\', escapes[i])
	}
	return append(b, '\\', 'u', '0', '0', hexdigits[c>>4], hexdigits[c&15])
}

// The characters that have a short form, and the letters of these.
const (
	escaped = "\"\\\b\t\n\f\r"
	escapes = `"\btnfr`
)

// decodeStrict decodes into v and refuses unknown members and anything after.
// The caller writes v again and compares: see same.
func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %v", ErrFormat, shape(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: bytes after the object", ErrFormat)
	}
	return nil
}

// shape keeps what a decoding error says of the form, and drops the value.
func shape(err error) string {
	switch e := err.(type) {
	case *json.SyntaxError:
		return "syntax at byte " + strconv.FormatInt(e.Offset, 10)
	case *json.UnmarshalTypeError:
		return "type of " + e.Field
	}
	return "not such an object"
}

// same refuses bytes that are not the one way to write a value.
func same(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: not in canonical form", ErrFormat)
	}
	return nil
}

// plainASCII says whether every byte may stand in a header, evidence, leaf or
// proof: printable ASCII, no quote, no backslash.
func plainASCII(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c > 0x7e || c == '\\' {
			return false
		}
	}
	return true
}

// Digest is the lower-case hexadecimal SHA-256 of bytes.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return digestText(sum)
}

func digestText(sum [sha256.Size]byte) string {
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
