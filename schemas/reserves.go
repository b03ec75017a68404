package schemas

import (
	"slices"
	"time"
)

// Rules of level réserve: the document goes, both sides see what is missing, a
// complement is asked for. "Aucune action antérieure", "parents inconnus" and
// an unknown or approximate birth date are answers, not omissions.

// betweenReserves is never written to.
var betweenReserves = [...]between{
	rule(enfantReserves), rule(signalementReserves), rule(oppReserves), rule(requeteReserves),
	rule(decisionReserves), rule(suitesReserves), rule(transmissionReserves),
	rule(recueilReserves), rule(incidentReserves), rule(soitTransmisReserves), rule(finOPPReserves),
}

// enfantReserves: the birth date, or what stands for it.
func enfantReserves(e *enfant, report reporter) {
	if e.DateNaissance == "" && e.DateNaissanceApproximative == "" && e.AgeApparent == "" {
		report("date_naissance", codeSouhaite)
	}
	if e.DateNaissance != "" && e.DateNaissanceApproximative != "" {
		report("date_naissance_approximative", codeContradiction)
	}
	if e.Adresse == nil && e.LieuActuel == nil {
		report("lieu_actuel", codeSouhaite)
	}
}

// parentsReserves: who holds parental authority, or that nobody knows.
func parentsReserves(d *dossier, report reporter) {
	switch {
	case d.ParentsInconnus && len(d.AutoriteParentale) > 0:
		report("parents_inconnus", codeContradiction)
	case !d.ParentsInconnus && len(d.AutoriteParentale) == 0:
		report("autorite_parentale", codeSouhaite)
	}
}

func signalementReserves(s *signalement, report reporter) {
	parentsReserves(&s.dossier, report)
	if !s.ParentsInconnus {
		// CASF L226-5 al. 3: the parents are told in writing, unless that is
		// contrary to the interest of the child; then the reason is given.
		told := parentsAvises{}
		if s.ParentsAvises != nil {
			told = *s.ParentsAvises
		}
		either("parents_avises", told.Date, told.MotifAbsence, report)
		if s.PositionParents == "" {
			report("position_parents", codeSouhaite)
		}
	}
	actionsReserves(s, report)
	if f := s.Faits; f != nil && f.Date == "" {
		report("faits.date", codeSouhaite)
	}
	// Practice everywhere: the magistrate on duty is called as well.
	urgent := s.Condition == "danger_grave_immediat" || slices.Contains(s.Demande, "opp")
	if urgent && s.AppelPermanence == "" {
		report("appel_permanence", codeSouhaite)
	}
	if slices.Contains(s.Demande, "autre") && s.DemandePrecision == "" {
		report("demande_precision", codeSouhaite)
	}
	// CGCT L3221-3: who signs for the president shows the delegation.
	if s.Signataire != nil && s.Signataire.Delegation == "" {
		report("signataire.delegation", codeSouhaite)
	}
}

// either: one of two answers is wanted, and not both.
func either(path, one, other string, report reporter) {
	switch {
	case one == "" && other == "":
		report(path, codeSouhaite)
	case one != "" && other != "":
		report(path, codeContradiction)
	}
}

// avisReserves: someone was told, or the reason why not is given.
func avisReserves(path string, a *avis, report reporter) {
	if a == nil {
		a = &avis{}
	}
	either(path, a.DateHeure, a.MotifAbsence, report)
}

// recueilReserves: CASF L223-2. When the agreement is refused, the service
// seizes the judicial authority (al. 3); the parents of a child who left home
// are told without delay (al. 5).
func recueilReserves(r *recueil, report reporter) {
	parentsReserves(&r.dossier, report)
	if r.Accord == "refuse" && !r.SaisineDemandee {
		report("saisine_demandee", codeSouhaite)
	}
	if r.Regime == accueil72h && !r.ParentsInconnus {
		avisReserves("parents_informes", r.ParentsInformes, report)
	}
}

// actionsReserves: CASF L226-4 I, the actions already carried out are made
// known; the first condition supposes that there were some.
func actionsReserves(s *signalement, report reporter) {
	switch {
	case s.AucuneAction && len(s.Actions) > 0:
		report("aucune_action_anterieure", codeContradiction)
	case s.AucuneAction && s.Condition == "actions_sans_effet":
		report("condition", codeContradiction)
	case !s.AucuneAction && len(s.Actions) == 0:
		report("actions_deja_menees", codeSouhaite)
	}
	for _, a := range s.Actions {
		if a.Debut != "" && a.Fin != "" && a.Fin < a.Debut {
			report("actions_deja_menees", codeDates)
			return
		}
	}
}

// oppReserves: an order is either attached or oral, not both; an order in
// writing that is due before the oral one cannot be.
func oppReserves(o *opp, report reporter) {
	ordonnance{o.Mode, o.RecueilliePar, o.EcritAttenduAvant, o.Pieces}.reserves(o.DateHeure, report)
}

func (o ordonnance) reserves(given string, report reporter) {
	if o.mode == ordonnanceJointe && o.recueilliePar != nil ||
		o.mode == instructionOrale && hasPiece(o.pieces, "ordonnance", "") {
		report("mode", codeContradiction)
	}
	if before(o.ecrit, given) {
		report("ecrit_attendu_avant", codeDates)
	}
}

// finOPPReserves: the delay that the document invokes has run, in calendar days
// and whatever the calendar adds (C. civ. 375-5 al. 2, CPC 1184 al. 3); after
// it, the child is returned to those who ask (CPC 1184 al. 3).
func finOPPReserves(f *finOPP, report reporter) {
	given := f.OPP.DateHeure
	switch f.Cause {
	case mainlevee:
		ordonnance{f.Mode, f.RecueilliePar, f.EcritAttenduAvant, f.Pieces}.reserves(f.DateHeure, report)
		return
	case defautSaisine:
		if within(f.DateHeure, given, 8) {
			report("cause", codeContradiction)
		}
	case defautDecision:
		if within(f.DateHeure, f.Saisine, 15) {
			report("cause", codeContradiction)
		}
		if f.Saisine < dayOf(given) {
			report("requete_recue_le", codeDates)
		}
		if f.DemandeDe == "" {
			report("demande_de", codeSouhaite)
		}
	}
	if f.Mode != "" {
		report("mode", codeContradiction)
	}
}

// dayOf gives the local day of an hour; of a day, itself.
func dayOf(s string) string { return s[:min(len(s), len(time.DateOnly))] }

// within tells whether an hour comes before the end of so many days, counted
// from a day or an hour whose own day does not count (CPC 641 al. 1). Days are
// local.
func within(hour, from string, days int) bool {
	start, err := time.Parse(time.DateOnly, dayOf(from))
	return err == nil && dayOf(hour) <= start.AddDate(0, 0, days).Format(time.DateOnly)
}

// before compares two hours, which may have different offsets.
func before(a, b string) bool {
	at, errA := time.Parse(time.RFC3339, a)
	bt, errB := time.Parse(time.RFC3339, b)
	return errA == nil && errB == nil && at.Before(bt)
}

func requeteReserves(r *requete, report reporter) {
	parentsReserves(&r.dossier, report)
	// C. civ. 375-5 al. 2: after an OPP the judge needs the order itself.
	if r.OPP != nil && !hasPiece(r.Pieces, "ordonnance", "") {
		report("pieces", codeSouhaite)
	}
	if r.MesureDemandee == "maintien_placement" && r.OPP == nil && r.Qualite != serviceGardien {
		report("opp", codeSouhaite)
	}
	// C. civ. 375 al. 1. Only the procureur follows an OPP (375-5 al. 2).
	switch {
	case r.Qualite == "" && r.OPP == nil:
		report("qualite", codeSouhaite)
	case r.Qualite == serviceGardien && r.OPP != nil:
		report("opp", codeContradiction)
	}
}

// incidentReserves: C. civ. 375 and 375-3, the incident falls within the
// measure. In practice the police is told of a child who ran away, of violence
// and of death.
func incidentReserves(i *incident, report reporter) {
	parentsReserves(&i.dossier, report)
	if day := dayOf(i.DateHeure); day < i.MesureEnCours.Date {
		report("date_heure", codeContradiction)
	} else if fin := i.MesureEnCours.Fin; fin != "" && fin < day {
		report("mesure_en_cours.fin", codeContradiction)
	}
	if i.Type == "fugue" && i.DernierLieu == nil {
		report("dernier_lieu", codeSouhaite)
	}
	if i.Type == "fugue" || i.Type == "violences" || i.Type == "deces" {
		avisReserves("police_avisee", i.PoliceAvisee, report)
	}
}

// soitTransmisReserves: a delay that is already over is no delay.
func soitTransmisReserves(s *soitTransmis, report reporter) {
	designe(&s.dossier, report)
	if s.Avant != "" && s.Avant < s.Date {
		report("reponse_attendue_avant", codeDates)
	}
}

// decisionReserves: C. civ. 375 (the decision sets the length of the measure,
// two years at most), CPC 1185 (six months for a provisional measure).
func decisionReserves(d *decision, report reporter) {
	switch d.Type {
	case "mainlevee", "non_lieu", "autorite_parentale", "interdiction_sortie":
		return // no length
	}
	if d.Fin == "" && d.FinEvenement == "" {
		report("fin", codeSouhaite)
	}
	start := d.Debut
	if start == "" {
		start = d.Date
	}
	years, months := 2, 0
	if d.Nature == "provisoire" {
		years, months = 0, 6
	}
	from, errFrom := time.Parse(time.DateOnly, start)
	to, errTo := time.Parse(time.DateOnly, d.Fin)
	if errFrom == nil && errTo == nil && to.After(from.AddDate(years, months, 0)) {
		report("fin", codeDuree)
	}
	// C. civ. 375-3 and 375-7: visits and stays of a placed child.
	if d.Type == "placement" && d.Droits == nil {
		report("droits", codeSouhaite)
	}
}

// designe: the thread tells the case to the machine; a person who holds the
// paper alone needs a name or a number.
func designe(d *dossier, report reporter) {
	if len(d.Enfants) == 0 && d.References == nil {
		report("references", codeSouhaite)
	}
}

func suitesReserves(s *suites, report reporter) {
	designe(&s.dossier, report)
}

func transmissionReserves(t *transmission, report reporter) {
	designe(&t.dossier, report)
	if t.Corrige != "" && t.Complete != "" {
		report("complete", codeContradiction)
	}
}
