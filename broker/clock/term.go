package clock

import "time"

// Indicative is what a page says wherever it shows a date of this package.
const Indicative = "Échéance indicative, calculée par le logiciel : seuls les textes et le juge font foi."

// Term is the length of a period. Hours stand alone: when they are set, the
// other fields are not read.
type Term struct{ Years, Months, Days, Hours int }

// Rule says how the end of a period moves.
type Rule uint8

const (
	// CPC: the code of civil procedure governs; 642 extends.
	CPC Rule = iota
	// Doubtful: counted by CPC 641, no ruling found whether 642 extends: both
	// dates are shown, the alarm is on the earlier.
	Doubtful
	// Administrative: outside the CPC (an administrative period, the length of
	// a measure), never extended.
	Administrative
	// Backward: counted back from the start, before which the act must be done;
	// 642 is not applied.
	Backward
)

// Due is the end of a period, local time: Plain without the extension of CPC
// 642, Extended with it. They are equal where nothing extends.
type Due struct{ Plain, Extended time.Time }

// Alarm is the end that an alarm watches: Extended only where CPC 642 surely
// applies.
func (d Due) Alarm(r Rule) time.Time {
	if r == CPC {
		return d.Extended
	}
	return d.Plain
}

// Add counts a period from its start. See the package comment.
func Add(start time.Time, t Term, z Zone, r Rule) Due {
	if t.Hours != 0 {
		return addHours(start, t.Hours, z, r)
	}
	sign := 1
	if r == Backward {
		sign = -1
	}
	last := dayOf(start, z).plusMonths(sign * (12*t.Years + t.Months)).plus(sign * t.Days)
	return Due{Plain: last.end(z), Extended: extend(last, z, r).end(z)}
}

// addHours runs from hour to hour; where 642 extends, it is to the end of the
// next working day, as the article knows no other end.
func addHours(start time.Time, hours int, z Zone, r Rule) Due {
	if r == Backward {
		hours = -hours
	}
	end := start.Add(time.Duration(hours) * time.Hour).In(z.Location())
	due := Due{Plain: end, Extended: end}
	last := dayOf(end, z)
	if next := extend(last, z, r); next != last {
		due.Extended = next.end(z)
	}
	return due
}

// extend is CPC 642 al. 2.
func extend(last day, z Zone, r Rule) day {
	if r != CPC && r != Doubtful {
		return last
	}
	for !z.working(last) {
		last = last.plus(1)
	}
	return last
}

// Legal is a period of law that the program watches.
type Legal struct {
	Name    string // stable, ASCII
	Label   string // French, for people
	Article string
	Term    Term
	Rule    Rule
	Starts  string // French: what its start is
	Note    string // French: what the count cannot know; may be empty
}

// Due counts the period from its start.
func (l Legal) Due(start time.Time, z Zone) Due { return Add(start, l.Term, z, l.Rule) }

// Terms returns the periods that we watch, in the order of a case. The
// articles are those of reference texts that later decrees may have amended:
// a lawyer confirms them before a page relies on them.
func Terms() []Legal {
	return []Legal{
		{"evaluation", "Évaluation de l'information préoccupante", "CASF D226-2-4 II", Term{Months: 3}, Administrative,
			"réception de l'information", "Plus court selon le danger et l'âge, notamment avant deux ans."},
		{"recueil_provisoire", "Saisine faute de retour ou d'accord après un recueil provisoire", "CASF L223-2", Term{Days: 5}, Administrative,
			"recueil de l'enfant", ""},
		{"accueil_72h", "Accueil d'un mineur ayant quitté le domicile", "CASF L223-2", Term{Hours: 72}, Administrative,
			"accueil du mineur", ""},
		{"opp_saisine", "Saisine du juge des enfants après l'OPP", "C. civ. 375-5", Term{Days: 8}, Doubtful,
			"date de l'OPP", "Report de l'article 642 du CPC non confirmé : la date la plus proche est surveillée."},
		{"opp_audience", "Convocation et décision du juge après la saisine du parquet", "CPC 1184 al. 3", Term{Days: 15}, CPC,
			"réception de la requête au greffe", "À défaut, l'enfant est remis, sur leur demande, à ceux chez qui il se trouvait."},
		{"placement_urgence_audience", "Audience après un placement décidé sans convocation", "CPC 1184 al. 2", Term{Days: 15}, CPC,
			"décision du juge des enfants", ""},
		{"transmission_competence", "Transmission au juge territorialement compétent", "CPC 1184 al. 4", Term{Months: 1}, CPC,
			"décision du juge du lieu où l'enfant a été trouvé", ""},
		{"fond", "Décision au fond après une mesure provisoire du juge", "CPC 1185", Term{Months: 6}, CPC,
			"décision provisoire du juge des enfants, non l'OPP", "Prorogation de six mois au plus, après avis du parquet, avant l'expiration."},
		{"avocat", "Désignation d'un avocat", "CPC 1186", Term{Days: 8}, CPC,
			"demande", ""},
		{"avis_parquet", "Retour du dossier avec l'avis du parquet", "CPC 1187", Term{Days: 15}, CPC,
			"communication du dossier", ""},
		{"convocation", "Convocation avant l'audience", "CPC 1188", Term{Days: 8}, Backward,
			"date de l'audience", "Délai compté à rebours, sans report."},
		{"notification", "Notification de la décision", "CPC 1190", Term{Days: 8}, CPC,
			"date de la décision", ""},
		{"appel", "Appel", "CPC 1191", Term{Days: 15}, CPC,
			"notification, ou remise de l'avis au parquet", "Augmenté par l'article 643 du CPC outre-mer et à l'étranger."},
		{"appel_jugement", "Décision de la cour sur un placement provisoire", "CPC 1193", Term{Months: 3}, CPC,
			"déclaration d'appel", ""},
		{"mesure", "Durée maximale d'une mesure", "C. civ. 375", Term{Years: 2}, Administrative,
			"début de la mesure", "La décision fixe le terme ; placement plus long par exception."},
		{"changement_lieu_urgent", "Information du juge d'un changement de lieu en urgence ou séparant une fratrie", "CASF L223-3", Term{Hours: 48}, Administrative,
			"changement de lieu", ""},
	}
}
