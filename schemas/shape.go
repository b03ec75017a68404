package schemas

import (
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// form is what a JSON value must be.
type form int

const (
	formObject form = iota
	formArray
	formText
	formBool
	formInteger
)

// shape is the structure of a document, read once from the struct tags. The
// decoder, the messages, the text and the JSON Schema all follow it, so that
// they cannot disagree.
type shape struct {
	form    form
	typ     reflect.Type
	members []*member // of an object, in the order of the struct
	byName  map[string]int
	between func(content any, report reporter) // rules between members of an object, or nil
	elem    *shape                             // of an array
	max     int                                // most elements of an array
}

// member is one member of an object.
type member struct {
	name     string
	index    []int // as for reflect.Value.FieldByIndex
	shape    *shape
	label    string // French, as on the paper forms
	title    string // the label in capitals, for the head of a section
	show     showing
	article  string // the text that asks for it, if one does
	rules    string // the validate tag
	tests    *tests // the same, read
	required bool
	wanted   bool // its absence is a réserve
}

// plan is all that is compiled for one kind.
type plan struct {
	kind  Kind
	title string
	shape *shape
	typ   reflect.Type
}

// plans is compiled at the first use and never changes.
var plans = sync.OnceValue(func() map[Kind]*plan {
	types := map[Kind]reflect.Type{
		Signalement:       reflect.TypeFor[signalement](),
		RecueilProvisoire: reflect.TypeFor[recueil](),
		OPP:               reflect.TypeFor[opp](),
		FinOPP:            reflect.TypeFor[finOPP](),
		Requete:           reflect.TypeFor[requete](),
		Decision:          reflect.TypeFor[decision](),
		Incident:          reflect.TypeFor[incident](),
		SoitTransmis:      reflect.TypeFor[soitTransmis](),
		Suites:            reflect.TypeFor[suites](),
		Transmission:      reflect.TypeFor[transmission](),
	}
	all := make(map[Kind]*plan, len(types))
	for i := range table {
		row := &table[i]
		typ := types[row.Kind]
		all[row.Kind] = &plan{kind: row.Kind, title: row.Label, typ: typ, shape: shapeOf(typ, "")}
	}
	return all
})

// vocabulary holds every member name of every kind. Only these names may be
// repeated in an error: an unknown name could itself be personal data.
var vocabulary = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	var add func(*shape)
	add = func(s *shape) {
		for _, m := range s.members {
			words[m.name] = true
			add(m.shape)
		}
		if s.elem != nil {
			add(s.elem)
		}
	}
	for _, p := range plans() {
		add(p.shape)
	}
	return words
})

func shapeOf(typ reflect.Type, rules string) *shape {
	switch typ.Kind() {
	case reflect.Pointer:
		return shapeOf(typ.Elem(), rules)
	case reflect.Struct:
		s := &shape{form: formObject, typ: typ, byName: map[string]int{}}
		for i := range betweenErreurs {
			if betweenErreurs[i].typ == typ {
				s.between = betweenErreurs[i].check
			}
		}
		s.addFields(typ, nil)
		return s
	case reflect.Slice:
		own, each, _ := strings.Cut(rules, "dive")
		most, _ := strconv.Atoi(parameter(own, "max"))
		return &shape{form: formArray, typ: typ, elem: shapeOf(typ.Elem(), each), max: most}
	case reflect.Bool:
		return &shape{form: formBool, typ: typ}
	case reflect.Int:
		return &shape{form: formInteger, typ: typ}
	default:
		return &shape{form: formText, typ: typ}
	}
}

// addFields adds the members of a struct; those of an embedded struct are
// members of the same object.
func (s *shape) addFields(typ reflect.Type, prefix []int) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		index := append(append([]int{}, prefix...), i)
		if f.Anonymous {
			s.addFields(f.Type, index)
			continue
		}
		rules := f.Tag.Get("validate")
		m := &member{
			name:     jsonName(f),
			index:    index,
			shape:    shapeOf(f.Type, rules),
			label:    f.Tag.Get("doc"),
			title:    strings.ToUpper(f.Tag.Get("doc")),
			show:     showingOf(rules),
			article:  f.Tag.Get("article"),
			rules:    rules,
			tests:    testsOf(rules),
			required: strings.HasPrefix(rules, "required"),
			wanted:   strings.HasPrefix(f.Tag.Get("reserve"), "required"),
		}
		s.byName[m.name] = len(s.members)
		s.members = append(s.members, m)
	}
}

func (s *shape) member(name string) *member {
	if i, ok := s.byName[name]; ok {
		return s.members[i]
	}
	return nil
}

// at finds the member that a path names ("enfants[0].nom"), or nil.
func (s *shape) at(path string) *member {
	var found *member
	for name := range strings.SplitSeq(path, ".") {
		name, _, _ = strings.Cut(name, "[")
		if s == nil || s.form != formObject {
			return nil
		}
		found = s.member(name)
		if found == nil {
			return nil
		}
		s = found.shape
		if s.form == formArray {
			s = s.elem
		}
	}
	return found
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// parameter gives the value of one rule of a validate tag, "200" for "max" in
// "required,max=200".
func parameter(rules, name string) string {
	for rule := range strings.SplitSeq(rules, ",") {
		if k, v, ok := strings.Cut(rule, "="); ok && k == name {
			return v
		}
	}
	return ""
}
