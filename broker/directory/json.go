package directory

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// JSON returns the directory.json of an export, in the form of the package
// comment. It is written by hand and not by encoding/json: signed and hashed
// JSON escapes only the quote, the backslash and the controls (DESIGN section
// 4), so that a plain shell reads it.
func (d *Directory) JSON() []byte {
	b := []byte(`{"v":1`)
	b = optional(b, "notice", d.notice)
	b = append(b, `,"brokers":[`...)
	for i, k := range d.brokers {
		b = separate(b, i)
		b = append(b, `{"id":`...)
		b = quote(b, string(k.ID))
		b = member(b, "libelle", k.Libelle)
		b = list(b, "certificates", k.Certificates)
		b = optional(b, "address", k.Address)
		b = append(b, '}')
	}
	b = append(b, `],"parties":[`...)
	for i, p := range d.parties {
		b = separate(b, i)
		b = append(b, `{"id":`...)
		b = quote(b, string(p.ID))
		b = member(b, "role", string(p.Role))
		b = member(b, "institution", p.Institution)
		b = member(b, "departement", p.Departement)
		b = member(b, "home", string(p.Home))
		b = list(b, "certificates", p.Certificates)
		b = optional(b, "telephone", p.Telephone)
		b = append(b, '}')
	}
	b = append(b, `],"policy":[`...)
	for i, r := range d.policy {
		b = separate(b, i)
		b = append(b, `{"kind":`...)
		b = quote(b, r.Kind)
		b = member(b, "from", r.From)
		b = member(b, "to", r.To)
		b = append(b, `,"copy":`...)
		b = strconv.AppendBool(b, r.Copy)
		b = member(b, "article", r.Article)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func separate(b []byte, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return b
}

func optional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return member(b, name, value)
}

func member(b []byte, name, value string) []byte {
	b = append(b, ',')
	b = quote(b, name)
	b = append(b, ':')
	return quote(b, value)
}

func list(b []byte, name string, values []string) []byte {
	b = append(b, ',')
	b = quote(b, name)
	b = append(b, ":["...)
	for i, v := range values {
		b = separate(b, i)
		b = quote(b, v)
	}
	return append(b, ']')
}

// quote writes a JSON string (RFC 8259 section 7) with the fewest escapes.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
