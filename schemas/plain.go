package schemas

import (
	"fmt"
	"io"
	"log/slog"
)

// mark is what any attempt to print sensitive content gives.
const mark = "[contenu non imprimable]"

// Plain holds sensitive bytes that cannot print: fmt with any verb,
// encoding/json, encoding.TextMarshaler users and log/slog all give one fixed
// mark. Only Bytes gives the content.
//
// The bytes are behind a closure rather than in a field: fmt cannot call the
// methods of a Plain kept by value in an unexported field of another struct
// and would fall back on reflection, which prints fields but not closures.
type Plain struct {
	reveal func() []byte
}

// NewPlain wraps b without copying it: the caller must not change it after.
func NewPlain(b []byte) Plain {
	return Plain{reveal: func() []byte { return b }}
}

// Bytes gives the content itself, which must not be changed. It is nil for
// the zero Plain.
func (p Plain) Bytes() []byte {
	if p.reveal == nil {
		return nil
	}
	return p.reveal()
}

// Len is the length of the content in bytes.
func (p Plain) Len() int { return len(p.Bytes()) }

// Format implements fmt.Formatter: the mark, whatever the verb.
func (Plain) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, mark) }

// String implements fmt.Stringer, for callers that do not go through fmt.
func (Plain) String() string { return mark }

// GoString implements fmt.GoStringer.
func (Plain) GoString() string { return mark }

// MarshalJSON implements json.Marshaler.
func (Plain) MarshalJSON() ([]byte, error) { return []byte(`"` + mark + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (Plain) MarshalText() ([]byte, error) { return []byte(mark), nil }

// LogValue implements slog.LogValuer.
func (Plain) LogValue() slog.Value { return slog.StringValue(mark) }
