package schemas

// The two modes of an opp.
const (
	ordonnanceJointe = "ordonnance_jointe"
	instructionOrale = "instruction_orale"
)

// opp transmits the order by which the procureur, in urgency, confides a child
// where the child was found, and seizes the judge within eight days (C. civ.
// 375-5 al. 2). The pli transmits the order; it does not stand for it.
//
// Either the signed order is attached, or the order was given by telephone and
// the document says by whom, when, to whom, and by when the writing comes.
type opp struct {
	dossier
	Mode               string       `json:"mode" validate:"required,oneof=ordonnance_jointe instruction_orale" doc:"Forme de l'ordonnance"`
	Magistrat          *magistrat   `json:"magistrat" validate:"required" doc:"Magistrat" article:"C. civ. 375-5 al. 2"`
	DateHeure          string       `json:"date_heure" validate:"required,instant" doc:"Date et heure de l'ordonnance" article:"C. civ. 375-5 al. 2"`
	RecueilliePar      *personne    `json:"recueillie_par,omitempty" doc:"Instruction recueillie par"`
	EcritAttenduAvant  string       `json:"ecrit_attendu_avant,omitempty" validate:"omitempty,instant" doc:"Écrit attendu avant"`
	LieuTrouve         *lieu        `json:"lieu_trouve,omitempty" reserve:"required" doc:"Lieu où l'enfant a été trouvé" article:"C. civ. 375-5 al. 2"`
	ConfieA            *institution `json:"confie_a" validate:"required" doc:"Enfant confié à" article:"C. civ. 375-3"`
	MotifUrgence       string       `json:"motif_urgence,omitempty" validate:"omitempty,nonblanc,max=10000" reserve:"required" doc:"Motif de l'urgence" article:"C. civ. 375-5 al. 2"`
	Droits             *droits      `json:"droits,omitempty" reserve:"required" doc:"Droits des parents" article:"C. civ. 375-5 al. 2"`
	ForcePublique      bool         `json:"force_publique,omitempty" doc:"Concours de la force publique" article:"C. civ. 375-3"`
	InterdictionSortie bool         `json:"interdiction_sortie,omitempty" doc:"Interdiction de sortie du territoire" article:"C. civ. 375-5"`
	LieuAccueil        *lieu        `json:"lieu_accueil,omitempty" doc:"Lieu d'accueil"`
	Precisions         string       `json:"precisions,omitempty" validate:"omitempty,nonblanc,max=10000" doc:"Précisions"`
	envoi
}

// personne is someone named for what he or she did.
type personne struct {
	Nom      string `json:"nom" validate:"required,nonblanc,max=200" doc:"Nom"`
	Fonction string `json:"fonction,omitempty" validate:"omitempty,nonblanc,max=200" reserve:"required" doc:"Fonction"`
}
