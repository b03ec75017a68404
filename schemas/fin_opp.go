package schemas

// The three ways in which an OPP ends before the judge rules.
const (
	mainlevee      = "mainlevee"       // the procureur lifts it, the judge not being seized
	defautSaisine  = "defaut_saisine"  // no judge was seized within eight days
	defautDecision = "defaut_decision" // the judge seized did not rule within fifteen days
)

// finOPP tells the service to which a child was confided by an OPP, and whoever
// had a copy of it, that the order has ended: the procureur lifts it while no
// judge is seized, or time has run (C. civ. 375-5 al. 2; CPC 1184 al. 3, where
// the child is returned on request). Once the judge is seized only the judge
// maintains, modifies or lifts the measure: that is a decision.
//
// The text of 375-5 gives no express sanction to its eight days: defaut_saisine
// states what the parquet itself holds, this program concludes nothing from a
// date.
type finOPP struct {
	dossier
	OPP               *ordonnanceVisee `json:"opp" validate:"required" doc:"OPP qui prend fin" article:"C. civ. 375-5 al. 2"`
	Cause             string           `json:"cause" validate:"required,oneof=mainlevee defaut_saisine defaut_decision" doc:"Cause de la fin" article:"C. civ. 375-5 al. 2"`
	DateHeure         string           `json:"date_heure" validate:"required,instant" doc:"Date et heure de la fin" article:"C. civ. 375-5 al. 2"`
	Saisine           string           `json:"requete_recue_le,omitempty" validate:"omitempty,jour" doc:"Requête reçue au greffe le" article:"CPC 1184 al. 3"`
	Mode              string           `json:"mode,omitempty" validate:"omitempty,oneof=ordonnance_jointe instruction_orale" doc:"Forme de la mainlevée"`
	Magistrat         *magistrat       `json:"magistrat,omitempty" reserve:"required" doc:"Magistrat"`
	RecueilliePar     *personne        `json:"recueillie_par,omitempty" doc:"Instruction recueillie par"`
	EcritAttenduAvant string           `json:"ecrit_attendu_avant,omitempty" validate:"omitempty,instant" doc:"Écrit attendu avant"`
	Motif             string           `json:"motif,omitempty" validate:"omitempty,nonblanc,max=10000" reserve:"required" doc:"Motif"`
	DemandeDe         string           `json:"demande_de,omitempty" validate:"omitempty,nonblanc,max=300" doc:"Remise demandée par" article:"CPC 1184 al. 3"`
	RemisA            string           `json:"remis_a,omitempty" validate:"omitempty,nonblanc,max=300" reserve:"required" doc:"Enfant remis à"`
	LieuRemise        *lieu            `json:"lieu_remise,omitempty" doc:"Lieu de la remise"`
	Precisions        string           `json:"precisions,omitempty" validate:"omitempty,nonblanc,max=10000" doc:"Précisions"`
	envoi
}
