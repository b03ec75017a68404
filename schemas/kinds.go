package schemas

import "slices"

// Kind names a kind of document. The value travels in inner.json and nowhere
// in clear.
type Kind string

// The kinds, in the order of the table.
const (
	Signalement       Kind = "signalement"
	RecueilProvisoire Kind = "recueil_provisoire"
	OPP               Kind = "opp"
	FinOPP            Kind = "fin_opp"
	Requete           Kind = "requete"
	Decision          Kind = "decision"
	Incident          Kind = "incident"
	SoitTransmis      Kind = "soit_transmis"
	Suites            Kind = "suites"
	Transmission      Kind = "transmission"
)

// Role is what an institution is in child protection.
type Role string

// The four roles.
const (
	RoleASE     Role = "ase"     // aide sociale à l'enfance, with its CRIP
	RoleParquet Role = "parquet" // procureur de la République, parquet des mineurs
	RoleJuge    Role = "juge"    // juge des enfants and greffe
	RoleService Role = "service" // service or association habilitée
)

// Row is all that the program knows of one kind. A new kind is one row, its
// struct, its texts and its tests.
type Row struct {
	Kind     Kind
	Schema   string   // name and version, "signalement/1"
	Label    string   // French, for titles
	Routes   []Route  // who may send it to whom
	Urgency  string   // default, U0, U1 or U2; see Document.Urgency
	Answers  []Kind   // kinds that may answer it in the same thread
	ClosedBy []string // events of acts after which nothing more is expected
}

// Route allows one role to send a kind to another.
type Route struct {
	From, To Role
	Copy     bool   // only as a copy (cc); a false row allows both to and cc
	Article  string // the text that founds it, "CASF L226-4 I"
}

// table is THE table of kinds (reference: CASF, code civil and CPC, articles
// named on each row). It is never written to after its initialisation.
var table = [...]Row{
	{
		Kind: Signalement, Schema: "signalement/1", Label: "Signalement", Urgency: "U1",
		Routes: []Route{
			{RoleASE, RoleParquet, false, "CASF L226-4 I"},
			{RoleService, RoleParquet, false, "CASF L226-4 II"},
			{RoleService, RoleASE, true, "CASF L226-4 II"}, // copy to the PCD is due
			{RoleASE, RoleJuge, true, "CASF L221-4"},       // a judge who already follows the child
		},
		Answers:  []Kind{OPP, Requete, SoitTransmis, Suites, Transmission},
		ClosedBy: []string{"taken_in_charge", "returned"},
	},
	{
		Kind: RecueilProvisoire, Schema: "recueil_provisoire/1", Label: "Avis de recueil en urgence", Urgency: "U0",
		Routes: []Route{
			{RoleASE, RoleParquet, false, "CASF L223-2"}, // al. 2 and 5
		},
		Answers:  []Kind{Signalement, OPP, Requete, SoitTransmis, Suites, Transmission},
		ClosedBy: []string{"taken_in_charge", "returned"},
	},
	{
		Kind: OPP, Schema: "opp/1", Label: "Ordonnance de placement provisoire", Urgency: "U0",
		Routes: []Route{
			{RoleParquet, RoleASE, false, "C. civ. 375-5 al. 2"},
			{RoleParquet, RoleService, false, "C. civ. 375-5 al. 2"},
			{RoleParquet, RoleJuge, true, "C. civ. 375-5 al. 2"},
			{RoleParquet, RoleParquet, true, "CPC 1181"}, // found here, lives there
		},
		Answers:  []Kind{FinOPP, Requete, Incident, Suites, Transmission},
		ClosedBy: []string{"executed", "not_executed", "returned"},
	},
	{
		// To all who may have had the OPP.
		Kind: FinOPP, Schema: "fin_opp/1", Label: "Fin d'une ordonnance de placement provisoire", Urgency: "U0",
		Routes: []Route{
			{RoleParquet, RoleASE, false, "C. civ. 375-5 al. 2"},
			{RoleParquet, RoleService, false, "C. civ. 375-5 al. 2"},
			{RoleParquet, RoleJuge, true, "C. civ. 375-5 al. 2"},
			{RoleParquet, RoleParquet, true, "CPC 1181"},
		},
		Answers:  []Kind{Signalement, Transmission},
		ClosedBy: []string{"executed", "not_executed", "returned"},
	},
	{
		Kind: Requete, Schema: "requete/1", Label: "Requête en assistance éducative", Urgency: "U1",
		Routes: []Route{
			{RoleParquet, RoleJuge, false, "C. civ. 375 al. 1"},
			// Only the person or service to whom the child is already confided.
			{RoleASE, RoleJuge, false, "C. civ. 375 al. 1"},
			{RoleService, RoleJuge, false, "C. civ. 375 al. 1"},
			{RoleParquet, RoleASE, true, "CASF L226-4 I"},
			{RoleASE, RoleParquet, true, "CPC 1182"},
			{RoleService, RoleParquet, true, "CPC 1182"},
		},
		Answers:  []Kind{Decision, Transmission},
		ClosedBy: []string{"registered", "returned"},
	},
	{
		Kind: Decision, Schema: "decision/1", Label: "Décision du juge des enfants", Urgency: "U1",
		Routes: []Route{
			{RoleJuge, RoleASE, false, "CPC 1190"},
			{RoleJuge, RoleService, false, "CPC 1190"},
			{RoleJuge, RoleParquet, false, "CPC 1190"}, // avis au parquet
		},
		Answers:  []Kind{Requete, Incident, Suites, Transmission},
		ClosedBy: []string{"registered", "taken_in_charge", "executed", "not_executed", "returned"},
	},
	{
		Kind: Incident, Schema: "incident/1", Label: "Incident", Urgency: "U1",
		Routes: []Route{
			{RoleASE, RoleJuge, false, "CPC 1199-1"},
			{RoleService, RoleJuge, false, "CPC 1199-1"},
			// The parquet in copy, by custom; as an addressee while no judge is
			// seized of the OPP, or where there is an offence.
			{RoleASE, RoleParquet, false, "CPP 40 al. 2"},
			{RoleService, RoleParquet, false, "CASF L226-4 II"},
			{RoleService, RoleASE, false, "CASF L331-8-1"},
		},
		Answers:  []Kind{Requete, Decision, SoitTransmis, Suites, Transmission},
		ClosedBy: []string{"registered", "taken_in_charge", "returned"},
	},
	{
		Kind: SoitTransmis, Schema: "soit_transmis/1", Label: "Soit-transmis", Urgency: "U2",
		Routes: []Route{
			{RoleParquet, RoleASE, false, "CASF L226-3"},
		},
		Answers:  []Kind{Signalement, Transmission},
		ClosedBy: []string{"registered", "taken_in_charge", "returned"},
	},
	{
		Kind: Suites, Schema: "suites/1", Label: "Suites données", Urgency: "U2",
		Routes: []Route{
			{RoleParquet, RoleASE, false, "CASF L226-4 I"},
			{RoleParquet, RoleService, false, "CPP 40-2"},
			{RoleParquet, RoleJuge, true, "CASF L226-4 I"},
		},
		Answers:  []Kind{Signalement, Transmission},
		ClosedBy: []string{"registered", "taken_in_charge", "returned"},
	},
	{
		Kind: Transmission, Schema: "transmission/1", Label: "Transmission", Urgency: "U2",
		Routes: []Route{
			{RoleASE, RoleParquet, false, "CASF L226-4 I"},
			{RoleASE, RoleJuge, false, "CASF L221-4, CPC 1199-1"},
			{RoleASE, RoleService, false, "CASF L226-2-2"},
			{RoleASE, RoleASE, false, "CASF L221-3"}, // family moved to another département
			{RoleParquet, RoleASE, false, "CASF L226-3"},
			{RoleParquet, RoleJuge, false, "CPC 1187"},
			{RoleParquet, RoleService, false, "CASF L226-4 II"},
			{RoleParquet, RoleParquet, false, "C. civ. 375-5 al. 2"}, // soit-transmis
			{RoleJuge, RoleASE, false, "CASF L221-4"},
			{RoleJuge, RoleParquet, false, "CPC 1187"},
			{RoleJuge, RoleService, false, "CPC 1199-1"},
			{RoleJuge, RoleJuge, false, "CPC 1181"}, // dessaisissement
			{RoleService, RoleASE, false, "CASF L226-2-1"},
			{RoleService, RoleParquet, false, "CASF L226-4 II"},
			{RoleService, RoleJuge, false, "CPC 1199-1"},
		},
		Answers:  []Kind{Signalement, RecueilProvisoire, OPP, FinOPP, Requete, Decision, Incident, SoitTransmis, Suites, Transmission},
		ClosedBy: []string{"registered", "taken_in_charge", "executed", "not_executed", "returned"},
	},
}

// Kinds returns every row, in a fixed order. The caller owns the copy.
func Kinds() []Row {
	rows := make([]Row, len(table))
	for i := range table {
		rows[i] = table[i].clone()
	}
	return rows
}

// Lookup returns the row of a kind, or false if there is no such kind.
func Lookup(k Kind) (Row, bool) {
	if r := find(k); r != nil {
		return r.clone(), true
	}
	return Row{}, false
}

func find(k Kind) *Row {
	for i := range table {
		if table[i].Kind == k {
			return &table[i]
		}
	}
	return nil
}

func (r *Row) clone() Row {
	c := *r
	c.Routes = slices.Clone(r.Routes)
	c.Answers = slices.Clone(r.Answers)
	c.ClosedBy = slices.Clone(r.ClosedBy)
	return c
}

// Allowed tells whether a role may send a kind to another, as an addressee or
// as a copy, and by which article. Whoever may be asked to act may also be
// merely informed: a row for addressees allows copies.
func Allowed(k Kind, from, to Role, copy bool) (article string, ok bool) {
	r := find(k)
	if r == nil {
		return "", false
	}
	for _, route := range r.Routes {
		if route.From != from || route.To != to {
			continue
		}
		if copy || !route.Copy {
			return route.Article, true
		}
	}
	return "", false
}

// hint is a refused direction for which a precise advice exists. An empty
// role stands for any.
type hint struct {
	kind     Kind
	from, to Role
	text     string
}

// gardien names the two lawful ways to the judge of the service to which the
// child is confided.
const gardien = "Le service à qui l'enfant est confié a deux voies vers le juge : la requête (requete, C. civ. 375 al. 1) et l'incident (incident, CPC 1199-1), avec « qualite: service_gardien », la mesure en cours (mesure_en_cours) et le parquet en copie."

var hints = [...]hint{
	{Signalement, RoleASE, RoleJuge, "Adressez le signalement au procureur de la République (CASF L226-4 I) ; le juge des enfants ne peut être mis qu'en copie. " + gardien},
	{Signalement, RoleService, RoleJuge, "Adressez le signalement au procureur de la République, avec copie au président du conseil départemental (CASF L226-4 II). " + gardien},
	{Signalement, RoleService, RoleASE, "Une information préoccupante va à la CRIP par une transmission (CASF L226-2-1) ; un signalement va au parquet, avec copie à l'ASE (CASF L226-4 II)."},
	{Signalement, RoleASE, RoleASE, "Pour informer un autre département, faites une transmission (CASF L221-3) ; le signalement va au parquet (CASF L226-4 I)."},
	{Signalement, RoleParquet, RoleParquet, "Utilisez « Réorienter » ou une transmission vers le parquet compétent : le signalement d'origine garde sa date."},
	{Signalement, RoleParquet, "", "Le parquet reçoit les signalements ; pour saisir le juge des enfants, faites une requête (C. civ. 375 al. 1) ; pour interroger la CRIP, un soit-transmis (CASF L226-3)."},
	{Signalement, RoleJuge, "", "Le juge des enfants peut se saisir d'office (C. civ. 375 al. 1) ; pour informer le parquet, faites une transmission (CPC 1187)."},
	{Signalement, "", "", "Le signalement va au procureur de la République (CASF L226-4) ; pour informer un service, faites une transmission (CASF L226-2-2)."},
	{RecueilProvisoire, RoleASE, RoleJuge, "Avisez le procureur de la République (CASF L223-2) ; pour informer le juge qui suit déjà l'enfant, faites une transmission (CASF L221-4)."},
	{RecueilProvisoire, RoleASE, "", "L'avis de recueil va au procureur de la République (CASF L223-2) ; pour informer un service, faites une transmission (CASF L226-2-2)."},
	{RecueilProvisoire, RoleParquet, "", "C'est l'ASE qui avise le parquet d'un recueil (CASF L223-2) ; pour lui confier l'enfant, faites une OPP (C. civ. 375-5 al. 2)."},
	{RecueilProvisoire, "", "", "Seule l'ASE recueille un enfant sans l'accord du représentant légal (CASF L223-2) ; pour un enfant en danger, faites un signalement au parquet (CASF L226-4)."},
	{FinOPP, RoleJuge, "", "Le juge saisi maintient, modifie ou rapporte la mesure par une décision (C. civ. 375-5 al. 2) : choisissez le type « décision »."},
	{FinOPP, RoleParquet, RoleJuge, "La fin de l'OPP va au service à qui l'enfant est confié ; le juge peut être mis en copie (C. civ. 375-5 al. 2)."},
	{FinOPP, RoleParquet, RoleParquet, "La fin de l'OPP va au service à qui l'enfant est confié ; l'autre parquet peut être mis en copie."},
	{FinOPP, "", "", "Seul le procureur lève son OPP, tant que le juge n'est pas saisi (C. civ. 375-5 al. 2) : demandez-le-lui par une transmission, ou au juge saisi par une requête (C. civ. 375 al. 1)."},
	{OPP, RoleJuge, "", "Le placement provisoire ordonné par le juge (C. civ. 375-5 al. 1) est une décision : choisissez le type « décision »."},
	{OPP, RoleASE, "", "Seul le procureur ou le juge ordonne un placement provisoire (C. civ. 375-5) : demandez-le par un signalement au parquet (CASF L226-4 I)."},
	{OPP, RoleService, "", "Seul le procureur ou le juge ordonne un placement provisoire (C. civ. 375-5) : demandez-le par un signalement au parquet (CASF L226-4 II)."},
	{OPP, RoleParquet, RoleJuge, "L'ordonnance va au service à qui l'enfant est confié ; le juge en reçoit copie et il est saisi par une requête dans les huit jours (C. civ. 375-5 al. 2)."},
	{OPP, RoleParquet, RoleParquet, "L'ordonnance va au service à qui l'enfant est confié ; l'autre parquet peut être mis en copie."},
	{Requete, RoleParquet, "", "La requête va au juge des enfants (C. civ. 375 al. 1) ; l'ASE peut être mise en copie."},
	{Requete, RoleJuge, "", "Le juge des enfants reçoit les requêtes ; pour se dessaisir, faites une transmission au juge compétent (CPC 1181)."},
	{Requete, "", "", "La requête va au juge des enfants (C. civ. 375 al. 1) ; pour le parquet, faites un signalement (CASF L226-4)."},
	{Decision, RoleParquet, "", "Le parquet ne rend pas de décision d'assistance éducative : en urgence, choisissez « OPP » (C. civ. 375-5 al. 2) ; pour rendre compte, « suites » (CASF L226-4 I)."},
	{Decision, RoleJuge, RoleJuge, "Pour transmettre un dossier au juge compétent, faites une transmission (CPC 1181)."},
	{Decision, "", "", "Seul le greffe du juge des enfants transmet une décision (CPC 1190) ; pour envoyer une pièce, faites une transmission."},
	{Incident, RoleASE, "", "L'incident va au juge des enfants (CPC 1199-1), le parquet en copie ; pour informer un service, faites une transmission (CASF L226-2-2)."},
	{Incident, RoleService, "", "L'incident va au juge des enfants (CPC 1199-1), le parquet et l'ASE en copie."},
	{Incident, "", "", "Seul le service à qui l'enfant est confié avise d'un incident (CPC 1199-1) ; pour demander ce qui s'est passé, le parquet fait un soit-transmis (CASF L226-3), le juge une transmission (CASF L221-4)."},
	{SoitTransmis, RoleParquet, RoleParquet, "Entre parquets, utilisez « Réorienter » ou une transmission : le pli d'origine garde sa date."},
	{SoitTransmis, RoleParquet, "", "Le soit-transmis interroge l'ASE et sa CRIP (CASF L226-3) ; pour saisir le juge, faites une requête (C. civ. 375 al. 1) ; pour le reste, une transmission."},
	{SoitTransmis, RoleJuge, "", "Le juge des enfants demande des renseignements par une transmission (CASF L221-4)."},
	{SoitTransmis, "", "", "Seul le parquet fait un soit-transmis (CASF L226-3) ; pour répondre ou transmettre, faites une transmission."},
	{Suites, RoleParquet, RoleJuge, "Les suites vont au président du conseil départemental (CASF L226-4 I) ; pour saisir le juge, faites une requête (C. civ. 375 al. 1)."},
	{Suites, RoleParquet, RoleParquet, "Les suites vont au service qui a signalé (CASF L226-4 I) ; entre parquets, faites une transmission."},
	{Suites, "", "", "Seul le parquet fait connaître les suites d'un signalement (CASF L226-4 I) ; faites une transmission."},
	{Transmission, RoleService, RoleService, "Entre services, passez par l'ASE ou par le juge qui a confié la mesure (CASF L226-2-2)."},
}

// Hint says in French what to do instead when Allowed refuses. It returns an
// empty string for a direction that is allowed as an addressee.
func Hint(k Kind, from, to Role) string {
	if _, ok := Allowed(k, from, to, false); ok {
		return ""
	}
	if find(k) == nil {
		return sentences[codeTypeInconnu]
	}
	for _, h := range hints {
		if h.kind == k && (h.from == "" || h.from == from) && (h.to == "" || h.to == to) {
			return h.text
		}
	}
	return "Cet envoi n'est prévu par aucun texte : vérifiez le destinataire et le type du pli."
}
