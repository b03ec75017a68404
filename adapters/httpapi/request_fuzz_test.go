package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// FuzzIdempotencyKey: a key is printable, short, and as it came.
func FuzzIdempotencyKey(f *testing.F) {
	f.Add("0197-essai", false)
	f.Add("a b", false)
	f.Add(strings.Repeat("k", 201), true)
	f.Fuzz(func(t *testing.T, s string, twice bool) {
		r := &http.Request{Header: http.Header{HeaderKey: {s}}}
		if twice {
			r.Header[HeaderKey] = []string{s, s}
		}
		key, err := idempotencyKey(r, true)
		if err != nil {
			return
		}
		printable := !strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' })
		if key != s || twice || key == "" || len(key) > maxKey || !printable {
			t.Errorf("accepted %d characters", len(key))
		}
	})
}

// FuzzAsked: what the operator asks of a token is read once, strictly.
func FuzzAsked(f *testing.F) {
	f.Add([]byte(`{"application":"logiciel","party":"ase-59","rights":["read","send"],"expires":"2027-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"application":"a","party":"b","rights":[]}`))
	f.Add([]byte(`{"application":"a","application":"b","party":"b","rights":["read"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, faults := parseAsked(text)
		if len(faults) > 0 {
			for _, f := range faults {
				if strings.ContainsAny(f.Path, "\n\r ") || f.Code == "" {
					t.Errorf("a fault that names no place: %q", f.Code)
				}
			}
			return
		}
		if a.application == "" || a.party == "" || len(a.rights) > maxListed || strings.Count(string(text), "{") == 0 {
			t.Error("accepted what asks for nothing")
		}
		if !a.expires.IsZero() && a.expires.Year() > 9999 {
			t.Errorf("expires in %v", a.expires)
		}
	})
}

// FuzzNegotiate: whatever a caller accepts, it is given one of the offers, or
// nothing; and never what it excludes by name.
func FuzzNegotiate(f *testing.F) {
	f.Add("text/plain;q=0.9, application/json;q=0.1")
	f.Add("*/*;q=0, text/*")
	f.Add("application/json;q=1e309, text/plain;q=NaN")
	f.Fuzz(func(t *testing.T, header string) {
		offers := []string{typeJSON, "text/plain"}
		got, err := negotiate([]string{header}, offers...)
		if (err == nil) != slices.Contains(offers, got) {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// FuzzFilter: a query that is read asks for what the list can give.
func FuzzFilter(f *testing.F) {
	f.Add("box=sent&limit=3&waiting=true&urgency=U0&since=2026-11-20T10:00:00Z")
	f.Add("limit=3&limit=4")
	f.Add("limit=03")
	f.Fuzz(func(t *testing.T, raw string) {
		v, err := parseFilter(raw)
		if err != nil {
			return
		}
		if v.limit < 1 || v.limit > maxPage || v.after != "" && (len(v.after) != 36 || strings.Trim(v.after, "0123456789abcdef-") != "") {
			t.Errorf("limit %d, after %q", v.limit, v.after)
		}
	})
}
