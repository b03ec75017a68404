package schemas

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// patterns are the formats of validate.go as regular expressions (ECMA-262 and
// RE2 alike), for JSON Schema only: no rule of this program reads them. They
// may accept a little more (the 31st of February), never less.
var patterns = map[string]string{
	"nonblanc":          `[\p{L}\p{N}]`,
	"jour":              `^(19[0-9]{2}|20[0-9]{2}|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`,
	"jour_approximatif": `^(19[0-9]{2}|20[0-9]{2}|2100)(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$`,
	"instant":           `^(19[0-9]{2}|20[0-9]{2}|2100)-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9][+-]([01][0-9]|2[0-4]):([0-5][0-9]|60)$`,
	"telephone":         `^[+]?[0-9 .()/-]{4,30}( poste [0-9]{1,6})?$`,
	"identifiant":       `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`,
	"partie":            `^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`,
	"type_mime":         `^[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*$`,
}

// JSONSchema gives the JSON Schema (draft 2020-12) of a kind, made from the
// same tags as the rules, always the same bytes. It is nil for an unknown kind.
//
// It describes the structure. The rules between members (an opp with its
// order, a designated child) are not in it, and a document that it accepts may
// still be refused by Parse; a document that Parse accepts is always valid
// against it.
func JSONSchema(k Kind) []byte {
	p, ok := plans()[k]
	if !ok {
		return nil
	}
	row := find(k)
	name, version, _ := strings.Cut(row.Schema, "/")
	top := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "urn:vaguemestre:schema:" + name + ":" + version},
		{"title", row.Label},
		{"description", "Document JSON en UTF-8 de 1 Mio au plus. Un membre sans valeur est omis : ni null, ni texte vide. D'autres règles, entre plusieurs membres, s'appliquent au dépôt."},
	}
	defs := &definitions{}
	top = append(top, defs.object(p.shape)...)
	if len(defs.list) > 0 {
		slices.SortFunc(defs.list, func(a, b entry) int { return strings.Compare(a.name, b.name) })
		top = append(top, entry{"$defs", defs.list})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if enc.Encode(top) != nil {
		return nil // strings, numbers and our own object type always encode
	}
	return out.Bytes()
}

// object is a JSON object whose members keep their order.
type object []entry

type entry struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, e := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(e.name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(e.value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// definitions collects the shared types: a place is described once.
type definitions struct {
	list object
}

func (d *definitions) object(s *shape) object {
	properties, required := object{}, []string{}
	for _, m := range s.members {
		properties = append(properties, entry{m.name, d.member(m)})
		if m.required {
			required = append(required, m.name)
		}
	}
	o := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		o = append(o, entry{"required", required})
	}
	return append(o, entry{"additionalProperties", false})
}

// ref names the definition of a struct, which it adds the first time.
func (d *definitions) ref(s *shape) entry {
	name := strings.ToLower(s.typ.Name())
	known := slices.ContainsFunc(d.list, func(e entry) bool { return e.name == name })
	if !known {
		d.list = append(d.list, entry{name, nil})
		at := len(d.list) - 1
		o := d.object(s)
		d.list[at].value = o
	}
	return entry{"$ref", "#/$defs/" + name}
}

func (d *definitions) member(m *member) object {
	o := object{{"title", m.label}}
	if note := note(m); note != "" {
		o = append(o, entry{"description", note})
	}
	return append(o, d.value(m.shape, m.rules)...)
}

// note says what the schema cannot: the article, and that an absence is a
// réserve.
func note(m *member) string {
	parts := []string{}
	if m.article != "" {
		parts = append(parts, m.article+".")
	}
	if m.wanted {
		parts = append(parts, "Son absence est une réserve.")
	}
	return strings.Join(parts, " ")
}

func (d *definitions) value(s *shape, rules string) object {
	switch s.form {
	case formObject:
		return object{d.ref(s)}
	case formArray:
		own, each, _ := strings.Cut(rules, "dive")
		o := object{{"type", "array"}, {"items", d.value(s.elem, strings.TrimPrefix(each, ","))}}
		o = limits(o, own, "minItems", "maxItems")
		if slices.Contains(strings.Split(own, ","), "unique") {
			o = append(o, entry{"uniqueItems", true})
		}
		return o
	case formBool:
		return object{{"type", "boolean"}}
	case formInteger:
		return limits(object{{"type", "integer"}}, rules, "minimum", "maximum")
	}
	return text(rules)
}

func text(rules string) object {
	o := object{{"type", "string"}}
	if values := parameter(rules, "oneof"); values != "" {
		return append(o, entry{"enum", strings.Fields(values)})
	}
	o = append(o, entry{"minLength", 1})
	o = limits(o, rules, "", "maxLength")
	for rule := range strings.SplitSeq(rules, ",") {
		if p, ok := patterns[rule]; ok {
			o = append(o, entry{"pattern", p})
		}
	}
	return o
}

func limits(o object, rules, least, most string) object {
	if n, err := strconv.Atoi(parameter(rules, "min")); err == nil && least != "" {
		o = append(o, entry{least, n})
	}
	if n, err := strconv.Atoi(parameter(rules, "max")); err == nil {
		o = append(o, entry{most, n})
	}
	return o
}
