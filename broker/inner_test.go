package broker

import (
	"reflect"
	"strings"
	"testing"
)

// Every member of the header but the digests and the size is also in the inner
// one, and must be equal: a member added later is caught here.
func TestInnerAgreesInEveryMember(t *testing.T) {
	if i := someInner(); !i.Agrees(someHeader()) {
		t.Error("the same header differs")
	}
	outerOnly := map[string]bool{"ContentSHA256": true, "BodySHA256": true, "BodySize": true}
	for n := range reflect.TypeFor[Header]().NumField() {
		h := someHeader()
		field := reflect.ValueOf(&h).Elem().Field(n)
		switch field.Kind() {
		case reflect.String:
			field.SetString(field.String() + "x")
		case reflect.Slice:
			field.Set(reflect.Append(field, reflect.ValueOf(PartyID("autre"))))
		default:
			field.SetInt(field.Int() + 1)
		}
		name := reflect.TypeFor[Header]().Field(n).Name
		if got := someInner().Agrees(h); got != outerOnly[name] {
			t.Errorf("another %s: agrees %v", name, got)
		}
	}
}

// A name is written in one way only, whatever a person puts in it.
func TestActeNames(t *testing.T) {
	for _, name := range []string{"é\u2028\x7f", `\`, `"\"`, "\b\t\n\f\r\x00\x1f", "fin\\", "日本"} {
		a := someActe()
		a.Actor.Name, a.Actor.Function = name, name
		if got, err := ParseActe(a.Encode()); err != nil || got.Actor != a.Actor {
			t.Errorf("%q: %+v, %v", name, got.Actor, err)
		}
	}
	good := string(someActe().Encode())
	for _, other := range []string{`\u0041`, `\/`, `\u000a`, `\u001F`, `\u00e9`, `\x`, `\u00`, `\`, "\n", "\xff", "\xc3"} {
		if bad := strings.Replace(good, "MODÈLE", other, 1); bad == good {
			t.Fatal("nothing was changed")
		} else if _, err := ParseActe([]byte(bad)); err == nil {
			t.Errorf("%q was read", other)
		}
	}
}
