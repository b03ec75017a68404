package broker

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzParseAssertion(f *testing.F) {
	f.Add([]byte(`{"credential_id":"rX0n","public_key":"MFkw","authenticator_data":"SZYN","client_data_json":"eyJ0eXBlIjoid2ViYXV0aG4uZ2V0In0","signature":"MEUC"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, err := parseAssertion(b)
		if err != nil {
			return
		}
		var text [5]string
		for i, x := range fields {
			text[i] = rawURL.EncodeToString(x)
		}
		if !bytes.Equal(assertionFile{text[0], text[1], text[2], text[3], text[4]}.encode(), b) {
			t.Fatal("two forms of one assertion")
		}
		if CheckAssertion(b, strings.Repeat("00", 32)) == nil {
			t.Fatal("signed nothing, and verified")
		}
	})
}
