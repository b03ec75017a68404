package schemas

import "testing"

// brief is a short signalement with three réserves; nobody in it exists.
const brief = `{"enfants":[{"nom":"EXEMPLE","prenoms":"Camille","sexe":"feminin","date_naissance":"2019-05-03"}],` +
	`"autorite_parentale":[{"nom":"EXEMPLE","prenoms":"Claude","lien":"mere"}],` +
	`"condition":"danger_grave_immediat","danger":["sante"],"faits":{"date":"2026-11-20","constates":"Faits fictifs."},` +
	`"demande":["opp"],"auteur":{"nom":"MODÈLE Alix","telephone":"03 00 00 00 01"},"signataire":{"nom":"SPÉCIMEN Dominique"},` +
	`"pieces":[{"titre":"Rapport fictif","type_mime":"application/pdf","role":"rapport","communication":"communicable"}]}`

func BenchmarkParseBrief(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustParse(b, Signalement, []byte(brief))
	}
}

// The réserves are part of the text, and found once: each round parses again.
func BenchmarkParseAndText(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustParse(b, Signalement, []byte(brief)).Text("demonstration")
	}
}
