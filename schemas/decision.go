package schemas

// decision transmits a decision of the juge des enfants to those who carry it
// out, and its avis to the parquet (CPC 1190). The pli transmits the decision;
// it does not stand for it: the signed PDF is required.
type decision struct {
	dossier
	Type      string     `json:"type" validate:"required,oneof=aemo aemo_renforcee placement maintien modification mainlevee renouvellement mjie dvh non_lieu autorite_parentale interdiction_sortie" doc:"Type de décision" article:"CPC 1190"`
	Nature    string     `json:"nature" validate:"required,oneof=provisoire fond" doc:"Provisoire ou au fond" article:"CPC 1185"`
	Date      string     `json:"date" validate:"required,jour" doc:"Date de la décision" article:"CPC 1190"`
	Magistrat *magistrat `json:"magistrat" validate:"required" doc:"Juge des enfants"`
	// C. civ. 375-3: to whom a placed child is confided.
	ConfieA             *institution `json:"confie_a,omitempty" doc:"Enfant confié à" article:"C. civ. 375-3"`
	Debut               string       `json:"debut,omitempty" validate:"omitempty,jour" doc:"Début de la mesure"`
	Fin                 string       `json:"fin,omitempty" validate:"omitempty,jour" doc:"Fin de la mesure" article:"C. civ. 375"`
	FinEvenement        string       `json:"fin_evenement,omitempty" validate:"omitempty,nonblanc,max=300" doc:"Fin de la mesure, à défaut de date"`
	PeriodiciteRapport  int          `json:"periodicite_rapport_mois,omitempty" validate:"omitempty,min=1,max=36" doc:"Rapport tous les (mois)" article:"C. civ. 375"`
	Droits              *droits      `json:"droits,omitempty" doc:"Droits des parents" article:"C. civ. 375-7"`
	ExecutionProvisoire bool         `json:"execution_provisoire,omitempty" doc:"Exécution provisoire"`
	ForcePublique       bool         `json:"force_publique,omitempty" doc:"Concours de la force publique" article:"C. civ. 375-3"`
	InterdictionSortie  string       `json:"interdiction_sortie_jusqu_au,omitempty" validate:"omitempty,jour" doc:"Interdiction de sortie du territoire jusqu'au" article:"C. civ. 375-7"`
	LieuAccueil         *lieu        `json:"lieu_accueil,omitempty" doc:"Lieu d'accueil"`
	Precisions          string       `json:"precisions,omitempty" validate:"omitempty,nonblanc,max=10000" doc:"Précisions"`
	envoi
}
