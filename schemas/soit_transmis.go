package schemas

// soitTransmis is the slip by which the parquet asks the ASE, in practice its
// CRIP, to evaluate or to inquire, with a delay, often from the report of a
// third party that is attached. No text gives it a form; the request rests on
// the mission of the président du conseil départemental (CASF L226-3). The
// answer is a transmission, or a signalement.
type soitTransmis struct {
	Objet string `json:"objet" validate:"required,nonblanc,max=300" doc:"Objet" article:"CASF L226-3"`
	dossier
	Demande   []string   `json:"demande" validate:"required,min=1,max=4,unique,dive,oneof=evaluation enquete_sociale renseignements autre" doc:"Demande à l'ASE" article:"CASF L226-3"`
	Date      string     `json:"date,omitempty" validate:"omitempty,jour" reserve:"required" doc:"Date du soit-transmis"`
	Avant     string     `json:"reponse_attendue_avant,omitempty" validate:"omitempty,jour" reserve:"required" doc:"Réponse attendue avant le"`
	Magistrat *magistrat `json:"magistrat,omitempty" reserve:"required" doc:"Magistrat"`
	Texte     string     `json:"texte,omitempty" validate:"omitempty,nonblanc,max=50000" doc:"Texte"`
	envoi
}
