package schemas

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// fuzzKind: no panic; a refusal names at least one field and repeats nothing;
// an accepted document re-parses, is valid for an independent validator, and
// reads the same for encoding/json; its text keeps the width and hides
// controls. passes and the validator agree.
func fuzzKind(f *testing.F, k Kind) {
	for _, e := range append(goodOnes(f), examples(f, "testdata/bad")...) {
		if e.kind == k {
			f.Add(e.data)
		}
	}
	schema := compiled(f)[k]
	f.Fuzz(func(t *testing.T, data []byte) {
		given := bytes.Clone(data)
		agree(t, k, data)
		d, err := Parse(k, NewPlain(data))
		if !bytes.Equal(given, data) {
			t.Fatal("Parse changed its input")
		}
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || len(invalid.Fields) == 0 || len(invalid.Fields) > maxFaults {
				t.Fatalf("a refusal without its fields: %v", err)
			}
			checkFields(t, invalid.Fields)
			return
		}
		checkFields(t, d.Reserves())
		if _, err := Parse(k, NewPlain(d.Bytes())); err != nil {
			t.Fatalf("does not parse twice: %v", err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("not JSON for others: %v", err)
		}
		if schema.Validate(instance) != nil {
			t.Fatal("accepted, and not valid against the schema")
		}
		sameAsStandard(t, k, data)
		checkText(t, d.Text("demonstration"))
	})
}

func checkFields(t *testing.T, fields []Field) {
	t.Helper()
	for _, f := range fields {
		if f.Code == "" || f.Message == "" || strings.Contains(f.Message, "§") {
			t.Fatalf("%s %s: no proper sentence: %s", f.Path, f.Code, f.Message)
		}
		for name := range strings.SplitSeq(bare(f.Path), ".") {
			if f.Path != "" && !vocabulary()[name] && !strings.HasPrefix(name, "?") && name != "" {
				t.Fatalf("a path with a foreign name (%s)", f.Code)
			}
		}
	}
}

func checkText(t *testing.T, text []byte) {
	t.Helper()
	if !utf8.Valid(text) || !bytes.HasSuffix(text, []byte("\n")) {
		t.Fatal("text not UTF-8, or not ended")
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if utf8.RuneCountInString(line) > columns {
			t.Fatal("line too long")
		}
		if strings.IndexFunc(line, hidden) >= 0 {
			t.Fatal("a hidden character in the text")
		}
	}
}

func FuzzParseSignalement(f *testing.F)       { fuzzKind(f, Signalement) }
func FuzzParseRecueilProvisoire(f *testing.F) { fuzzKind(f, RecueilProvisoire) }
func FuzzParseOPP(f *testing.F)               { fuzzKind(f, OPP) }
func FuzzParseFinOPP(f *testing.F)            { fuzzKind(f, FinOPP) }
func FuzzParseRequete(f *testing.F)           { fuzzKind(f, Requete) }
func FuzzParseDecision(f *testing.F)          { fuzzKind(f, Decision) }
func FuzzParseIncident(f *testing.F)          { fuzzKind(f, Incident) }
func FuzzParseSoitTransmis(f *testing.F)      { fuzzKind(f, SoitTransmis) }
func FuzzParseSuites(f *testing.F)            { fuzzKind(f, Suites) }
func FuzzParseTransmission(f *testing.F)      { fuzzKind(f, Transmission) }
