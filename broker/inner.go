package broker

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vaguemestre/schemas"
)

// Inner is the header as the sender signed it inside the encryption: the same
// common members, and what must not show outside.
type Inner struct {
	Header  // ContentSHA256, BodySHA256 and BodySize stay zero
	Kind    schemas.Kind
	Schema  string
	Thread  string // UUIDv7 of the situation
	ReplyTo string
	Salt    string // 32 random bytes in hex: content_sha256 then reveals nothing
}

// Encode writes inner.json.
func (i Inner) Encode() []byte {
	o := newObject(640)
	i.common(o)
	o.str("kind", string(i.Kind))
	o.str("schema", i.Schema)
	o.str("thread", i.Thread)
	o.opt("in_reply_to", i.ReplyTo)
	o.str("salt", i.Salt)
	return o.bytes()
}

// ParseInner reads inner.json, strictly.
func ParseInner(b []byte) (Inner, error) {
	var i Inner
	if len(b) > 8<<10 || !plainASCII(b) {
		return i, fmt.Errorf("%w: inner.json", ErrFormat)
	}
	p := &scanner{s: string(b)}
	i.read(p)
	i.Kind = str[schemas.Kind](p, "kind")
	i.Schema = str[string](p, "schema")
	i.Thread = str[string](p, "thread")
	i.ReplyTo = opt[string](p, "in_reply_to")
	i.Salt = str[string](p, "salt")
	if err := p.done(); err != nil {
		return i, fmt.Errorf("inner.json: %w", err)
	}
	if err := i.checkCommon(); err != nil {
		return i, fmt.Errorf("inner.json: %w", err)
	}
	switch {
	case !isUUIDv7(i.Thread):
		return i, fmt.Errorf("%w: inner.json: thread", ErrFormat)
	case i.ReplyTo != "" && !isUUIDv7(i.ReplyTo):
		return i, fmt.Errorf("%w: inner.json: in_reply_to", ErrFormat)
	case !isDigest(i.Salt):
		return i, fmt.Errorf("%w: inner.json: salt", ErrFormat)
	}
	return i, same(b, i.Encode())
}

// Agrees says whether every common member equals the outer header's.
func (i Inner) Agrees(h Header) bool {
	return i.V == h.V && i.Notice == h.Notice && i.ID == h.ID && i.From == h.From &&
		slices.Equal(i.To, h.To) && slices.Equal(i.Cc, h.Cc) &&
		i.Urgency == h.Urgency && i.SentAt == h.SentAt
}

// Actor is the person, or the application, behind an act.
type Actor struct {
	Name     string `json:"name"`
	Function string `json:"function"`
}

// valid says whether an actor can be written and read again: a name, in UTF-8,
// of a reasonable length.
func (a Actor) valid() bool {
	return strings.TrimSpace(a.Name) != "" && len(a.Name) <= maxName && len(a.Function) <= maxName &&
		oneLine(a.Name) && oneLine(a.Function)
}

// oneLine says whether a text is UTF-8 without controls: whoever prints it, on a
// paper or a terminal, prints what was written and nothing more.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// someLines is oneLine for a text of several lines.
func someLines(s string) bool {
	return oneLine(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(s))
}

const (
	maxName      = 400      // bytes of a name or a function
	maxAssertion = 32 << 10 // bytes of assertion.json

	hintActor = "give the name of the person, and the function if any, in UTF-8 without control characters, 400 bytes each at most"
)

// Basis says how the actor is known.
type Basis string

// The bases.
const (
	Declared      Basis = "declared"      // the caller says so: API, command line
	Authenticated Basis = "authenticated" // a session of that person
	Passkey       Basis = "passkey"       // an assertion over the very act
)

func isBasis(b Basis) bool { return b == Declared || b == Authenticated || b == Passkey }

// Acte says who sent a pli and how that is known; it binds the person to the
// document and the pieces.
type Acte struct {
	V              int
	Salt           string
	ID             string
	To             []PartyID
	Cc             []PartyID
	Kind           schemas.Kind
	Actor          Actor
	Basis          Basis
	DocumentSHA256 string
	PiecesSHA256   []string
}

// Encode writes acte.json.
func (a Acte) Encode() []byte {
	o := newObject(640)
	o.num("v", int64(a.V))
	o.str("salt", a.Salt)
	o.str("id", a.ID)
	strs(o, "to", a.To)
	strs(o, "cc", a.Cc)
	o.str("kind", string(a.Kind))
	o.raw("actor", a.Actor.encode())
	o.str("basis", string(a.Basis))
	o.str("document_sha256", a.DocumentSHA256)
	strs(o, "pieces_sha256", a.PiecesSHA256)
	return o.bytes()
}

func (a Actor) encode() []byte {
	o := newObject(96)
	o.str("name", a.Name)
	o.str("function", a.Function)
	return o.bytes()
}

func (a *Acte) read(p *scanner) {
	a.V = int(p.num("v"))
	a.Salt = str[string](p, "salt")
	a.ID = str[string](p, "id")
	a.To = list[PartyID](p, "to")
	a.Cc = list[PartyID](p, "cc")
	a.Kind = str[schemas.Kind](p, "kind")
	p.object("actor", func(p *scanner) {
		a.Actor.Name = p.text("name")
		a.Actor.Function = p.text("function")
	})
	a.Basis = str[Basis](p, "basis")
	a.DocumentSHA256 = str[string](p, "document_sha256")
	a.PiecesSHA256 = list[string](p, "pieces_sha256")
}

// ParseActe reads acte.json, strictly.
func ParseActe(b []byte) (Acte, error) {
	var a Acte
	if len(b) > 16<<10 || !utf8.Valid(b) {
		return a, fmt.Errorf("%w: acte.json", ErrFormat)
	}
	p := &scanner{s: string(b)}
	a.read(p)
	if err := p.done(); err != nil {
		return a, fmt.Errorf("acte.json: %w", err)
	}
	if a.V != version || !isUUIDv7(a.ID) || !isBasis(a.Basis) || !isDigest(a.Salt) || !isDigest(a.DocumentSHA256) {
		return a, fmt.Errorf("%w: acte.json", ErrFormat)
	}
	if a.Actor.Name == "" {
		return a, fmt.Errorf("%w: acte.json: actor", ErrFormat)
	}
	for _, d := range a.PiecesSHA256 {
		if !isDigest(d) {
			return a, fmt.Errorf("%w: acte.json: pieces_sha256", ErrFormat)
		}
	}
	return a, same(b, a.Encode())
}
