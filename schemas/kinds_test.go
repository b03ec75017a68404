package schemas

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var roles = []Role{RoleASE, RoleParquet, RoleJuge, RoleService}

// The article form, "CASF L226-4 I", "C. civ. 375-5 al. 2", "CPC 1190".
var article = regexp.MustCompile(`^(CASF L|C\. civ\. |CPC |CPP |CGCT L)[0-9]+(-[0-9]+)*( I{1,2})?( al\. [0-9])?(, CPC [0-9-]+)?$`)

func TestTableOfKinds(t *testing.T) {
	rows := Kinds()
	if len(rows) != 10 {
		t.Fatalf("%d kinds", len(rows))
	}
	for _, r := range rows {
		if r.Schema != string(r.Kind)+"/1" || r.Label == "" || !slices.Contains([]string{"U0", "U1", "U2"}, r.Urgency) {
			t.Errorf("%s: schema %s, label %s, urgency %s", r.Kind, r.Schema, r.Label, r.Urgency)
		}
		if len(r.Routes) == 0 || len(r.Answers) == 0 || len(r.ClosedBy) == 0 {
			t.Errorf("%s: a row without routes, answers or acts", r.Kind)
		}
		for _, route := range r.Routes {
			if !article.MatchString(route.Article) || !slices.Contains(roles, route.From) || !slices.Contains(roles, route.To) {
				t.Errorf("%s: route %+v", r.Kind, route)
			}
		}
		for _, k := range r.Answers {
			if _, ok := Lookup(k); !ok {
				t.Errorf("%s: answered by unknown %s", r.Kind, k)
			}
		}
		if _, ok := plans()[r.Kind]; !ok {
			t.Errorf("%s: no struct", r.Kind)
		}
	}
	rows[0].Routes[0].Article = "changed"
	if a, _ := Allowed(Signalement, RoleASE, RoleParquet, false); a != "CASF L226-4 I" {
		t.Error("the table can be changed from outside")
	}
	if _, ok := Lookup("lettre"); ok {
		t.Error("Lookup finds an unknown kind")
	}
}

func TestAllowed(t *testing.T) {
	tests := []struct {
		kind     Kind
		from, to Role
		to0, cc  bool
	}{
		{Signalement, RoleASE, RoleParquet, true, true},
		{Signalement, RoleASE, RoleJuge, false, true},
		{Signalement, RoleService, RoleASE, false, true},
		{Signalement, RoleParquet, RoleASE, false, false},
		{OPP, RoleParquet, RoleASE, true, true},
		{OPP, RoleParquet, RoleJuge, false, true},
		{OPP, RoleJuge, RoleASE, false, false},
		{OPP, RoleASE, RoleParquet, false, false},
		{RecueilProvisoire, RoleASE, RoleParquet, true, true},
		{RecueilProvisoire, RoleASE, RoleJuge, false, false},
		{RecueilProvisoire, RoleService, RoleParquet, false, false},
		{FinOPP, RoleParquet, RoleASE, true, true},
		{FinOPP, RoleParquet, RoleJuge, false, true},
		{FinOPP, RoleJuge, RoleASE, false, false},
		{Incident, RoleASE, RoleJuge, true, true},
		{Incident, RoleService, RoleJuge, true, true},
		{Incident, RoleASE, RoleParquet, true, true},
		{Incident, RoleParquet, RoleJuge, false, false},
		{SoitTransmis, RoleParquet, RoleASE, true, true},
		{SoitTransmis, RoleParquet, RoleParquet, false, false},
		{SoitTransmis, RoleASE, RoleParquet, false, false},
		{Requete, RoleParquet, RoleJuge, true, true},
		{Requete, RoleParquet, RoleASE, false, true},
		{Decision, RoleJuge, RoleASE, true, true},
		{Decision, RoleJuge, RoleParquet, true, true},
		{Decision, RoleParquet, RoleASE, false, false},
		{Suites, RoleParquet, RoleASE, true, true},
		{Suites, RoleASE, RoleParquet, false, false},
		{Transmission, RoleASE, RoleJuge, true, true},
		{Transmission, RoleService, RoleService, false, false},
		{"lettre", RoleASE, RoleParquet, false, false},
	}
	for _, tt := range tests {
		a, ok := Allowed(tt.kind, tt.from, tt.to, false)
		b, cc := Allowed(tt.kind, tt.from, tt.to, true)
		if ok != tt.to0 || cc != tt.cc || ok != (a != "") || cc != (b != "") {
			t.Errorf("%s %s→%s: to %v %q, cc %v %q", tt.kind, tt.from, tt.to, ok, a, cc, b)
		}
	}
}

// Every refused direction has its advice, and no allowed one.
func TestHints(t *testing.T) {
	general := Hint(OPP, "autre", "autre")
	for _, r := range Kinds() {
		for _, from := range roles {
			for _, to := range roles {
				_, ok := Allowed(r.Kind, from, to, false)
				h := Hint(r.Kind, from, to)
				if ok != (h == "") {
					t.Errorf("%s %s→%s: allowed %v, hint %q", r.Kind, from, to, ok, h)
				}
				if h == general {
					t.Errorf("%s %s→%s: no advice of its own", r.Kind, from, to)
				}
			}
		}
	}
	for _, from := range []Role{RoleASE, RoleService} {
		h := Hint(Signalement, from, RoleJuge)
		for _, said := range []string{"L226-4", "procureur", "requete", "incident", "qualite: " + serviceGardien, "mesure_en_cours", "parquet en copie"} {
			if !strings.Contains(h, said) {
				t.Errorf("signalement %s→juge: the advice does not say %q: %s", from, said, h)
			}
		}
	}
	// Both ways that it names are open, with the copy.
	for _, k := range []Kind{Requete, Incident} {
		_, judge := Allowed(k, RoleASE, RoleJuge, false)
		if _, informed := Allowed(k, RoleASE, RoleParquet, true); !judge || !informed {
			t.Errorf("%s: the advised way is closed", k)
		}
	}
	if h := Hint(OPP, RoleJuge, RoleASE); !strings.Contains(h, "décision") {
		t.Error(h)
	}
	for _, r := range Kinds() {
		if h := Hint("lettre", RoleASE, RoleJuge); !strings.Contains(h, " "+string(r.Kind)) {
			t.Errorf("an unknown kind is not told of %s", r.Kind)
		}
	}
}

// Only the service to which the child is confided goes to the judge without
// the procureur.
func TestCheckSender(t *testing.T) {
	for name, want := range map[string]map[Role]bool{
		"requete_service_gardien":       {RoleASE: true, RoleService: true, RoleParquet: false},
		"requete_apres_opp":             {RoleASE: false, RoleService: false, RoleParquet: true},
		"signalement_u0_huit_champs":    {RoleASE: true, RoleService: true},
		"recueil_provisoire_cinq_jours": {RoleASE: true},
	} {
		data, err := os.ReadFile("testdata/good/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := mustParse(t, kindOf(t, name), data)
		for from, ok := range want {
			var invalid *InvalidError
			err := d.CheckSender(from)
			if (err == nil) != ok || err != nil && (!errors.As(err, &invalid) || invalid.Fields[0].Path != "qualite") {
				t.Errorf("%s from %s: %v", name, from, err)
			}
		}
	}
}

// sources gives the parsed files of the package, without its tests.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.File{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// The glossary (package comment) explains every constant that is a word of the
// law or a code.
func TestGlossaryIsComplete(t *testing.T) {
	files := sources(t)
	glossary := files["doc.go"].Doc.Text()
	found := 0
	for name, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok || decl.Tok != token.CONST {
				return true
			}
			for _, spec := range decl.Specs {
				for _, v := range spec.(*ast.ValueSpec).Values {
					lit, ok := v.(*ast.BasicLit)
					if !ok || lit.Kind != token.STRING {
						continue
					}
					word, _ := strconv.Unquote(lit.Value)
					if strings.ContainsAny(word, " -^") {
						continue // sentences, layouts and marks are no words
					}
					found++
					if !regexp.MustCompile(`\b` + regexp.QuoteMeta(word) + `\b`).MatchString(glossary) {
						t.Errorf("%s: %q is not in the package comment", name, word)
					}
				}
			}
			return true
		})
	}
	if found < 40 {
		t.Errorf("only %d constants seen", found)
	}
}

// Every code has its sentence, every value of a list its French words, every
// format its sentence and pattern.
func TestEveryWordIsThere(t *testing.T) {
	for name, obj := range sources(t)["codes.go"].Scope.Objects {
		spec, ok := obj.Decl.(*ast.ValueSpec)
		if !ok {
			continue
		}
		code, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if sentences[code] == "" {
			t.Errorf("%s: no sentence", name)
		}
	}
	used := map[string]bool{}
	var visit func(string, *shape)
	visit = func(path string, s *shape) {
		for _, m := range s.members {
			for _, value := range strings.Fields(parameter(strings.ReplaceAll(m.rules, "dive,", ""), "oneof")) {
				used[value] = true
				if words[value] == "" {
					t.Errorf("%s.%s: no French words for %s", path, m.name, value)
				}
			}
			if m.article != "" && !article.MatchString(m.article) && m.article != "C. civ. 375" {
				t.Errorf("%s.%s: article %q", path, m.name, m.article)
			}
			visit(path+"."+m.name, m.shape)
		}
		if s.elem != nil {
			visit(path, s.elem)
		}
	}
	for k, p := range plans() {
		visit(string(k), p.shape)
	}
	for value := range words {
		if !used[value] {
			t.Errorf("words has %s, which no list has", value)
		}
	}
	for name := range formats {
		if patterns[name] == "" || name != "nonblanc" && formatSentences[name] == "" {
			t.Errorf("format %s: no pattern or no sentence", name)
		}
	}
	for key := range ownSentences {
		parts := strings.Split(key, ":")
		if sentences[parts[len(parts)-1]] == "" {
			t.Errorf("sentence %q: unknown code", key)
		}
		if p := plans()[Kind(parts[0])]; len(parts) == 3 && (p == nil || p.shape.at(parts[1]) == nil) {
			t.Errorf("sentence %q: no such field", key)
		}
	}
}

func TestFormats(t *testing.T) {
	tests := []struct {
		format    string
		good, bad []string
	}{
		{"nonblanc", []string{"a", "É", "7", "-a-", "名"}, []string{" ", "-", "...", "\u200b", "\u202e"}},
		{"jour", []string{"2026-11-20", "2024-02-29", "1900-01-01"}, []string{"2026-02-29", "2026-1-1", "20/11/2026", "1899-12-31", "2101-01-01", "2026-11-20 ", "٢٠٢٦-11-20"}},
		{"jour_approximatif", []string{"2019", "2019-05", "2019-05-03"}, []string{"19", "2019-13", "vers 2019", "2019-05-32"}},
		{"instant", []string{"2026-11-20T22:41:00+01:00", "2026-11-20T17:41:00-04:00"}, []string{"2026-11-20T22:41:00Z", "2026-11-20T22:41:00", "2026-11-20 22:41:00+01:00", "2026-11-20T24:00:00+01:00", "2026-11-20T22:41:00.5+01:00", "2026-11-20T22:41+01:00", "2026-11-20T22:41:60+01:00"}},
		{"telephone", []string{"0300000001", "03 00 00 00 01", "+33 3.00.00.00.01", "(03) 00-00-00/01 poste 12", "3919"}, []string{"17", "rappeler", "03 00 00 00 01 poste", "03+0000", "03 00 00 00 01 poste x", "1234567890123456"}},
		{"identifiant", []string{"01890a5d-ac96-774b-bcce-b302099a8057"}, []string{"01890a5d-ac96-474b-bcce-b302099a8057", "01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5d-ac96-774b-ccce-b302099a8057", "01890a5dac96774bbcceb302099a8057", ""}},
		{"partie", []string{"ase-59", "a", strings.Repeat("a", 40)}, []string{"ASE-59", "-a", "a-", "ase_59", "é", strings.Repeat("a", 41), ""}},
		{"type_mime", []string{"application/pdf", "application/vnd.oasis.opendocument.text", "image/svg+xml"}, []string{"pdf", "application/", "/pdf", "application/PDF", "text/plain; charset=utf-8", "a/b/c"}},
	}
	for _, tt := range tests {
		pattern := regexp.MustCompile(patterns[tt.format])
		for _, s := range tt.good {
			if !formats[tt.format](s) || !pattern.MatchString(s) {
				t.Errorf("%s: %q is refused", tt.format, s)
			}
		}
		for _, s := range tt.bad {
			if formats[tt.format](s) {
				t.Errorf("%s: %q is accepted", tt.format, s)
			}
		}
	}
	if len(tests) != len(formats) {
		t.Error("a format without a test")
	}
}
