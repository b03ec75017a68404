package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

// valid is the shortest document that Parse accepts.
const valid = `{"objet":"Essai","texte":"Bonjour","auteur":{"nom":"MODÈLE","telephone":"0300000001"}}`

func parseCodes(k Kind, data string) string {
	_, err := Parse(k, NewPlain([]byte(data)))
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		return strings.Join(codes(invalid.Fields), ", ")
	}
	return ""
}

func TestStrictDecoding(t *testing.T) {
	if got := parseCodes(Transmission, valid); got != "" {
		t.Fatalf("the valid document is refused: %s", got)
	}
	text := func(s string) string { return strings.Replace(valid, "Bonjour", s, 1) }
	tests := []struct{ name, data, want string }{
		{"empty", "", " syntaxe"},
		{"white space only", " \n", " syntaxe"},
		{"byte order mark", "\ufeff" + valid, " syntaxe"},
		{"not JSON", "Objet : Essai", " syntaxe"},
		{"not an object", `[` + valid + `]`, " type"},
		{"cut", valid[:40], " syntaxe"},
		{"trailing comma", strings.Replace(valid, `"}}`, `",}}`, 1), "auteur syntaxe"},
		{"comment", "/* */" + valid, " syntaxe"},
		{"two documents", valid + valid, " donnees_en_trop"},
		{"trailing NUL", valid + "\x00", " donnees_en_trop"},
		{"trailing white space is nothing", valid + " \r\n", ""},
		{"unknown member", strings.Replace(valid, `{"objet"`, `{"objets":1,"objet"`, 1), "?1 inconnu"},
		{"known elsewhere", strings.Replace(valid, `{"objet"`, `{"telephone":"1","objet"`, 1), "telephone inconnu"},
		{"unknown member with a tree", strings.Replace(valid, `{"objet"`, `{"x":[{"y":[true,null,-1.5e3,"é"]}],"objet"`, 1), "?1 inconnu"},
		{"duplicate", strings.Replace(valid, `{"objet"`, `{"objet":"Autre","objet"`, 1), "objet doublon"},
		{"duplicate by escape", strings.Replace(valid, `{"objet"`, `{"\u006fbjet":"Autre","objet"`, 1), "objet doublon"},
		{"nested duplicate", strings.Replace(valid, `{"nom"`, `{"nom":"A","nom"`, 1), "auteur.nom doublon"},
		{"case", strings.Replace(valid, `"texte"`, `"Texte"`, 1), "texte casse"},
		{"case by folding", strings.Replace(valid, `{"nom"`, `{"ſervice":"A","nom"`, 1), "auteur.service casse"},
		{"null", text(`x","corrige":null,"complete":"01890a5d-ac96-774b-bcce-b302099a8057`), "corrige null"},
		{"empty text", text(""), "texte vide"},
		{"number for a text", strings.Replace(valid, `"Bonjour"`, `12`, 1), "texte type"},
		{"text for an object", strings.Replace(valid, `{"nom":"MODÈLE","telephone":"0300000001"}`, `"MODÈLE"`, 1), "auteur type"},
		{"invalid UTF-8", text("\xff\xfe"), "texte utf8"},
		{"overlong UTF-8", text("\xc0\xaf"), "texte utf8"},
		{"invalid UTF-8 in a name", strings.Replace(valid, `{"objet"`, "{\"\xff\":1,\"objet\"", 1), " utf8, ?1 inconnu"},
		{"invalid UTF-8 after an escape", text(`\n` + "\xff"), "texte utf8"},
		{"lone high surrogate", text(`\ud83d`), "texte utf8"},
		{"lone low surrogate", text(`\ude00`), "texte utf8"},
		{"two high surrogates", text(`\ud83d\ud83d`), "texte utf8"},
		{"high surrogate then text", text(`\ud83dabcdef`), "texte utf8"},
		{"surrogate pair", text(`été \ud83d\ude00`), ""},
		{"NUL escaped", text(`a\u0000b`), "texte nul"},
		{"NUL raw", text("a\x00b"), "texte nul"},
		{"raw line feed", text("a\nb"), "texte controle"},
		{"raw tab after an escape", text("\\n\t"), "texte controle"},
		{"bad escape", text(`\x41`), "texte syntaxe"},
		{"short escape", text(`\u12`), "texte syntaxe"},
		{"bad digits", text(`\u00g0`), "texte syntaxe"},
		{"escapes", text(`\"\\\/\b\f\n\r\t\u00e9`), ""},
		{"33 levels", strings.Replace(valid, `{"objet"`, `{"x":`+strings.Repeat("[", 32)+strings.Repeat("]", 32)+`,"objet"`, 1), "?1 inconnu, ?1" + deepPath(31) + " profondeur"},
		{"32 levels", strings.Replace(valid, `{"objet"`, `{"x":`+strings.Repeat("[", 31)+strings.Repeat("]", 31)+`,"objet"`, 1), "?1 inconnu"},
		{"a million brackets", strings.Repeat("[", 1<<20), " type, " + deepPath(32) + " profondeur"},
		{"too big", `"` + strings.Repeat("a", 1<<20) + `"`, " taille"},
		{"list too long", strings.Replace(valid, `{"objet"`, `{"enfants":[`+strings.Repeat("{},", 400)+`{}],"objet"`, 1), ""},
	}
	for _, tt := range tests {
		got := parseCodes(Transmission, tt.data)
		if tt.name == "list too long" {
			if !strings.HasPrefix(got, "enfants trop") || strings.Contains(got, "enfants[20]") {
				t.Errorf("%s: %.200s", tt.name, got)
			}
			continue
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A short text must not become a large memory.
func TestListsAreBoundedWhileRead(t *testing.T) {
	var s signalement
	data := []byte(`{"enfants":[` + strings.Repeat("{},", 100_000) + `{}]}`)
	decode(data, plans()[Signalement].shape, reflect.ValueOf(&s).Elem())
	if len(s.Enfants) > 20 || cap(s.Enfants) > 64 {
		t.Errorf("%d elements kept, room for %d", len(s.Enfants), cap(s.Enfants))
	}
}

func deepPath(n int) string { return strings.Repeat("[0]", n) }

func TestNumbers(t *testing.T) {
	piece := func(pages string) string {
		return strings.Replace(valid, `{"objet"`, `{"pieces":[{"titre":"a","type_mime":"application/pdf","role":"note","communication":"communicable","pages":`+pages+`}],"objet"`, 1)
	}
	tests := map[string]string{
		"1": "", "10000": "",
		"10001": "pieces[0].pages nombre", "0": "pieces[0].pages nombre", "-1": "pieces[0].pages nombre", "-0": "pieces[0].pages nombre",
		"1.0": "pieces[0].pages nombre", "1e2": "pieces[0].pages nombre", "99999999999999999999": "pieces[0].pages nombre",
		"4294967297": "pieces[0].pages nombre", "01": "pieces[0].pages syntaxe", "+1": "pieces[0].pages syntaxe", "1.": "pieces[0].pages syntaxe",
		"-": "pieces[0].pages syntaxe", "1e": "pieces[0].pages syntaxe", "NaN": "pieces[0].pages syntaxe", `"1"`: "pieces[0].pages type", "true": "pieces[0].pages type",
		"tru": "pieces[0].pages type, pieces[0].pages syntaxe",
	}
	for number, want := range tests {
		if got := parseCodes(Transmission, piece(number)); got != want {
			t.Errorf("%s: %q, want %q", number, got, want)
		}
	}
}

func TestAllFaultsUpToFifty(t *testing.T) {
	_, err := Parse(Signalement, NewPlain([]byte(`{"enfants":[`+strings.Repeat(`{"x":1,"y":2,"z":3,"t":4},`, 19)+`{}]}`)))
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Fields) != 50 {
		t.Fatalf("%v", err)
	}
	if parseCodes("lettre", valid) != " type_pli_inconnu" {
		t.Error("unknown kind")
	}
}

// Whatever our decoder accepts, encoding/json reads in the same way.
func sameAsStandard(t *testing.T, k Kind, data []byte) {
	t.Helper()
	p := plans()[k]
	ours, theirs := reflect.New(p.typ), reflect.New(p.typ)
	if faults, _ := decode(data, p.shape, ours.Elem()); len(faults) > 0 {
		return
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(theirs.Interface()); err != nil {
		t.Fatalf("encoding/json refuses what we accept: %v", err)
	}
	if !reflect.DeepEqual(ours.Interface(), theirs.Interface()) {
		t.Fatal("encoding/json reads another document")
	}
}

func TestSameAsStandard(t *testing.T) {
	for _, e := range goodOnes(t) {
		sameAsStandard(t, e.kind, e.data)
	}
}

// The bits of seen must hold every member.
func TestShapesFit(t *testing.T) {
	var visit func(string, *shape)
	visit = func(name string, s *shape) {
		if len(s.members) > 64 {
			t.Errorf("%s: %d members", name, len(s.members))
		}
		if s.form == formArray && s.max == 0 {
			t.Errorf("%s: a list without a limit", name)
		}
		for _, m := range s.members {
			if m.name == "" || m.label == "" {
				t.Errorf("%s: member %q without name or label", name, m.name)
			}
			if m.shape.form == formText && m.rules == "" {
				t.Errorf("%s.%s: a text without a rule", name, m.name)
			}
			visit(name+"."+m.name, m.shape)
		}
		if s.elem != nil {
			visit(name, s.elem)
		}
	}
	for k, p := range plans() {
		visit(string(k), p.shape)
	}
}

func BenchmarkParse(b *testing.B) {
	data, err := os.ReadFile("testdata/good/signalement_complet.json")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Signalement, NewPlain(data)); err != nil {
			b.Fatal(err)
		}
	}
}
