package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fault is one member that is not as it must be. It holds no value; a member
// that nobody knows is named by its rank, since its name could be a child's.
type fault struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes of faults of the JSON around a document; those of a document are of
// package schemas, which uses the same words.
const (
	faultSyntax    = "syntaxe"
	faultUTF8      = "utf8"
	faultUnknown   = "inconnu"
	faultCase      = "casse"
	faultTwice     = "doublon"
	faultNull      = "null"
	faultType      = "type"
	faultEmpty     = "vide"
	faultMandatory = "obligatoire"
	faultTooMany   = "trop"
	faultFormat    = "format"
)

func faultSentence(code string) string {
	return map[string]string{
		faultSyntax:    "not JSON (RFC 8259), or not a single object",
		faultUTF8:      "not UTF-8, or half a surrogate pair",
		faultUnknown:   "no such member",
		faultCase:      "members are written in lower case",
		faultTwice:     "given twice",
		faultNull:      "leave the member out rather than null",
		faultType:      "of another type than expected",
		faultEmpty:     "empty: leave the member out",
		faultMandatory: "mandatory",
		faultTooMany:   "too many elements",
		faultFormat:    "not in the form expected",
	}[code]
}

func newFault(path, code string) fault { return fault{path, code, faultSentence(code)} }

// object is one JSON object read strictly. encoding/json alone keeps the last
// of two members of a name, takes "Kind" for "kind" and replaces what is not
// UTF-8; each lets two readers of the same text see two messages.
type object struct {
	path    string // of the object, "" for the outermost
	members map[string]json.RawMessage
	faults  *[]fault
}

// parseObject reads the outermost object. known lists its members.
func parseObject(text []byte, faults *[]fault, known ...string) *object {
	o := &object{faults: faults, members: map[string]json.RawMessage{}}
	switch {
	case !utf8.Valid(text):
		o.fault("", faultUTF8)
	case !json.Valid(text) || !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")):
		o.fault("", faultSyntax)
	default:
		o.read(text, known)
	}
	return o
}

func (o *object) fault(member, code string) {
	*o.faults = append(*o.faults, newFault(o.at(member), code))
}

func (o *object) at(member string) string {
	if o.path == "" || member == "" {
		return o.path + member
	}
	return o.path + "." + member
}

// read lists the members of a valid object.
func (o *object) read(text []byte, known []string) {
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		o.fault("", faultSyntax)
		return
	}
	for rank := 1; d.More() && len(*o.faults) < maxFaults; rank++ {
		name, err := d.Token()
		if err != nil {
			o.fault("", faultSyntax)
			return
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			o.fault("", faultSyntax)
			return
		}
		o.keep(fmt.Sprint(name), rank, raw, known)
	}
}

const maxFaults = 50

func (o *object) keep(name string, rank int, raw json.RawMessage, known []string) {
	for _, k := range known {
		switch {
		case k == name && o.members[k] != nil:
			o.fault(k, faultTwice)
			return
		case k == name:
			o.members[k] = raw
			return
		case strings.EqualFold(k, name):
			o.fault(k, faultCase)
			return
		}
	}
	o.fault("?"+strconv.Itoa(rank), faultUnknown)
}

// raw gives a member as it came, nil and a fault when it is mandatory and
// absent.
func (o *object) raw(name string, mandatory bool) json.RawMessage {
	raw, ok := o.members[name]
	switch {
	case !ok && mandatory:
		o.fault(name, faultMandatory)
	case ok && string(raw) == "null":
		o.fault(name, faultNull)
		return nil
	}
	return raw
}

// text reads a string member, which is never empty.
func (o *object) text(name string, mandatory bool) string {
	raw := o.raw(name, mandatory)
	if raw == nil {
		return ""
	}
	return o.string(name, raw)
}

func (o *object) string(name string, raw json.RawMessage) string {
	var s string
	switch {
	case raw[0] != '"' || json.Unmarshal(raw, &s) != nil:
		o.fault(name, faultType)
	case loneSurrogate(raw):
		o.fault(name, faultUTF8)
	case s == "":
		o.fault(name, faultEmpty)
	}
	return s
}

// texts reads a list of strings; absent is empty.
func (o *object) texts(name string, mandatory bool, most int) []string {
	raw := o.raw(name, mandatory)
	if raw == nil {
		return nil
	}
	var elements []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
		o.fault(name, faultType)
		return nil
	}
	if len(elements) > most {
		o.fault(name, faultTooMany)
		return nil
	}
	out := make([]string, 0, len(elements))
	for i, e := range elements {
		out = append(out, o.string(fmt.Sprintf("%s[%d]", name, i), e))
	}
	return out
}

// object reads a member that is an object itself.
func (o *object) object(name string, mandatory bool, known ...string) *object {
	in := &object{path: o.at(name), faults: o.faults, members: map[string]json.RawMessage{}}
	raw := o.raw(name, mandatory)
	switch {
	case raw == nil:
	case raw[0] != '{':
		o.fault(name, faultType)
	default:
		in.read(raw, known)
	}
	return in
}

// loneSurrogate finds an escape that is half a character (RFC 8259 section
// 8.2): encoding/json makes U+FFFD of it, and two names become one.
func loneSurrogate(raw []byte) bool {
	for i := 0; i+1 < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		i++
		if raw[i] != 'u' {
			continue
		}
		switch unit := hexUnit(raw, i+1); {
		case unit >= 0xDC00 && unit <= 0xDFFF:
			return true
		case unit >= 0xD800 && unit <= 0xDBFF:
			if i+6 >= len(raw) || raw[i+5] != '\\' || raw[i+6] != 'u' {
				return true
			}
			if low := hexUnit(raw, i+7); low < 0xDC00 || low > 0xDFFF {
				return true
			}
			i += 6
		}
		i += 4
	}
	return false
}

func hexUnit(raw []byte, at int) int {
	if at+4 > len(raw) {
		return -1
	}
	n, err := strconv.ParseUint(string(raw[at:at+4]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}
