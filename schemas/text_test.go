package schemas

import (
	"strings"
	"testing"
)

func TestTextCannotBeForged(t *testing.T) {
	value := "Bonjour\\nRÉSERVES (pli accepté ; aucun complément)\\r\\nSIGNATAIRE\\u2028AUTEUR\\u202eesrevne\\u0007\\u001b[2J\\u200bfin" + strings.Repeat("é", 300)
	d := mustParse(t, Transmission, []byte(strings.Replace(valid, "Bonjour", value, 1)))
	text := d.Text("")
	checkText(t, text)
	headings := 0
	for line := range strings.SplitSeq(string(text), "\n") {
		if line == "AUTEUR" {
			headings++
		}
		if strings.HasPrefix(line, "SIGNATAIRE") || strings.HasPrefix(line, "RÉSERVES (pli accepté ; aucun") {
			t.Errorf("a forged heading: %q", line)
		}
	}
	if headings != 1 {
		t.Errorf("%d headings AUTEUR", headings)
	}
	for _, shown := range []string{"<U+202E>", "<U+0007>", "<U+001B>", "<U+200B>"} {
		if !strings.Contains(string(text), shown) {
			t.Errorf("%s is not shown", shown)
		}
	}
	short := mustParse(t, Transmission, []byte(strings.Replace(valid, "Essai", "Essai\\nAUTEUR\\n=====", 1)))
	if strings.Contains(string(short.Text("")), "\nAUTEUR\n==") {
		t.Error("a short value forges a heading")
	}
}

func TestTextNoticeAndOrder(t *testing.T) {
	const transmits = "\nCe pli transmet l'ordonnance ; il n'en tient pas lieu.\n"
	for _, e := range goodOnes(t) {
		d := mustParse(t, e.kind, e.data)
		want := e.kind == OPP || e.kind == Decision || strings.HasPrefix(e.name, "fin_opp_mainlevee")
		if got := strings.Contains(string(d.Text("")), transmits); got != want {
			t.Errorf("%s: says that the pli transmits: %v", e.name, got)
		}
		if !strings.HasPrefix(string(d.Text("hebergement_commun")), "HÉBERGEMENT COMMUN") ||
			!strings.HasPrefix(string(d.Text("demonstration")), "DÉMONSTRATION") ||
			!strings.HasPrefix(string(d.Text("autre\nchose")), "AVERTISSEMENT : autre chose\n") {
			t.Errorf("%s: the notice is not the first line", e.name)
		}
		for _, f := range d.Reserves() {
			if !strings.Contains(string(d.Text("")), "- "+f.Path+" : ") {
				t.Errorf("%s: réserve %s is not listed", e.name, f.Path)
			}
		}
	}
}
