package export_test

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"
	"testing"
)

// members reads MEMBERS: for each file, its members in their order.
func members(t testing.TB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, line := range strings.Split(string(read(t, "../testdata/wire/MEMBERS")), "\n") {
		if f := strings.Split(line, "\t"); len(f) == 4 && !strings.HasPrefix(line, "#") {
			out[f[0]] = append(out[f[0]], f[1])
		}
	}
	if len(out["header.json"]) < 10 || len(out["leaf"]) < 5 {
		t.Fatal("MEMBERS was not understood")
	}
	return out
}

// listedAs is the name in MEMBERS of a file of an export, "" for what is not
// described there.
func listedAs(name string) string {
	switch base := path.Base(name); {
	case path.Dir(name) == "leaf":
		return "leaf"
	case base == "document.json" || path.Ext(name) != ".json":
		return ""
	case path.Dir(name) == "evidence":
		return "evidence.json"
	default:
		return base
	}
}

// checkMembers holds every JSON of an export to MEMBERS: no member that is not
// listed, each in its place.
func checkMembers(t *testing.T, dir string) {
	t.Helper()
	all, checked := members(t), 0
	for _, name := range files(t, dir) {
		as := listedAs(name)
		if as == "" {
			continue
		}
		checked++
		if bad := misplaced(read(t, dir, name), "", all[as]); bad != "" {
			t.Errorf("%s: %s is not in MEMBERS, or not at that place", name, bad)
		}
	}
	if checked < 10 {
		t.Errorf("only %d files had members to check", checked)
	}
}

// misplaced returns the first member of an object that MEMBERS does not list
// below prefix, or that does not follow its order.
func misplaced(object []byte, prefix string, listed []string) string {
	d := json.NewDecoder(bytes.NewReader(object))
	if tok, err := d.Token(); err != nil || tok != json.Delim('{') {
		return prefix + " (no object)"
	}
	last := -1
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return prefix + " (no JSON)"
		}
		name := prefix + key.(string)
		if value[0] == '[' {
			name += "[]"
		}
		at := slices.IndexFunc(listed, func(m string) bool { return strings.TrimSuffix(m, "?") == name })
		if at <= last {
			return name
		}
		last = at
		if bad := inside(value, name+".", listed); bad != "" {
			return bad
		}
	}
	return ""
}

// inside is misplaced for the objects of a value.
func inside(value []byte, prefix string, listed []string) string {
	if value[0] == '{' {
		return misplaced(value, prefix, listed)
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil {
		return ""
	}
	for _, v := range list {
		if v[0] != '{' {
			continue
		}
		if bad := misplaced(v, prefix, listed); bad != "" {
			return bad
		}
	}
	return ""
}

// The check itself: what it must find.
func TestMembersCheckFinds(t *testing.T) {
	for text, bad := range map[string]string{
		`{"v":1,"event":"x","log":{"broker":"b","origin":"o"}}`: "",
		`{"v":1,"done_at":"x","prev":["a","b"],"log":{}}`:       "",
		`{"event":"x","v":1}`:                                   "v",
		`{"v":1,"extra":1}`:                                     "extra",
		`{"v":1,"log":{"origin":"o","broker":"b"}}`:             "log.broker",
		`{"v":1,"log":{"broker":"b","more":"o"}}`:               "log.more",
		`{"v":1,"v":1}`:                                         "v",
		`{"v":1,"prev":"a"}`:                                    "prev",
	} {
		if got := misplaced([]byte(text), "", members(t)["evidence.json"]); got != bad {
			t.Errorf("%s: found %q, want %q", text, got, bad)
		}
	}
	if got := misplaced([]byte(`{"v":1,"leaves":[{"leaf":"x","path":[]},{"n":1,"leaf":"x"}]}`), "", members(t)["proof.json"]); got != "leaves[].leaf" {
		t.Errorf("in a list: found %q", got)
	}
}
