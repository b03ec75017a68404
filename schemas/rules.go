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

// oppErreurs: C. civ. 375-5 al. 2. The signed order, or the four things that
// make an oral instruction certain: who, when, to whom, and by when in writing
// (who and when are required in both modes).
func oppErreurs(o *opp, report reporter) {
	unEnfant(&o.dossier, report)
	switch o.Mode {
	case ordonnanceJointe:
		if !hasPiece(o.Pieces, "ordonnance", typePDF) {
			report("pieces", codePieceRequise)
		}
	case instructionOrale:
		if o.RecueilliePar == nil {
			report("recueillie_par", codeObligatoire)
		}
		if o.EcritAttenduAvant == "" {
			report("ecrit_attendu_avant", codeObligatoire)
		}
	}
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
