package schemas

import (
	"reflect"
	"slices"
	"strings"
)

// Rules that look at several members at once, level erreur. Those of level
// réserve are in reserves.go. A rule reports the member to fill, by its path
// under the struct that it looks at, and one of our codes.

const typePDF = "application/pdf"

// reporter takes what a rule finds.
type reporter func(path, code string)

// between is a rule of one struct; check takes a pointer to it.
type between struct {
	typ   reflect.Type
	check func(content any, report reporter)
}

func rule[T any](check func(*T, reporter)) between {
	return between{reflect.TypeFor[T](), func(content any, report reporter) { check(content.(*T), report) }}
}

// betweenErreurs is never written to.
var betweenErreurs = [...]between{
	rule(enfantDesigne), rule(lieuRenseigne), rule(institutionDesignee),
	rule(signalementErreurs), rule(oppErreurs), rule(requeteErreurs),
	rule(decisionErreurs), rule(suiteErreurs), rule(transmissionErreurs),
	rule(recueilErreurs), rule(mesureErreurs), rule(incidentErreurs),
	rule(soitTransmisErreurs), rule(finOPPErreurs),
}

// enfantDesigne: a child is named, or declared unidentified with what lets
// others recognise and find the child.
func enfantDesigne(e *enfant, report reporter) {
	if !e.IdentiteInconnue {
		if e.Nom == "" {
			report("nom", codeObligatoire)
		}
		if e.Prenoms == "" {
			report("prenoms", codeObligatoire)
		}
		return
	}
	if e.AgeApparent == "" {
		report("age_apparent", codeObligatoire)
	}
	if e.Sexe == "" {
		report("sexe", codeObligatoire)
	}
	if e.LieuActuel == nil {
		report("lieu_actuel", codeObligatoire)
	}
}

// lieuRenseigne: a place says where it is.
func lieuRenseigne(l *lieu, report reporter) {
	if l.Libelle == "" && l.Adresse == "" && l.Commune == "" {
		report("libelle", codeLieuVide)
	}
}

// institutionDesignee: an institution is a party of the directory or described
// in words.
func institutionDesignee(i *institution, report reporter) {
	if i.Partie == "" && i.Libelle == "" {
		report("partie", codeDesignation)
	}
}

// unEnfant: at least one child, or nobody knows whom the pli is about.
func unEnfant(d *dossier, report reporter) {
	if len(d.Enfants) == 0 {
		report("enfants", codeObligatoire)
	}
}

// hasPiece tells whether a piece of this role, and type if one is given, is
// listed.
func hasPiece(pieces []Piece, role, typeMIME string) bool {
	return slices.ContainsFunc(pieces, func(p Piece) bool {
		return p.Role == role && (typeMIME == "" || p.TypeMIME == typeMIME)
	})
}

// signalementErreurs: CASF L226-4 I wants facts, written in the document or in
// a report attached to it.
func signalementErreurs(s *signalement, report reporter) {
	unEnfant(&s.dossier, report)
	told := s.Faits != nil && (s.Faits.Constates != "" || s.Faits.Rapportes != "" || s.Faits.ParoleEnfant != "")
	if !told && !hasPiece(s.Pieces, "rapport", "") {
		report("faits", codeObligatoire)
	}
}

// oppErreurs: C. civ. 375-5 al. 2.
func oppErreurs(o *opp, report reporter) {
	unEnfant(&o.dossier, report)
	ordonnance{o.Mode, o.RecueilliePar, o.EcritAttenduAvant, o.Pieces}.erreurs(report)
}

// ordonnance is how an order of the procureur reaches its addressee.
type ordonnance struct {
	mode          string
	recueilliePar *personne
	ecrit         string // by when in writing
	pieces        []Piece
}

// erreurs wants the signed order, or the four things that make an oral
// instruction certain: who, when, to whom, and by when in writing (the kind
// requires who and when in both modes).
func (o ordonnance) erreurs(report reporter) {
	switch o.mode {
	case ordonnanceJointe:
		if !hasPiece(o.pieces, "ordonnance", typePDF) {
			report("pieces", codePieceRequise)
		}
	case instructionOrale:
		if o.recueilliePar == nil {
			report("recueillie_par", codeObligatoire)
		}
		if o.ecrit == "" {
			report("ecrit_attendu_avant", codeObligatoire)
		}
	}
}

// finOPPErreurs: C. civ. 375-5 al. 2. The procureur lifts the order while no
// judge is seized, in the forms of the order itself; CPC 1184 al. 3 counts
// from the reception at the greffe.
func finOPPErreurs(f *finOPP, report reporter) {
	unEnfant(&f.dossier, report)
	if f.OPP != nil && before(f.DateHeure, f.OPP.DateHeure) {
		report("date_heure", codeDates)
	}
	if f.Cause == defautDecision {
		if f.Saisine == "" {
			report("requete_recue_le", codeObligatoire)
		}
	} else if f.Saisine != "" {
		report("requete_recue_le", codeContradiction)
	}
	if f.Cause != mainlevee {
		return
	}
	if f.Mode == "" {
		report("mode", codeObligatoire)
	}
	if f.Magistrat == nil {
		report("magistrat", codeObligatoire)
	}
	ordonnance{f.Mode, f.RecueilliePar, f.EcritAttenduAvant, f.Pieces}.erreurs(report)
}

// requeteErreurs: a requête is reasoned (C. civ. 375 al. 1), in the document
// or in the signed piece. "autre" says nothing without a precision.
func requeteErreurs(r *requete, report reporter) {
	unEnfant(&r.dossier, report)
	if r.Motifs == "" && !hasPiece(r.Pieces, "requete", "") {
		report("motifs", codeObligatoire)
	}
	if r.MesureDemandee == "autre" && r.MesurePrecision == "" {
		report("mesure_precision", codeObligatoire)
	}
	// C. civ. 375 al. 1: the service seizes the judge because of the measure
	// that confides the child to it.
	if r.Qualite == serviceGardien && r.MesureEnCours == nil {
		report("mesure_en_cours", codeObligatoire)
	}
}

// mesureErreurs: C. civ. 375, a measure has its length.
func mesureErreurs(m *mesure, report reporter) {
	if m.Fin != "" && m.Fin < m.Date { // ISO dates sort as text
		report("fin", codeDates)
	}
}

// incidentErreurs: CPC 1199-1. "autre" says nothing without a precision.
func incidentErreurs(i *incident, report reporter) {
	unEnfant(&i.dossier, report)
	if i.Type == "autre" && i.TypePrecision == "" {
		report("type_precision", codeObligatoire)
	}
}

// recueilErreurs: CASF L223-2 al. 2 and 3, the agreement could not be had, or
// was refused; the judicial authority does not do the same of both.
func recueilErreurs(r *recueil, report reporter) {
	unEnfant(&r.dossier, report)
	if r.Regime == recueilProvisoire && r.Accord == "" {
		report("accord", codeObligatoire)
	}
}

// soitTransmisErreurs: CASF L226-3, someone is evaluated. The parquet may know
// no more than the paper that it forwards.
func soitTransmisErreurs(s *soitTransmis, report reporter) {
	if s.References == nil && len(s.Pieces) == 0 {
		unEnfant(&s.dossier, report)
	}
}

// decisionErreurs: CPC 1190, the decision itself travels, signed. C. civ.
// 375-3: a placed child is confided to someone.
func decisionErreurs(d *decision, report reporter) {
	unEnfant(&d.dossier, report)
	if !hasPiece(d.Pieces, "decision", typePDF) {
		report("pieces", codePieceRequise)
	}
	if d.Type == "placement" && d.ConfieA == nil {
		report("confie_a", codeObligatoire)
	}
	if d.Debut != "" && d.Fin != "" && d.Fin < d.Debut { // ISO dates sort as text
		report("fin", codeDates)
	}
}

// suiteErreurs: CASF L226-4 I last al.; a classement is explained, a transfer
// says to whom.
func suiteErreurs(s *suite, report reporter) {
	if s.Suite == "classement" && s.Motif == "" {
		report("motif", codeObligatoire)
	}
	if s.Suite == "transmis_autre_parquet" && s.Parquet == nil {
		report("parquet", codeObligatoire)
	}
}

// transmissionErreurs: something is transmitted, in words or in pieces.
func transmissionErreurs(t *transmission, report reporter) {
	if strings.TrimSpace(t.Texte) == "" && len(t.Pieces) == 0 {
		report("texte", codeObligatoire)
	}
}
