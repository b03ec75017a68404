package schemas

import (
	"fmt"
	"strings"
	"unicode"
)

// words are the French words of the values of lists, as the paper forms say
// them. A test checks that every value of every list is here.
var words = map[string]string{
	// sexe
	"feminin": "féminin", "masculin": "masculin", "indetermine": "indéterminé",
	// lien
	"pere": "père", "mere": "mère", "tuteur": "tuteur", "delegataire": "délégataire de l'autorité parentale",
	"autre": "autre",
	// droits
	"accorde": "accordé", "mediatise": "en présence d'un tiers", "reserve": "réservé", "suspendu": "suspendu",
	// roles of pieces
	"rapport": "rapport", "evaluation": "évaluation", "certificat_medical": "certificat médical",
	"signalement": "signalement", "ordonnance": "ordonnance", "requete": "requête", "decision": "décision",
	"proces_verbal": "procès-verbal", "note": "note", "ecrit": "écrit",
	// communication (CPC 1187)
	"communicable": "communicable aux parties", "a_ecarter": "À ÉCARTER de la communication aux parties",
	// condition (CASF L226-4 I)
	"actions_sans_effet":    "1° les actions déjà menées n'ont pas permis de remédier à la situation",
	"refus_famille":         "2° les actions ne peuvent être mises en place : refus de la famille, ou impossibilité de collaborer avec le service",
	"danger_grave_immediat": "3° danger grave et immédiat, notamment situation de maltraitance",
	"evaluation_impossible": "danger présumé et évaluation impossible",
	// danger (C. civ. 375 al. 1)
	"sante": "santé", "securite": "sécurité", "moralite": "moralité",
	"education":     "conditions d'éducation gravement compromises",
	"developpement": "développement physique, affectif, intellectuel ou social gravement compromis",
	// demande
	"opp":            "ordonnance de placement provisoire",
	"saisine_juge":   "saisine du juge des enfants",
	"enquete_penale": "enquête pénale",
	// mode of an opp
	ordonnanceJointe: "ordonnance signée jointe",
	instructionOrale: "instruction orale, écrit à venir",
	// mesure demandée, type of a decision
	"assistance_educative": "ouverture d'une procédure d'assistance éducative",
	"placement":            "placement", "maintien_placement": "maintien du placement",
	"aemo": "AEMO", "aemo_renforcee": "AEMO renforcée ou intensifiée", "mjie": "MJIE",
	mainlevee: "mainlevée", "interdiction_sortie": "interdiction de sortie du territoire",
	"maintien": "maintien de la mesure", "modification": "modification de la mesure",
	"renouvellement": "renouvellement de la mesure", "dvh": "droit de visite et d'hébergement",
	"non_lieu": "non-lieu à assistance éducative", "autorite_parentale": "acte d'autorité parentale",
	// competence (CPC 1181, 1184)
	"demeure_parent": "lieu où demeure l'un des parents", "demeure_tuteur": "lieu où demeure le tuteur",
	"demeure_gardien": "lieu où demeure la personne ou le service à qui l'enfant est confié",
	"demeure_enfant":  "lieu où demeure l'enfant",
	"lieu_trouve":     "lieu où l'enfant a été trouvé (urgence)",
	// regime of a recueil, and the agreement of the legal representative (CASF L223-2)
	recueilProvisoire: "recueil provisoire en urgence (cinq jours)",
	accueil72h:        "accueil d'un mineur ayant abandonné le domicile familial (soixante-douze heures)",
	"impossible":      "impossible à recueillir", "refuse": "refusé",
	// quality of who writes to the judge (C. civ. 375 al. 1)
	"ministere_public": "ministère public", serviceGardien: "service à qui l'enfant est confié",
	// type of an incident
	"fugue": "fugue", "retour": "retour après une fugue", "accident": "accident",
	"hospitalisation": "hospitalisation", "violences": "violences", "deces": "décès",
	// demande of a soit-transmis
	"enquete_sociale": "enquête sociale", "renseignements": "renseignements",
	// cause of the end of an OPP
	defautSaisine:  "le juge des enfants n'a pas été saisi dans les huit jours",
	defautDecision: "le juge des enfants n'a pas statué dans les quinze jours de sa saisine",
	// nature of a decision
	"provisoire": "provisoire", "fond": "au fond",
	// suite
	"soit_transmis": "soit-transmis pour évaluation ou enquête sociale", "classement": "classement",
	"transmis_autre_parquet": "transmis à un autre parquet",
}

// oneLine is a neutral text without line breaks.
func oneLine(s string) string {
	return neutral(strings.Join(strings.Fields(s), " "))
}

// neutral shows by their code the characters that print nothing, move the
// cursor or reverse the direction of reading: controls, format characters
// (bidirectional ones among them), line separators, private use. A tab is a
// space. Everything else is as written.
func neutral(s string) string {
	if isVisible(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteByte(' ')
		case hidden(r):
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// isVisible tells whether neutral changes nothing: no line break either.
func isVisible(s string) bool { return strings.IndexFunc(s, hidden) < 0 }

func hidden(r rune) bool {
	return (r < ' ' || '~' < r) && !unicode.IsGraphic(r)
}
