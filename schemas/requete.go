package schemas

// requete seizes the juge des enfants (C. civ. 375 al. 1), after an OPP within
// eight days of it (375-5 al. 2). The fifteen days of the judge run from its
// reception at the greffe (CPC 1184 al. 3), which the greffe's act records,
// not this document.
//
// Besides the procureur, the service to which the child is already confided may
// seize the judge (375 al. 1): it says so, with the current measure.
type requete struct {
	dossier
	Qualite         string           `json:"qualite,omitempty" validate:"omitempty,oneof=ministere_public service_gardien" doc:"Qualité du demandeur" article:"C. civ. 375 al. 1"`
	MesureEnCours   *mesure          `json:"mesure_en_cours,omitempty" doc:"Mesure en cours" article:"C. civ. 375 al. 1"`
	MesureDemandee  string           `json:"mesure_demandee" validate:"required,oneof=assistance_educative placement maintien_placement aemo mjie mainlevee interdiction_sortie autre" doc:"Mesure demandée" article:"C. civ. 375 al. 1"`
	MesurePrecision string           `json:"mesure_precision,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Précision sur la mesure"`
	OPP             *ordonnanceVisee `json:"opp,omitempty" doc:"OPP à l'origine de la saisine" article:"C. civ. 375-5 al. 2"`
	Competence      *competence      `json:"competence,omitempty" reserve:"required" doc:"Compétence du juge" article:"CPC 1181"`
	Motifs          string           `json:"motifs,omitempty" validate:"omitempty,nonblanc,max=50000" doc:"Motifs"`
	envoi
	Signataire *signataire `json:"signataire" validate:"required" doc:"Signataire" article:"C. civ. 375 al. 1"`
}

// ordonnanceVisee is the OPP that the requête follows: its date starts the
// eight days.
type ordonnanceVisee struct {
	DateHeure string `json:"date_heure" validate:"required,instant" doc:"Date et heure de l'OPP" article:"C. civ. 375-5 al. 2"`
	Pli       string `json:"pli,omitempty" validate:"omitempty,identifiant" doc:"Pli de l'OPP"`
	Numero    string `json:"numero,omitempty" validate:"omitempty,nonblanc,max=60" doc:"N° de l'OPP"`
}

// competence says why this judge (CPC 1181, and 1184 al. 4 for the place where
// the child was found).
type competence struct {
	Critere    string `json:"critere" validate:"required,oneof=demeure_parent demeure_tuteur demeure_gardien demeure_enfant lieu_trouve" doc:"Critère" article:"CPC 1181"`
	Precisions string `json:"precisions,omitempty" validate:"omitempty,nonblanc,max=1000" doc:"Précisions"`
}
