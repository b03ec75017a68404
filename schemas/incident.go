package schemas

// serviceGardien is the quality in which the service to which a child is
// confided writes to the juge des enfants (C. civ. 375 al. 1).
const serviceGardien = "service_gardien"

// incident tells the juge des enfants, the parquet in copy, what befell a
// child whom an order already confides to the sender: the service that carries
// out a measure reports to the judge (CPC 1199-1). No text lists the
// incidents; the list is that of practice.
//
// It is one of the two lawful ways from the ASE to the judge, the other being
// a requete. Both suppose a current measure, which is therefore required: for a
// child whom nothing confides to it, the ASE goes through the procureur (CASF
// L226-4 I).
type incident struct {
	dossier
	Qualite       string  `json:"qualite" validate:"required,oneof=service_gardien" doc:"Qualité de l'expéditeur" article:"C. civ. 375 al. 1"`
	MesureEnCours *mesure `json:"mesure_en_cours" validate:"required" doc:"Mesure en cours" article:"C. civ. 375 al. 1"`
	Type          string  `json:"type" validate:"required,oneof=fugue retour accident hospitalisation violences deces autre" doc:"Type d'incident" article:"CPC 1199-1"`
	TypePrecision string  `json:"type_precision,omitempty" validate:"omitempty,nonblanc,max=500" doc:"Précision sur le type"`
	DateHeure     string  `json:"date_heure" validate:"required,instant" doc:"Date et heure de l'incident, ou de son constat" article:"CPC 1199-1"`
	DernierLieu   *lieu   `json:"dernier_lieu,omitempty" doc:"Dernier lieu connu"`
	Circonstances string  `json:"circonstances,omitempty" validate:"omitempty,nonblanc,max=50000" reserve:"required" doc:"Circonstances" article:"CPC 1199-1"`
	MesuresPrises string  `json:"mesures_prises,omitempty" validate:"omitempty,nonblanc,max=10000" reserve:"required" doc:"Mesures prises" article:"CPC 1199-1"`
	PoliceAvisee  *avis   `json:"police_avisee,omitempty" doc:"Police ou gendarmerie"`
	Demande       string  `json:"demande,omitempty" validate:"omitempty,nonblanc,max=5000" doc:"Ce qui est demandé au juge"`
	envoi
	Signataire *signataire `json:"signataire,omitempty" reserve:"required" doc:"Signataire"`
}

// mesure is the order by which the child is confided to the sender: a
// placement by the judge (C. civ. 375-3) or an OPP of the procureur that the
// judge has not yet replaced (375-5 al. 2).
type mesure struct {
	Nature string `json:"nature" validate:"required,oneof=placement opp" doc:"Nature de la mesure" article:"C. civ. 375-3"`
	Date   string `json:"date" validate:"required,jour" doc:"Ordonnée le" article:"C. civ. 375-3"`
	Fin    string `json:"fin,omitempty" validate:"omitempty,jour" doc:"Jusqu'au" article:"C. civ. 375"`
	Numero string `json:"numero,omitempty" validate:"omitempty,nonblanc,max=60" doc:"N° de la décision"`
	Pli    string `json:"pli,omitempty" validate:"omitempty,identifiant" doc:"Pli de la décision"`
}
