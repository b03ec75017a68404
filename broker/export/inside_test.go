package export

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

func FuzzParseAnchor(f *testing.F) {
	const fpr = "acd4d2dffaf8f36fee4649db294ca5e0d4cf74d4"
	for _, s := range []string{"ase-59@courrier-nord=" + fpr, "courrier-nord=" + fpr, "a@b@c=" + fpr, "=" + fpr, "x=", "all=" + fpr, "A=" + fpr} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := ParseAnchor(s)
		if err != nil {
			if !errors.Is(err, ErrAnchor) {
				t.Fatal(err)
			}
			return
		}
		again, err := ParseAnchor(a.String())
		if err != nil || again != a {
			t.Fatalf("%v: %v", a, err)
		}
	})
}

func FuzzParseProof(f *testing.F) {
	if b, err := os.ReadFile("../testdata/wire/export/proof.json"); err == nil {
		f.Add(b)
	}
	f.Add([]byte(`{"v":1,"broker":"a","origin":"a/log/00000000000000000000000000000000","size":0,"root":"","leaves":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseProof(b)
		if err != nil {
			return
		}
		if !bytes.Equal(p.encode(), b) {
			t.Fatal("two forms of one proof")
		}
		for _, l := range p.Leaves {
			p.includes(l) // must not panic
		}
	})
}

func TestAnchorsAreRefused(t *testing.T) {
	const fpr = "acd4d2dffaf8f36fee4649db294ca5e0d4cf74d4"
	for _, s := range []string{
		"", "=", fpr, "=" + fpr, "ase-59@=" + fpr, "@nord=" + fpr, "a@b@c=" + fpr, "ase 59@nord=" + fpr, "ASE-59@nord=" + fpr,
		"ase-59@nord=" + fpr[1:], "ase-59@nord=" + fpr + "0", "ase-59@nord= " + fpr[1:], "all@nord=" + fpr, "ase-59@nord=" + fpr + "=",
	} {
		if a, err := ParseAnchor(s); !errors.Is(err, ErrAnchor) {
			t.Errorf("%q: %v, %v", s, a, err)
		}
	}
	a, err := ParseAnchor("ase-59@courrier-nord=ACD4D2DFFAF8F36FEE4649DB294CA5E0D4CF74D4")
	if err != nil || a.Party != "ase-59" || a.Broker != "courrier-nord" || a.Fingerprint != fpr {
		t.Errorf("%+v, %v", a, err)
	}
}
