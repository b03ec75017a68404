package schemas

// transmission is any further paper of a thread: a complement that a réserve
// asked for, a report, an opinion, the correction of an earlier pli. Nothing
// is withdrawn: a correction names the pli that it corrects, which stays.
type transmission struct {
	Objet string `json:"objet" validate:"required,nonblanc,max=300" doc:"Objet"`
	dossier
	Texte    string `json:"texte,omitempty" validate:"omitempty,nonblanc,max=50000" doc:"Texte"`
	Corrige  string `json:"corrige,omitempty" validate:"omitempty,identifiant" doc:"Corrige le pli"`
	Complete string `json:"complete,omitempty" validate:"omitempty,identifiant" doc:"Complète le pli"`
	envoi
	Signataire *signataire `json:"signataire,omitempty" doc:"Signataire"`
}
