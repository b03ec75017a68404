package schemas

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const secret = "CANARI-7731"

// holder keeps sensitive values where fmt cannot call their methods.
type holder struct {
	Shown  Plain
	hidden Plain
	doc    *Document
}

func TestNothingPrints(t *testing.T) {
	p := NewPlain([]byte(secret))
	d := mustParse(t, Transmission, []byte(strings.Replace(valid, "Bonjour", secret, 1)))
	values := map[string]any{
		"plain": p, "pointer": &p, "list": []Plain{p}, "document": d, "copy": *d,
		"holder": holder{p, p, d}, "pointer to holder": &holder{p, p, d},
	}
	for name, v := range values {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T", "%08.3f"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if b, err := json.Marshal(v); err == nil {
			out.Write(b)
		}
		if b, err := xml.Marshal(v); err == nil {
			out.Write(b)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("in", "v", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("in", "v", v)
		fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", v))
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret)), "Q0FOQVJJ", "BTkFSSS", "DQU5BUk"} {
			if strings.Contains(strings.ToLower(out.String()), strings.ToLower(form)) {
				t.Errorf("%s: prints its content as %s", name, form)
			}
		}
		if name == "plain" && !strings.Contains(out.String(), mark) {
			t.Error("no mark")
		}
	}
	for _, v := range []any{p, d} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%08.3f"} {
			if got := fmt.Sprintf(verb, v); got != mark {
				t.Errorf("%s gives %s", verb, got)
			}
		}
		if b, err := json.Marshal(v); err != nil || string(b) != `"`+mark+`"` {
			t.Errorf("JSON gives %s, %v", b, err)
		}
	}
	if !bytes.Equal(p.Bytes(), []byte(secret)) || p.Len() != len(secret) {
		t.Error("Bytes is not the content")
	}
	if (Plain{}).Bytes() != nil || (Plain{}).Len() != 0 {
		t.Error("the zero Plain has content")
	}
	if p.String() != mark || p.GoString() != mark || d.String() != mark || d.GoString() != mark {
		t.Error("String or GoString is not the mark")
	}
	if b, _ := p.MarshalText(); string(b) != mark {
		t.Error("MarshalText is not the mark")
	}
}

// A canary in the place of every value, of every kind: no error and no réserve
// repeats it.
func TestNoFieldHoldsAValue(t *testing.T) {
	check := func(name string, fields []Field, err error) {
		if strings.Contains(fmt.Sprint(fields, err), secret) {
			t.Errorf("%s: the value is repeated", name)
		}
	}
	for _, e := range goodOnes(t) {
		var tree any
		if err := json.Unmarshal(e.data, &tree); err != nil {
			t.Fatal(err)
		}
		leaves := 0
		plant(&tree, func() {
			leaves++
			data, err := json.Marshal(tree)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(e.kind, NewPlain(data))
			if err == nil {
				check(e.name, d.Reserves(), nil)
				return
			}
			check(e.name, err.(*InvalidError).Fields, err)
		})
		if leaves < 5 {
			t.Errorf("%s: %d values planted", e.name, leaves)
		}
	}
	for _, bad := range []string{`{"` + secret + `":1}`, `{"auteur":{"` + secret + `":{"` + secret + `":"` + secret} {
		_, err := Parse(Signalement, NewPlain([]byte(bad)))
		check("member name", err.(*InvalidError).Fields, err)
	}
}

// plant replaces each value in turn by the canary, then a member name.
func plant(node *any, try func()) {
	saved := *node
	for _, canary := range []any{secret, secret + "\x00", map[string]any{secret: secret}, []any{secret}} {
		*node = canary
		try()
	}
	*node = saved
	switch v := saved.(type) {
	case map[string]any:
		for name := range v {
			child := v[name]
			plantIn(&child, func(c any) { v[name] = c }, try)
		}
	case []any:
		for i := range v {
			child := v[i]
			plantIn(&child, func(c any) { v[i] = c }, try)
		}
	}
}

func plantIn(child *any, set func(any), try func()) {
	original := *child
	plant(child, func() { set(*child); try() })
	set(original)
}
