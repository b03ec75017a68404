package schemas

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Most documents obey every rule of level erreur, and both sides read each of
// them: passes says so at the cost of the members that are there, whereas the
// validator copies every member, absent or not, to look at it. What does not
// pass goes to the validator, which alone says what is wrong. The tests and
// the fuzz targets hold the two together.

// passes tells whether a struct of this shape obeys its rules.
func passes(s *shape, content reflect.Value) bool {
	for _, m := range s.members {
		v := content.FieldByIndex(m.index)
		if v.IsZero() {
			if m.required {
				return false
			}
			continue
		}
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if !m.tests.pass(m.shape, v) {
			return false
		}
	}
	if s.between == nil {
		return true
	}
	held := true
	s.between(content.Addr().Interface(), func(string, string) { held = false })
	return held
}

// tests are the rules of one validate tag, read once.
type tests struct {
	least, most int // of a number, of the elements of a list, of the characters of a text
	unique      bool
	values      []string // the only ones that a text may have
	forms       []func(string) bool
	each        *tests // of the elements of a list
	unknown     bool   // a rule that only the validator knows
}

func testsOf(tag string) *tests {
	own, each, dives := strings.Cut(tag, "dive")
	t := &tests{most: 1<<31 - 1}
	if dives {
		t.each = testsOf(strings.TrimPrefix(each, ","))
	}
	for rule := range strings.SplitSeq(own, ",") {
		name, value, _ := strings.Cut(rule, "=")
		n, err := strconv.Atoi(value)
		switch form := formats[name]; {
		case name == "" || name == "omitempty" || name == "required": // see passes
		case name == "min" && err == nil:
			t.least = n
		case name == "max" && err == nil:
			t.most = n
		case name == "unique":
			t.unique = true
		case name == "oneof":
			t.values = strings.Fields(value)
		case form != nil:
			t.forms = append(t.forms, form)
		default:
			t.unknown = true
		}
	}
	return t
}

// pass tells whether a value that is there obeys.
func (t *tests) pass(s *shape, v reflect.Value) bool {
	if t.unknown {
		return false
	}
	switch s.form {
	case formObject:
		return passes(s, v)
	case formArray:
		return t.list(s, v)
	case formInteger:
		return t.within(int(v.Int()))
	case formText:
		return t.text(v.String())
	}
	return true
}

func (t *tests) within(n int) bool { return t.least <= n && n <= t.most }

func (t *tests) list(s *shape, v reflect.Value) bool {
	if !t.within(v.Len()) {
		return false
	}
	for i := range v.Len() {
		if t.each != nil && !t.each.pass(s.elem, v.Index(i)) {
			return false
		}
		for j := range i {
			if t.unique && v.Index(i).Equal(v.Index(j)) {
				return false
			}
		}
	}
	return true
}

func (t *tests) text(value string) bool {
	n := len(value)
	if n > t.most || n < 4*t.least { // bytes decide where characters cannot differ
		n = utf8.RuneCountInString(value)
	}
	if !t.within(n) {
		return false
	}
	if t.values != nil && !slices.Contains(t.values, value) {
		return false
	}
	for _, form := range t.forms {
		if !form(value) {
			return false
		}
	}
	return true
}
