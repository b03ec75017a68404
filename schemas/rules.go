package schemas

import (
	"slices"
	"strings"

	"github.com/go-playground/validator/v10"
)

// Rules that look at several members at once, level erreur. Those of level
// réserve are in reserves.go. A rule reports the member to fill, by its path
// under the struct that it looks at, and one of our codes.

const typePDF = "application/pdf"

func report(sl validator.StructLevel, path, code string) {
	sl.ReportError("", path, path, code, "")
}

// enfantDesigne: a child is named, or declared unidentified with what lets
// others recognise and find the child.
func enfantDesigne(sl validator.StructLevel) {
	e := sl.Current().Addr().Interface().(*enfant)
	if !e.IdentiteInconnue {
		if e.Nom == "" {
			report(sl, "nom", codeObligatoire)
		}
		if e.Prenoms == "" {
			report(sl, "prenoms", codeObligatoire)
		}
		return
	}
	if e.AgeApparent == "" {
		report(sl, "age_apparent", codeObligatoire)
	}
	if e.Sexe == "" {
		report(sl, "sexe", codeObligatoire)
	}
	if e.LieuActuel == nil {
		report(sl, "lieu_actuel", codeObligatoire)
	}
}

// lieuRenseigne: a place says where it is.
func lieuRenseigne(sl validator.StructLevel) {
	l := sl.Current().Addr().Interface().(*lieu)
	if l.Libelle == "" && l.Adresse == "" && l.Commune == "" {
		report(sl, "libelle", codeLieuVide)
	}
}

// institutionDesignee: an institution is a party of the directory or described
// in words.
func institutionDesignee(sl validator.StructLevel) {
	i := sl.Current().Addr().Interface().(*institution)
	if i.Partie == "" && i.Libelle == "" {
		report(sl, "partie", codeDesignation)
	}
}

// unEnfant: at least one child, or nobody knows whom the pli is about.
func unEnfant(sl validator.StructLevel, d *dossier) {
	if len(d.Enfants) == 0 {
		report(sl, "enfants", codeObligatoire)
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
func signalementErreurs(sl validator.StructLevel) {
	s := sl.Current().Addr().Interface().(*signalement)
	unEnfant(sl, &s.dossier)
	told := s.Faits != nil && (s.Faits.Constates != "" || s.Faits.Rapportes != "" || s.Faits.ParoleEnfant != "")
	if !told && !hasPiece(s.Pieces, "rapport", "") {
		report(sl, "faits", codeObligatoire)
	}
}

// oppErreurs: C. civ. 375-5 al. 2. The signed order, or the four things that
// make an oral instruction certain: who, when, to whom, and by when in writing
// (who and when are required in both modes).
func oppErreurs(sl validator.StructLevel) {
	o := sl.Current().Addr().Interface().(*opp)
	unEnfant(sl, &o.dossier)
	switch o.Mode {
	case ordonnanceJointe:
		if !hasPiece(o.Pieces, "ordonnance", typePDF) {
			report(sl, "pieces", codePieceRequise)
		}
	case instructionOrale:
		if o.RecueilliePar == nil {
			report(sl, "recueillie_par", codeObligatoire)
		}
		if o.EcritAttenduAvant == "" {
			report(sl, "ecrit_attendu_avant", codeObligatoire)
		}
	}
}

// requeteErreurs: a requête is reasoned (C. civ. 375 al. 1), in the document
// or in the signed piece. "autre" says nothing without a precision.
func requeteErreurs(sl validator.StructLevel) {
	r := sl.Current().Addr().Interface().(*requete)
	unEnfant(sl, &r.dossier)
	if r.Motifs == "" && !hasPiece(r.Pieces, "requete", "") {
		report(sl, "motifs", codeObligatoire)
	}
	if r.MesureDemandee == "autre" && r.MesurePrecision == "" {
		report(sl, "mesure_precision", codeObligatoire)
	}
}

// decisionErreurs: CPC 1190, the decision itself travels, signed. C. civ.
// 375-3: a placed child is confided to someone.
func decisionErreurs(sl validator.StructLevel) {
	d := sl.Current().Addr().Interface().(*decision)
	unEnfant(sl, &d.dossier)
	if !hasPiece(d.Pieces, "decision", typePDF) {
		report(sl, "pieces", codePieceRequise)
	}
	if d.Type == "placement" && d.ConfieA == nil {
		report(sl, "confie_a", codeObligatoire)
	}
	if d.Debut != "" && d.Fin != "" && d.Fin < d.Debut { // ISO dates sort as text
		report(sl, "fin", codeDates)
	}
}

// suiteErreurs: CASF L226-4 I last al.; a classement is explained, a transfer
// says to whom.
func suiteErreurs(sl validator.StructLevel) {
	s := sl.Current().Addr().Interface().(*suite)
	if s.Suite == "classement" && s.Motif == "" {
		report(sl, "motif", codeObligatoire)
	}
	if s.Suite == "transmis_autre_parquet" && s.Parquet == nil {
		report(sl, "parquet", codeObligatoire)
	}
}

// transmissionErreurs: something is transmitted, in words or in pieces.
func transmissionErreurs(sl validator.StructLevel) {
	t := sl.Current().Addr().Interface().(*transmission)
	if strings.TrimSpace(t.Texte) == "" && len(t.Pieces) == 0 {
		report(sl, "texte", codeObligatoire)
	}
}
