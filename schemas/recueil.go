package schemas

// The two regimes of CASF L223-2, each with its own term: five days (al. 2 and
// 4), seventy-two hours (al. 5).
const (
	recueilProvisoire = "recueil_provisoire"
	accueil72h        = "accueil_72h"
)

// recueil is the notice that the ASE gives at once to the procureur when it
// takes a child in without an agreement or an order (CASF L223-2): in urgency,
// when the legal representative cannot agree (al. 2), or because the child left
// the family home and is, or may be, in immediate danger (al. 5).
//
// It asks for nothing by itself, unless saisine_demandee says so: when the
// agreement is refused (al. 3), or when the term passes without a return or an
// agreement (al. 4 and 5), the judicial authority is seized.
type recueil struct {
	dossier
	Regime          string `json:"regime" validate:"required,oneof=recueil_provisoire accueil_72h" doc:"Régime" article:"CASF L223-2"`
	DateHeure       string `json:"date_heure" validate:"required,instant" doc:"Date et heure du recueil" article:"CASF L223-2"`
	Accord          string `json:"accord,omitempty" validate:"omitempty,oneof=impossible refuse" doc:"Accord du représentant légal" article:"CASF L223-2 al. 2"`
	AccordPrecision string `json:"accord_precision,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Précision sur l'accord"`
	SaisineDemandee bool   `json:"saisine_demandee,omitempty" doc:"Saisine demandée (C. civ. 375-5)" article:"CASF L223-2 al. 3"`
	// The place where the child was found names the procureur who may order a
	// placement.
	LieuTrouve      *lieu  `json:"lieu_trouve,omitempty" reserve:"required" doc:"Lieu où l'enfant a été trouvé" article:"C. civ. 375-5 al. 2"`
	LieuAccueil     *lieu  `json:"lieu_accueil,omitempty" doc:"Lieu d'accueil"`
	MotifUrgence    string `json:"motif_urgence,omitempty" validate:"omitempty,nonblanc,max=10000" reserve:"required" doc:"Motif de l'urgence" article:"CASF L223-2"`
	ParentsInformes *avis  `json:"parents_informes,omitempty" doc:"Information des parents" article:"CASF L223-2 al. 5"`
	AppelPermanence string `json:"appel_permanence,omitempty" validate:"omitempty,instant" reserve:"required" doc:"Appel à la permanence"`
	Precisions      string `json:"precisions,omitempty" validate:"omitempty,nonblanc,max=10000" doc:"Précisions"`
	envoi
	Signataire *signataire `json:"signataire,omitempty" reserve:"required" doc:"Signataire"`
}

// avis says when someone was told, or why not yet.
type avis struct {
	DateHeure    string `json:"date_heure,omitempty" validate:"omitempty,instant" doc:"Avisés le"`
	AupresDe     string `json:"aupres_de,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Auprès de"`
	MotifAbsence string `json:"motif_absence,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Non avisés, motif"`
}
