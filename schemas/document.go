package schemas

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// Field is one faulty or missing field. It never holds a value of the
// document.
type Field struct {
	Path    string // "enfants[0].date_naissance"; empty for the whole document
	Code    string // stable, ASCII, "obligatoire"
	Message string // French sentence, with the article where there is one
}

// InvalidError is a document refused, with every faulty field (50 at most).
type InvalidError struct{ Fields []Field }

// Error names the fields and codes, for operators; the sentences are in
// Fields.
func (e *InvalidError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "schemas: invalid document (%d)", len(e.Fields))
	for i, f := range e.Fields {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		b.WriteString(separator)
		if f.Path != "" {
			b.WriteString(f.Path + " ")
		}
		b.WriteString(f.Code)
	}
	return b.String()
}

// Document is a document that passed every erreur of its kind. Only Parse
// makes one. It is immutable, safe for concurrent use, and cannot print.
type Document struct {
	plan     *plan
	bytes    Plain
	content  any            // pointer to the struct of the kind: fmt stops at it
	reserves func() []Field // found once, when asked for: a reader's broker need not
}

// Parse reads a document of the given kind, once and for all. A refusal is an
// *InvalidError with every fault of reading and every erreur; réserves do not
// refuse. The bytes of p are kept as they are and must not change.
func Parse(k Kind, p Plain) (*Document, error) {
	pl, ok := plans()[k]
	if !ok {
		return nil, &InvalidError{Fields: []Field{{Code: codeTypeInconnu, Message: sentences[codeTypeInconnu]}}}
	}
	content := reflect.New(pl.typ)
	faults, complete := decode(p.Bytes(), pl.shape, content.Elem())
	if complete && (len(faults) > 0 || !passes(pl.shape, content.Elem())) {
		faults = merge(faults, check(erreurs(), content.Interface()))
	}
	if len(faults) > 0 {
		return nil, &InvalidError{Fields: fields(pl, faults, false)}
	}
	d := &Document{plan: pl, bytes: p, content: content.Interface()}
	d.reserves = sync.OnceValue(func() []Field { return fields(pl, check(reserves(), d.content), true) })
	return d, nil
}

// fields adds the sentences to faults.
func fields(p *plan, faults []fault, reserve bool) []Field {
	all := make([]Field, len(faults))
	for i, f := range faults {
		code := f.code
		if reserve && code == codeObligatoire {
			code = codeSouhaite
		}
		all[i] = Field{Path: f.path, Code: code, Message: sentence(p, f, reserve)}
	}
	return all
}

// piecesOf gives the attached parts; every kind embeds envoi.
func piecesOf(content any) []Piece {
	c, ok := content.(interface{ attached() []Piece })
	if !ok {
		return nil
	}
	return c.attached()
}

// CheckSender refuses, as Parse does, a document that its sender may not write
// in this quality: the ASE or a service seizes the judge as the service to
// which the child is confided only, and the procureur never so (C. civ. 375 al.
// 1). It is apart from Parse because a document does not name its sender.
func (d *Document) CheckSender(from Role) error {
	r, ok := d.content.(*requete)
	if !ok {
		return nil
	}
	code := ""
	switch gardien := r.Qualite == serviceGardien; {
	case from == RoleParquet && gardien:
		code = codeContradiction
	case from != RoleParquet && !gardien:
		code = codeObligatoire
	default:
		return nil
	}
	return &InvalidError{Fields: fields(d.plan, []fault{{path: "qualite", code: code}}, false)}
}

// TransmitsOrder tells whether the pli transmits an order of a magistrate, for
// which it does not stand: every view of it says so. An OPP that ends because
// time ran has none.
func (d *Document) TransmitsOrder() bool {
	if f, ok := d.content.(*finOPP); ok {
		return f.Cause == mainlevee
	}
	return d.plan.kind == OPP || d.plan.kind == Decision
}

// Kind is the kind that the document was parsed as.
func (d *Document) Kind() Kind { return d.plan.kind }

// Bytes gives exactly the bytes that were parsed: document.json is never
// re-serialised. They must not be changed.
func (d *Document) Bytes() []byte { return d.bytes.Bytes() }

// Reserves lists what law or practice wants and the document lacks.
func (d *Document) Reserves() []Field { return slices.Clone(d.reserves()) }

// Pieces lists the attached parts, in the order of the parts.
func (d *Document) Pieces() []Piece { return slices.Clone(piecesOf(d.content)) }

// Urgency is the urgency that the kind and the content call for: U0 for an
// OPP and its end, for a requête that follows one, for a decision that places a
// child or sends the child home, for a recueil, and for an incident of violence
// or death; otherwise the default of the kind. The sender may choose another.
func (d *Document) Urgency() string {
	switch c := d.content.(type) {
	case *requete:
		if c.OPP != nil {
			return "U0"
		}
	case *decision:
		if c.Type == "placement" || c.Type == "mainlevee" {
			return "U0"
		}
	case *incident:
		if c.Type == "violences" || c.Type == "deces" {
			return "U0"
		}
	}
	return find(d.plan.kind).Urgency
}

// Format implements fmt.Formatter: a document prints as a fixed mark. The
// printing guards have value receivers, to hold for a copy too.
func (Document) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, mark) }

// String implements fmt.Stringer.
func (Document) String() string { return mark }

// GoString implements fmt.GoStringer.
func (Document) GoString() string { return mark }

// MarshalJSON implements json.Marshaler: the mark, never the content.
func (Document) MarshalJSON() ([]byte, error) { return []byte(`"` + mark + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (Document) MarshalText() ([]byte, error) { return []byte(mark), nil }

// LogValue implements slog.LogValuer.
func (Document) LogValue() slog.Value { return slog.StringValue(mark) }
