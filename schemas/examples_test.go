package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const papers = "../cmd/vaguemestre/papers"

// example is one file of testdata, whose name begins with its kind.
type example struct {
	name string
	kind Kind
	data []byte
}

func examples(t testing.TB, dir string) []example {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no example in %s (%v)", dir, err)
	}
	var all []example
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		all = append(all, example{name, kindOf(t, name), data})
	}
	return all
}

// kindOf gives the kind that begins the name of an example: the longest, since
// a kind may begin another.
func kindOf(t testing.TB, name string) Kind {
	t.Helper()
	var found Kind
	rest := strings.TrimLeft(name, "0123456789-") + "_" // papers are numbered
	for _, row := range Kinds() {
		after, ok := strings.CutPrefix(rest, string(row.Kind))
		if ok && strings.ContainsAny(after[:1], "_-") && len(row.Kind) > len(found) {
			found = row.Kind
		}
	}
	if found == "" {
		t.Fatalf("%s: no kind begins its name", name)
	}
	return found
}

func goodOnes(t testing.TB) []example {
	return append(examples(t, "testdata/good"), examples(t, papers)...)
}

func mustParse(t testing.TB, k Kind, data []byte) *Document {
	t.Helper()
	d, err := Parse(k, NewPlain(data))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; run with -update and read the difference", file)
	}
}

// listing is what a golden keeps of a list of fields.
func listing(fields []Field) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "%s %s\n    %s\n", cmpOr(f.Path, "."), f.Code, f.Message)
	}
	return b.String()
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func TestGoodExamples(t *testing.T) {
	for _, e := range goodOnes(t) {
		t.Run(e.name, func(t *testing.T) {
			d := mustParse(t, e.kind, e.data)
			if !bytes.Equal(d.Bytes(), e.data) {
				t.Error("the bytes are not those that were given")
			}
			golden(t, "testdata/text/"+e.name+".txt", d.Text(""))
			lines := strings.Split(string(d.Text("demonstration")), "\n")
			if !strings.Contains(lines[0], "DÉMONSTRATION") {
				t.Errorf("first line %q", lines[0])
			}
			for _, line := range lines {
				if utf8.RuneCountInString(line) > 78 || line != strings.TrimRight(line, " ") {
					t.Errorf("line too long or ended by a space: %q", line)
				}
			}
		})
	}
}

func TestBadExamples(t *testing.T) {
	for _, e := range examples(t, "testdata/bad") {
		t.Run(e.name, func(t *testing.T) {
			_, err := Parse(e.kind, NewPlain(e.data))
			var invalid *InvalidError
			if !errors.As(err, &invalid) {
				t.Fatalf("not refused: %v", err)
			}
			golden(t, "testdata/bad/"+e.name+".golden", []byte(listing(invalid.Fields)))
		})
	}
}

func TestSchemaGolden(t *testing.T) {
	for _, row := range Kinds() {
		got := JSONSchema(row.Kind)
		if !bytes.Equal(got, JSONSchema(row.Kind)) {
			t.Errorf("%s: not deterministic", row.Kind)
		}
		golden(t, "testdata/schema/"+string(row.Kind)+".json", got)
	}
	if JSONSchema("lettre") != nil {
		t.Error("a schema for an unknown kind")
	}
}

// compiled gives an independent validator for the schema of each kind.
func compiled(t testing.TB) map[Kind]*jsonschema.Schema {
	t.Helper()
	all := map[Kind]*jsonschema.Schema{}
	for _, row := range Kinds() {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(JSONSchema(row.Kind)))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		url := "urn:vaguemestre:schema:" + string(row.Kind) + ":1"
		if err := c.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
		all[row.Kind], err = c.Compile(url)
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// An independent validator agrees: what Parse accepts is valid; what is bad by
// its structure is not; what is bad by a rule between members is.
func TestIndependentValidator(t *testing.T) {
	all := compiled(t)
	validate := func(e example) error {
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.data))
		if err != nil {
			t.Fatal(err)
		}
		return all[e.kind].Validate(instance)
	}
	for _, e := range goodOnes(t) {
		if err := validate(e); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
	}
	seen, perKind := map[string]int{}, map[Kind]int{}
	for _, e := range examples(t, "testdata/bad") {
		level, _, _ := strings.Cut(strings.TrimPrefix(e.name, string(e.kind)+"_"), "_")
		seen[level]++
		perKind[e.kind]++
		if refused := validate(e) != nil; refused != (level == "structure") {
			t.Errorf("%s: refused %v by the independent validator", e.name, refused)
		}
	}
	for _, row := range Kinds() {
		if perKind[row.Kind] == 0 {
			t.Errorf("%s: no bad example", row.Kind)
		}
	}
	if seen["structure"] == 0 || seen["regle"] == 0 || len(seen) != 2 {
		t.Errorf("levels of bad examples: %v", seen)
	}
}

// The eight things that a person on duty writes at 3 a.m.; the box "identité
// inconnue" is ticked and the report is attached.
func TestHuitChamps(t *testing.T) {
	data, err := os.ReadFile("testdata/good/signalement_u0_huit_champs.json")
	if err != nil {
		t.Fatal(err)
	}
	d := mustParse(t, Signalement, data)
	if len(d.Reserves()) == 0 {
		t.Error("no réserve on so little")
	}
	if pdf := d.Pieces(); len(pdf) != 1 || pdf[0].TypeMIME != "application/pdf" {
		t.Errorf("pieces %v", pdf)
	}
	var content map[string]any
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatal(err)
	}
	delete(content, "pieces")
	if n := written(content); n != 8 {
		t.Errorf("%d fields written, not 8", n)
	}
	// Each of the eight is needed.
	for _, member := range []string{
		`"age_apparent": "environ 4 ans",`, `"sexe": "feminin",`, `"condition": "danger_grave_immediat",`,
		`"demande": ["opp"],`, `"nom": "MODÈLE Alix", `, `, "telephone": "03 00 00 00 01"`, `"nom": "SPÉCIMEN Dominique"`,
	} {
		less := strings.Replace(string(data), member, "", 1)
		if less == string(data) {
			t.Fatalf("%s is not in the example", member)
		}
		if _, err := Parse(Signalement, NewPlain([]byte(less))); err == nil {
			t.Errorf("accepted without %s", member)
		}
	}
}

// written counts the texts of a document: what a person writes or chooses.
func written(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		n = 1
	case []any:
		for _, e := range v {
			n += written(e)
		}
	case map[string]any:
		for _, e := range v {
			n += written(e)
		}
	}
	return n
}

func codes(fields []Field) []string {
	all := []string{}
	for _, f := range fields {
		all = append(all, f.Path+" "+f.Code)
	}
	return all
}

func TestReserves(t *testing.T) {
	tests := []struct {
		file string
		want []string
	}{
		{"signalement_u1_sans_information_parents", []string{"parents_avises souhaite"}},
		{"signalement_sans_reserve_parents_inconnus", []string{}},
		{"signalement_complet", []string{}},
		{"opp_ordonnance_jointe", []string{}},
		{"opp_instruction_orale", []string{}},
		{"decision_placement_provisoire", []string{}},
		{"requete_apres_opp", []string{}},
		{"requete_service_gardien", []string{}},
		{"recueil_provisoire_cinq_jours", []string{}},
		{"recueil_provisoire_72h", []string{}},
		{"recueil_provisoire_nuit", []string{
			"lieu_trouve souhaite", "motif_urgence souhaite", "appel_permanence souhaite", "auteur.fonction souhaite", "signataire souhaite",
		}},
		{"incident_fugue", []string{}},
		{"incident_violences_service", []string{}},
		{"soit_transmis_evaluation", []string{}},
		{"soit_transmis_tiers", []string{}},
		{"fin_opp_mainlevee_jointe", []string{}},
		{"fin_opp_mainlevee_orale", []string{}},
		{"fin_opp_defaut_saisine", []string{}},
		{"fin_opp_defaut_decision", []string{}},
	}
	for _, tt := range tests {
		data, err := os.ReadFile("testdata/good/" + tt.file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		d := mustParse(t, kindOf(t, tt.file), data)
		if got := codes(d.Reserves()); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: réserves %v, want %v", tt.file, got, tt.want)
		}
	}
}

// Each change to a good document gives exactly this réserve.
func TestReserveRules(t *testing.T) {
	tests := []struct{ file, old, new, want string }{
		{"signalement_complet", `"condition": "danger_grave_immediat"`, `"aucune_action_anterieure": true, "condition": "danger_grave_immediat"`, "aucune_action_anterieure contradiction"},
		{"signalement_complet", `"parents_avises": {`, `"parents_inconnus": true, "parents_avises": {`, "parents_inconnus contradiction"},
		{"signalement_complet", `"fin": "2026-09-30"`, `"fin": "2026-01-30"`, "actions_deja_menees dates_inversees"},
		{"signalement_complet", `"appel_permanence": "2026-11-20T21:50:00+01:00",`, ``, "appel_permanence souhaite"},
		{"signalement_sans_reserve_parents_inconnus", `"evaluation_impossible"`, `"actions_sans_effet"`, "condition contradiction"},
		{"signalement_sans_reserve_parents_inconnus", `"age_apparent": "environ 14 ans"`, `"nationalite": "française"`, "enfants[0].date_naissance souhaite"},
		{"opp_instruction_orale", `2026-11-21T12:00:00+01:00`, `2026-11-20T12:00:00+01:00`, "ecrit_attendu_avant dates_inversees"},
		{"opp_ordonnance_jointe", `"force_publique": true,`, `"recueillie_par": {"nom": "MODÈLE", "fonction": "éducatrice"},`, "mode contradiction"},
		{"requete_apres_opp", `"role": "ordonnance"`, `"role": "ecrit"`, "pieces souhaite"},
		{"decision_placement_provisoire", `"fin": "2027-06-02"`, `"fin": "2027-06-04"`, "fin duree"},
		{"decision_placement_provisoire", `"fin": "2027-06-02",`, ``, "fin souhaite"},
		{"transmission_complement", `"complete"`, `"corrige": "01890a5d-ac96-774b-bcce-b302099a8057", "complete"`, "complete contradiction"},
		{"requete_service_gardien", `"qualite": "service_gardien",`, ``, "qualite souhaite"},
		{"requete_service_gardien", `"mesure_demandee": "autre"`, `"mesure_demandee": "maintien_placement"`, ""},
		{"recueil_provisoire_nuit", `"regime": "recueil_provisoire"`, `"regime": "accueil_72h"`, ""},
		{"requete_apres_opp", `"mesure_demandee"`, `"qualite": "service_gardien", "mesure_en_cours": {"nature": "opp", "date": "2026-11-20"}, "mesure_demandee"`, "opp contradiction"},
		{"recueil_provisoire_cinq_jours", `"accord": "impossible"`, `"accord": "refuse"`, "saisine_demandee souhaite"},
		{"recueil_provisoire_72h", `"date_heure": "2026-11-21T00:20:00+01:00",`, ``, "parents_informes souhaite"},
		{"recueil_provisoire_72h", `"parents_informes": {`, `"parents_informes": {"motif_absence": "Pas de réponse",`, "parents_informes contradiction"},
		{"recueil_provisoire_72h", `"appel_permanence": "2026-11-21T00:35:00+01:00",`, ``, "appel_permanence souhaite"},
		{"incident_fugue", `"date": "2026-12-03"`, `"date": "2027-01-17"`, "date_heure contradiction"},
		{"incident_fugue", `"fin": "2027-06-02"`, `"fin": "2027-01-15"`, "mesure_en_cours.fin contradiction"},
		{"incident_fugue", `"dernier_lieu"`, `"ecole"`, "dernier_lieu souhaite"},
		{"incident_fugue", `"police_avisee": {`, `"police_avisee": {"motif_absence": "Retour annoncé",`, "police_avisee contradiction"},
		{"incident_violences_service", `"date_heure": "2027-02-04T18:05:00+01:00",`, ``, "police_avisee souhaite"},
		{"soit_transmis_evaluation", `"reponse_attendue_avant": "2026-12-18"`, `"reponse_attendue_avant": "2026-11-18"`, "reponse_attendue_avant dates_inversees"},
		{"soit_transmis_evaluation", `"reponse_attendue_avant": "2026-12-18",`, ``, "reponse_attendue_avant souhaite"},
		{"fin_opp_defaut_saisine", `"date_heure": "2026-11-29T09:00:00+01:00"`, `"date_heure": "2026-11-28T23:00:00+01:00"`, "cause contradiction"},
		{"fin_opp_defaut_saisine", `"cause"`, `"mode": "ordonnance_jointe", "cause"`, "mode contradiction"},
		{"fin_opp_defaut_decision", `"requete_recue_le": "2026-11-23"`, `"requete_recue_le": "2026-11-24"`, "cause contradiction"},
		{"fin_opp_defaut_decision", `"requete_recue_le": "2026-11-23"`, `"requete_recue_le": "2026-11-19"`, "requete_recue_le dates_inversees"},
		{"fin_opp_defaut_decision", `"demande_de": "La mère",`, ``, "demande_de souhaite"},
		{"fin_opp_mainlevee_orale", `2026-11-23T12:00:00+01:00`, `2026-11-22T12:00:00+01:00`, "ecrit_attendu_avant dates_inversees"},
		{"fin_opp_mainlevee_jointe", `"motif"`, `"recueillie_par": {"nom": "MODÈLE", "fonction": "éducatrice"}, "motif"`, "mode contradiction"},
		{"suites_classement", `"references"`, `"texte": "Voir ci-dessus", "ecole": {"commune": "Ville-Exemple"}, "references"`, ""},
	}
	for _, tt := range tests {
		data, err := os.ReadFile("testdata/good/" + tt.file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(data), tt.old, tt.new, 1)
		if changed == string(data) {
			t.Fatalf("%s: %s is not there", tt.file, tt.old)
		}
		kind := kindOf(t, tt.file)
		before := codes(mustParse(t, kind, data).Reserves())
		after := codes(mustParse(t, kind, []byte(changed)).Reserves())
		added := slices.DeleteFunc(after, func(c string) bool { return slices.Contains(before, c) })
		if got := strings.Join(added, ", "); got != tt.want {
			t.Errorf("%s with %s: réserve %q, want %q", tt.file, tt.new, got, tt.want)
		}
	}
}

func TestUrgency(t *testing.T) {
	want := map[string]string{
		"01-signalement": "U1", "02-opp": "U0", "03-requete": "U0", "04-decision": "U0", "05-suites": "U2",
		"recueil_provisoire_cinq_jours": "U0", "fin_opp_defaut_saisine": "U0", "soit_transmis_evaluation": "U2",
		"incident_fugue": "U1", "incident_violences_service": "U0",
		"requete_service_gardien": "U1", "decision_mainlevee": "U0", "decision_aemo_sans_date_de_fin": "U1",
	}
	for _, e := range goodOnes(t) {
		if urgency, ok := want[e.name]; ok {
			if got := mustParse(t, e.kind, e.data).Urgency(); got != urgency {
				t.Errorf("%s: %s, want %s", e.name, got, urgency)
			}
		}
	}
}
