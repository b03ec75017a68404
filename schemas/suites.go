package schemas

// suites tells whoever reported what the procureur did of it, "dans les
// meilleurs délais" (CASF L226-4 I, last al.). Several suites may be given at
// once: an OPP, the seizing of the judge, a penal inquiry.
type suites struct {
	dossier
	Suites []suite `json:"suites" validate:"required,min=1,max=10,dive" doc:"Suites données" article:"CASF L226-4 I"`
	Texte  string  `json:"texte,omitempty" validate:"omitempty,nonblanc,max=10000" doc:"Observations"`
	envoi
}

// suite is one follow-up, with its date.
type suite struct {
	Suite   string       `json:"suite" validate:"required,oneof=saisine_juge opp enquete_penale soit_transmis classement transmis_autre_parquet" doc:"Suite" article:"CASF L226-4 I"`
	Date    string       `json:"date" validate:"required,jour" doc:"Date" article:"CASF L226-4 I"`
	Motif   string       `json:"motif,omitempty" validate:"omitempty,nonblanc,max=2000" doc:"Motif"`
	Parquet *institution `json:"parquet,omitempty" doc:"Parquet destinataire"`
}
