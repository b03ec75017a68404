package schemas

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// agree holds passes and the validator together, for a document that can be
// read without a fault; it tells whether there was one to compare.
func agree(t testing.TB, k Kind, data []byte) bool {
	t.Helper()
	pl := plans()[k]
	content := reflect.New(pl.typ)
	if faults, complete := decode(data, pl.shape, content.Elem()); !complete || len(faults) > 0 {
		return false
	}
	found := check(erreurs(), content.Interface())
	if got := passes(pl.shape, content.Elem()); got != (len(found) == 0) {
		t.Errorf("%s: passes %v, and the validator finds %v", k, got, found)
	}
	return true
}

// others are values that one rule or another refuses in some place.
var others = []any{
	nil, "-", strings.Repeat("é", 61), strings.Repeat("é", 301), "2026-02-30", "2019-05", "2026-11-20",
	"2026-11-20T22:41:07+01:00", "03 00 00 00 00", "feminin", "autre", "application/pdf", "ase-59", 37.0, 10_001.0, true,
	[]any{}, []any{"sante", "sante"}, []any{"opp", "autre", "enquete_penale"}, []any{map[string]any{}}, map[string]any{},
}

// Every good example, with each member in turn absent or of another value.
func TestPassesAgreesWithTheValidator(t *testing.T) {
	compared, passed := 0, 0
	for _, e := range goodOnes(t) {
		var doc any
		if err := json.Unmarshal(e.data, &doc); err != nil {
			t.Fatal(err)
		}
		vary(doc, func(v any) { doc = v }, func() {
			data, err := json.Marshal(doc)
			if err != nil {
				t.Fatal(err)
			}
			if !agree(t, e.kind, data) {
				return
			}
			compared++
			if _, err := Parse(e.kind, NewPlain(data)); err == nil {
				passed++
			}
		})
	}
	t.Logf("%d documents compared, of which %d pass", compared, passed)
	if passed < 500 || compared-passed < 500 {
		t.Errorf("%d documents compared, of which %d pass: too few of a sort", compared, passed)
	}
}

// vary sets v, and all that it holds, in turn to the others; nil takes a
// member away. Each time it calls try, and it puts v back.
func vary(v any, set func(any), try func()) {
	for _, other := range others {
		set(other)
		try()
	}
	set(v)
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			vary(v[name], func(value any) {
				if v[name] = value; value == nil {
					delete(v, name)
				}
			}, try)
		}
	case []any:
		for i, value := range v {
			vary(value, func(value any) { v[i] = value }, try)
		}
	}
}

// Each tag is one that passes knows: else every such document would pay for
// the validator.
func TestEveryRuleIsKnown(t *testing.T) {
	var visit func(string, *shape)
	visit = func(path string, s *shape) {
		for _, m := range s.members {
			if m.tests.unknown || m.tests.each != nil && m.tests.each.unknown {
				t.Errorf("%s.%s: %s", path, m.name, m.rules)
			}
			if visit(path+"."+m.name, m.shape); m.shape.elem != nil {
				visit(path+"."+m.name, m.shape.elem)
			}
		}
	}
	for k, p := range plans() {
		visit(string(k), p.shape)
	}
	for _, e := range goodOnes(t) {
		content := reflect.New(plans()[e.kind].typ)
		decode(e.data, plans()[e.kind].shape, content.Elem())
		if !passes(plans()[e.kind].shape, content.Elem()) {
			t.Errorf("%s does not pass", e.name)
		}
	}
}
