package schemas

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of what is read at all.
const (
	maxSize   = 1 << 20 // bytes of a document
	maxDepth  = 32      // nested objects and arrays
	maxFaults = 50      // listed in one answer
)

// decoder reads one document into its struct, in one pass. encoding/json is
// not used: it takes the last of two members of the same name, ignores case,
// replaces invalid UTF-8 and lone surrogates in silence, and stops at the
// first wrong type, whereas a sender needs the whole list.
//
// The methods that read return false when reading cannot go on: the text is
// not JSON, it is too deep, or enough faults were found.
type decoder struct {
	data   string // one copy, which the texts of the document share
	pos    int
	depth  int
	valid  bool   // the whole text is valid UTF-8
	path   []byte // of the value being read
	faults []fault
}

// fault is a Field without its sentence.
type fault struct {
	path, code string
	param      string // for the sentence: never a value of the document
}

// decode reads data into the struct into and returns the faults found. When
// complete is false the reading stopped and into is partly filled.
func decode(data []byte, s *shape, into reflect.Value) (faults []fault, complete bool) {
	if len(data) > maxSize {
		return []fault{{code: codeTaille}}, false
	}
	text := string(data)
	d := &decoder{data: text, valid: utf8.ValidString(text), path: make([]byte, 0, 64)}
	complete = d.value(s, into)
	if complete {
		if d.space(); d.pos != len(d.data) {
			complete = d.stop(codeDonneesEnTrop)
		}
	}
	return d.faults, complete
}

// fault notes a fault at the current path, once.
func (d *decoder) fault(code, param string) {
	path := string(d.path)
	for i := range d.faults {
		if d.faults[i].path == path && d.faults[i].code == code {
			return
		}
	}
	if len(d.faults) < maxFaults {
		d.faults = append(d.faults, fault{path, code, param})
	}
}

func (d *decoder) stop(code string) bool {
	d.fault(code, "")
	return false
}

func (d *decoder) space() {
	for d.pos < len(d.data) {
		switch d.data[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

// next skips white space and gives the byte at hand, 0 at the end.
func (d *decoder) next() byte {
	d.space()
	if d.pos < len(d.data) {
		return d.data[d.pos]
	}
	return 0
}

// value reads one value of shape s into into. A nil shape reads and checks the
// value, and drops it.
func (d *decoder) value(s *shape, into reflect.Value) bool {
	if len(d.faults) >= maxFaults {
		return false
	}
	if into.Kind() == reflect.Pointer {
		into = fresh(into)
	}
	if c := d.next(); c != '{' && c != '[' {
		return d.simple(c, s, into)
	}
	return d.nested(s, into)
}

// simple reads a value that holds no other.
func (d *decoder) simple(c byte, s *shape, into reflect.Value) bool {
	switch {
	case c == '"':
		return d.textValue(d.expect(s, formText), into)
	case c == '-' || isDigit(c):
		return d.number(d.expect(s, formInteger), into)
	case c == 't':
		return d.boolean(d.expect(s, formBool), into, "true")
	case c == 'f':
		return d.boolean(d.expect(s, formBool), into, "false")
	case c == 'n':
		if s != nil {
			d.fault(codeNull, "")
		}
		return d.literal("null")
	}
	return d.stop(codeSyntaxe)
}

// expect gives back s if it has the form f, and otherwise notes the fault and
// gives nil, so that the value is skipped.
func (d *decoder) expect(s *shape, f form) *shape {
	if s == nil || s.form == f {
		return s
	}
	d.fault(codeType, formNames[s.form])
	return nil
}

// fresh points p to a new value, which it gives.
func fresh(p reflect.Value) reflect.Value {
	p.Set(reflect.New(p.Type().Elem()))
	return p.Elem()
}

// nested reads an object or an array, and counts the depth.
func (d *decoder) nested(s *shape, into reflect.Value) (ok bool) {
	if d.depth++; d.depth > maxDepth {
		return d.stop(codeProfondeur)
	}
	d.pos++ // the bracket
	if d.data[d.pos-1] == '{' {
		ok = d.object(d.expect(s, formObject), into)
	} else {
		ok = d.array(d.expect(s, formArray), into)
	}
	d.depth--
	return ok
}

func (d *decoder) object(s *shape, into reflect.Value) bool {
	if d.next() == '}' {
		d.pos++
		return true
	}
	var seen uint64 // one bit for each member of the shape
	for rank := 1; ; rank++ {
		if d.next() != '"' {
			return d.stop(codeSyntaxe)
		}
		name, ok := d.text()
		if !ok {
			return false
		}
		if d.next() != ':' {
			return d.stop(codeSyntaxe)
		}
		d.pos++
		mark := len(d.path)
		m := d.enter(s, name, rank, &seen)
		if m == nil {
			ok = d.value(nil, reflect.Value{})
		} else {
			ok = d.value(m.shape, into.FieldByIndex(m.index))
		}
		if !ok {
			return false
		}
		d.path = d.path[:mark]
		switch d.next() {
		case ',':
			d.pos++
		case '}':
			d.pos++
			return true
		default:
			return d.stop(codeSyntaxe)
		}
	}
}

// enter adds a member to the path and finds it in the shape. It gives nil for
// a member whose value must be skipped.
func (d *decoder) enter(s *shape, name string, rank int, seen *uint64) *member {
	if s == nil {
		return nil
	}
	if len(d.path) > 0 {
		d.path = append(d.path, '.')
	}
	i, ok := s.byName[name]
	if ok {
		d.path = append(d.path, name...)
		if *seen&(1<<i) != 0 {
			d.fault(codeDoublon, "")
			return nil
		}
		*seen |= 1 << i
		return s.members[i]
	}
	for _, m := range s.members {
		if strings.EqualFold(m.name, name) {
			d.path = append(d.path, m.name...)
			d.fault(codeCasse, m.name)
			return nil
		}
	}
	if vocabulary()[name] {
		d.path = append(d.path, name...)
	} else {
		d.path = strconv.AppendInt(append(d.path, '?'), int64(rank), 10)
	}
	d.fault(codeInconnu, nearest(s, name))
	return nil
}

func (d *decoder) array(s *shape, into reflect.Value) bool {
	if s != nil {
		into.Set(reflect.MakeSlice(into.Type(), 0, 2))
	}
	if d.next() == ']' {
		d.pos++
		return true
	}
	for i := 0; ; i++ {
		var elem *shape
		var slot reflect.Value
		// The limit holds before memory is spent, not after.
		if s != nil && i >= s.max {
			d.fault(codeTrop, strconv.Itoa(s.max))
		} else if s != nil {
			into.Grow(1)
			into.SetLen(i + 1)
			elem, slot = s.elem, into.Index(i)
		}
		mark := len(d.path)
		d.path = append(strconv.AppendInt(append(d.path, '['), int64(i), 10), ']')
		if !d.value(elem, slot) {
			return false
		}
		d.path = d.path[:mark]
		switch d.next() {
		case ',':
			d.pos++
		case ']':
			d.pos++
			return true
		default:
			return d.stop(codeSyntaxe)
		}
	}
}
