package schemas

// dossier is the block common to all kinds: of whom the document speaks. Which
// of its members a kind requires is the rule of that kind.
type dossier struct {
	Enfants           []enfant    `json:"enfants,omitempty" validate:"max=20,dive" reserve:"dive" doc:"Enfants concernés"`
	ParentsInconnus   bool        `json:"parents_inconnus,omitempty" doc:"Parents inconnus"`
	AutoriteParentale []parent    `json:"autorite_parentale,omitempty" validate:"max=10,dive" reserve:"dive" doc:"Titulaires de l'autorité parentale"`
	Fratrie           []frere     `json:"fratrie,omitempty" validate:"max=20,dive" doc:"Fratrie"`
	Ecole             *lieu       `json:"ecole,omitempty" doc:"École"`
	References        *references `json:"references,omitempty" doc:"Références"`
}

// enfant is one child, named or not. Designation rule: rules.go.
type enfant struct {
	Nom              string `json:"nom,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Nom"`
	Prenoms          string `json:"prenoms,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Prénoms"`
	IdentiteInconnue bool   `json:"identite_inconnue,omitempty" doc:"Identité inconnue"`
	Sexe             string `json:"sexe,omitempty" validate:"omitempty,oneof=feminin masculin indetermine" reserve:"required" doc:"Sexe"`
	DateNaissance    string `json:"date_naissance,omitempty" validate:"omitempty,jour" doc:"Date de naissance"`
	// A year, a month or a day that the author knows to be uncertain.
	DateNaissanceApproximative string `json:"date_naissance_approximative,omitempty" validate:"omitempty,jour_approximatif" doc:"Date de naissance approximative"`
	AgeApparent                string `json:"age_apparent,omitempty" validate:"omitempty,nonblanc,max=60" doc:"Âge apparent"`
	LieuNaissance              *lieu  `json:"lieu_naissance,omitempty" doc:"Lieu de naissance"`
	Nationalite                string `json:"nationalite,omitempty" validate:"omitempty,nonblanc,max=100" doc:"Nationalité"`
	Adresse                    *lieu  `json:"adresse,omitempty" doc:"Adresse"`
	LieuActuel                 *lieu  `json:"lieu_actuel,omitempty" doc:"Lieu actuel"`
}

// lieu is the one type of every place, so that every place can be marked
// confidential (C. civ. 375-7: the judge may order that the place of
// reception stay unknown to the parents).
type lieu struct {
	Libelle          string `json:"libelle,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Désignation"`
	Adresse          string `json:"adresse,omitempty" validate:"omitempty,nonblanc,max=300" doc:"Rue"`
	CodePostal       string `json:"code_postal,omitempty" validate:"omitempty,nonblanc,max=12" doc:"Code postal"`
	Commune          string `json:"commune,omitempty" validate:"omitempty,nonblanc,max=120" doc:"Commune"`
	Pays             string `json:"pays,omitempty" validate:"omitempty,nonblanc,max=80" doc:"Pays"`
	LieuConfidentiel bool   `json:"lieu_confidentiel,omitempty" doc:"Lieu confidentiel" article:"C. civ. 375-7"`
}

// parent is a holder of parental authority, or whoever stands for one.
type parent struct {
	Nom           string `json:"nom,omitempty" validate:"omitempty,nonblanc,max=200" reserve:"required" doc:"Nom"`
	Prenoms       string `json:"prenoms,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Prénoms"`
	Lien          string `json:"lien,omitempty" validate:"omitempty,oneof=pere mere tuteur delegataire autre" reserve:"required" doc:"Lien avec l'enfant"`
	DateNaissance string `json:"date_naissance,omitempty" validate:"omitempty,jour" doc:"Date de naissance"`
	Adresse       *lieu  `json:"adresse,omitempty" doc:"Adresse"`
	Telephone     string `json:"telephone,omitempty" validate:"omitempty,telephone" doc:"Téléphone"`
	Avocat        string `json:"avocat,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Avocat"`
}

// frere is a brother or a sister whom the document does not concern itself.
type frere struct {
	Nom           string `json:"nom,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Nom"`
	Prenoms       string `json:"prenoms,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Prénoms"`
	DateNaissance string `json:"date_naissance,omitempty" validate:"omitempty,jour" doc:"Date de naissance"`
	Situation     string `json:"situation,omitempty" validate:"omitempty,nonblanc,max=500" doc:"Situation"`
}

// references are the numbers by which each institution knows the case.
type references struct {
	CRIP    string `json:"crip,omitempty" validate:"omitempty,nonblanc,max=60" doc:"N° CRIP"`
	Parquet string `json:"parquet,omitempty" validate:"omitempty,nonblanc,max=60" doc:"N° parquet"`
	Juge    string `json:"juge,omitempty" validate:"omitempty,nonblanc,max=60" doc:"N° juge des enfants"`
	ASE     string `json:"ase,omitempty" validate:"omitempty,nonblanc,max=60" doc:"N° ASE"`
}

// auteur is the person to call: a direct telephone, since an urgent pli is
// always doubled by a call.
type auteur struct {
	Nom       string `json:"nom" validate:"required,nonblanc,max=200" doc:"Nom de l'auteur"`
	Fonction  string `json:"fonction,omitempty" validate:"omitempty,nonblanc,max=200" reserve:"required" doc:"Fonction de l'auteur"`
	Service   string `json:"service,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Service"`
	Telephone string `json:"telephone" validate:"required,telephone" doc:"Téléphone direct"`
}

// signataire is who answers for the document. The president of the conseil
// départemental is the legal author of a signalement and may delegate his
// signature (CGCT L3221-3).
type signataire struct {
	Nom        string `json:"nom" validate:"required,nonblanc,max=200" doc:"Nom du signataire"`
	Fonction   string `json:"fonction,omitempty" validate:"omitempty,nonblanc,max=200" reserve:"required" doc:"Fonction du signataire"`
	Delegation string `json:"delegation,omitempty" validate:"omitempty,nonblanc,max=300" doc:"Délégation de signature"`
}

// magistrat is who ordered or decided.
type magistrat struct {
	Nom      string `json:"nom" validate:"required,nonblanc,max=200" doc:"Nom du magistrat"`
	Fonction string `json:"fonction,omitempty" validate:"omitempty,nonblanc,max=200" reserve:"required" doc:"Fonction du magistrat"`
}

// institution is a party of the directory, or one described in words.
type institution struct {
	Partie  string `json:"partie,omitempty" validate:"omitempty,partie" doc:"Partie de l'annuaire"`
	Libelle string `json:"libelle,omitempty" validate:"omitempty,nonblanc,max=200" doc:"Institution"`
}

// droits says what becomes of correspondence, visits and stays (C. civ.
// 375-5 al. 2 and 375-7).
type droits struct {
	Correspondance string `json:"correspondance,omitempty" validate:"omitempty,oneof=accorde mediatise reserve suspendu" reserve:"required" doc:"Correspondance" article:"C. civ. 375-7"`
	Visite         string `json:"visite,omitempty" validate:"omitempty,oneof=accorde mediatise reserve suspendu" reserve:"required" doc:"Visite" article:"C. civ. 375-7"`
	Hebergement    string `json:"hebergement,omitempty" validate:"omitempty,oneof=accorde mediatise reserve suspendu" reserve:"required" doc:"Hébergement" article:"C. civ. 375-7"`
	Rythme         string `json:"rythme,omitempty" validate:"omitempty,nonblanc,max=500" doc:"Rythme"`
	Lieu           *lieu  `json:"lieu,omitempty" doc:"Lieu des visites"`
}

// Piece describes one attached part. The order of the list is the order of
// the parts; the file name that the sender gave is only a Titre.
type Piece struct {
	Titre         string `json:"titre" validate:"required,nonblanc,max=200" doc:"Titre"`
	TypeMIME      string `json:"type_mime" validate:"required,type_mime,max=127" doc:"Type de fichier"`
	Role          string `json:"role" validate:"required,oneof=rapport evaluation certificat_medical signalement ordonnance requete decision proces_verbal note ecrit autre" doc:"Rôle de la pièce"`
	Pages         int    `json:"pages,omitempty" validate:"omitempty,min=1,max=10000" doc:"Nombre de pages"`
	Communication string `json:"communication" validate:"required,oneof=communicable a_ecarter" doc:"Communication aux parties" article:"CPC 1187"`
}

// envoi is the block common to all kinds: who writes, and what is attached.
type envoi struct {
	Auteur *auteur `json:"auteur" validate:"required" doc:"Auteur"`
	Pieces []Piece `json:"pieces,omitempty" validate:"max=30,dive" doc:"Pièces jointes"`
}

func (e *envoi) attached() []Piece { return e.Pieces }
