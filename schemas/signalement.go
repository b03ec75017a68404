package schemas

// signalement is the report by which the président du conseil départemental
// brings to the procureur, without delay, a child in danger within the meaning
// of C. civ. 375 when one of the conditions of CASF L226-4 I is met.
//
// Erreurs are closed to what prevents routing or reading: author with a
// direct telephone, signataire, one designated child, facts or a report, the
// condition, the demand. All the rest that law or practice wants is a réserve:
// a child found at 3 a.m. must get through.
type signalement struct {
	dossier
	// CASF L226-4 I 1° to 3°, and its separate case of an evaluation that
	// cannot be made.
	Condition string `json:"condition" validate:"required,oneof=actions_sans_effet refus_famille danger_grave_immediat evaluation_impossible" doc:"Condition de saisine" article:"CASF L226-4 I"`
	// C. civ. 375 al. 1: in what the child is in danger.
	Danger              []string       `json:"danger,omitempty" validate:"max=5,unique,dive,oneof=sante securite moralite education developpement" reserve:"required" doc:"Nature du danger" article:"C. civ. 375 al. 1"`
	Faits               *faits         `json:"faits,omitempty" doc:"Faits"`
	InfractionSuspectee string         `json:"infraction_suspectee,omitempty" validate:"omitempty,nonblanc,max=1000" doc:"Infraction suspectée"`
	Demande             []string       `json:"demande" validate:"required,min=1,max=5,unique,dive,oneof=opp saisine_juge enquete_penale autre" doc:"Demande au parquet"`
	DemandePrecision    string         `json:"demande_precision,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Précision sur la demande"`
	AppelPermanence     string         `json:"appel_permanence,omitempty" validate:"omitempty,instant" doc:"Appel à la permanence"`
	AucuneAction        bool           `json:"aucune_action_anterieure,omitempty" doc:"Aucune action antérieure"`
	Actions             []action       `json:"actions_deja_menees,omitempty" validate:"max=30,dive" reserve:"dive" doc:"Actions déjà menées" article:"CASF L226-4 I"`
	MesuresEnCours      string         `json:"mesures_en_cours,omitempty" validate:"omitempty,nonblanc,max=5000" doc:"Mesures en cours"`
	ParentsAvises       *parentsAvises `json:"parents_avises,omitempty" doc:"Information écrite des parents" article:"CASF L226-5 al. 3"`
	PositionParents     string         `json:"position_parents,omitempty" validate:"omitempty,nonblanc,max=5000" doc:"Position des parents"`
	envoi
	Signataire *signataire `json:"signataire" validate:"required" doc:"Signataire"`
}

// faits keeps apart what was seen, what was told, and the words of the child.
type faits struct {
	Date         string `json:"date,omitempty" validate:"omitempty,jour" doc:"Date des faits"`
	Lieu         *lieu  `json:"lieu,omitempty" doc:"Lieu des faits"`
	Constates    string `json:"constates,omitempty" validate:"omitempty,nonblanc,max=50000" doc:"Faits constatés"`
	Rapportes    string `json:"rapportes,omitempty" validate:"omitempty,nonblanc,max=50000" doc:"Faits rapportés"`
	ParoleEnfant string `json:"parole_enfant,omitempty" validate:"omitempty,nonblanc,max=50000" doc:"Parole de l'enfant (mot à mot)"`
}

// action is one earlier administrative action (CASF L226-4 I: the actions
// already carried out are made known to the procureur).
type action struct {
	Nature   string `json:"nature,omitempty" validate:"omitempty,nonblanc,max=500" reserve:"required" doc:"Nature" article:"CASF L226-4 I"`
	Debut    string `json:"debut,omitempty" validate:"omitempty,jour" doc:"Début"`
	Fin      string `json:"fin,omitempty" validate:"omitempty,jour" doc:"Fin"`
	Resultat string `json:"resultat,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Résultat"`
}

// parentsAvises says when the parents were told in writing, or why not (CASF
// L226-5 al. 3).
type parentsAvises struct {
	Date         string `json:"date,omitempty" validate:"omitempty,jour" doc:"Avisés par écrit le"`
	MotifAbsence string `json:"motif_absence,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Non avisés, motif"`
}
