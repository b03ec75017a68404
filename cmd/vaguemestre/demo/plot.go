package demo

import (
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// The places and parties of the story.
const (
	Nord    broker.BrokerID = "courrier-nord"
	Justice broker.BrokerID = "courrier-justice-lille"

	ase     broker.PartyID = "ase-59"
	parquet broker.PartyID = "parquet-lille"
	juge    broker.PartyID = "je-lille"
	nuit    broker.PartyID = "parquet-lille-nuit"
)

// silence is the patience of the party that leaves a U0 unanswered, so that
// the demonstration need not last a quarter of an hour.
const silence = time.Second

// cast is the world of wiring.Lille and one more mailbox: the night duty of
// the parquet. It alone has a short patience. The parquet itself keeps its
// quarter of an hour: were its patience a second too, the first signalement
// would be overdue on a machine that takes a second to answer it, and the
// timeline would differ from one run to the next.
func cast() ([]directory.Broker, []directory.Party) {
	brokers, parties := wiring.Lille()
	return brokers, append(parties, directory.Party{
		ID: nuit, Role: directory.RoleParquet, Institution: "Tribunal judiciaire de Lille", Departement: "59",
		Home: directory.BrokerID(Justice), Telephone: "+33 3 99 99 00 19", Patience: directory.Patience{U0: silence},
	})
}

// letter is one pli to deposit.
type letter struct {
	paper    string   // file of the document
	pieces   []string // files of its pieces, in its order
	kind     schemas.Kind
	from     broker.PartyID
	to, cc   []broker.PartyID
	urgency  broker.Urgency // "" is that of the document
	answers  int            // number of the pli that it answers, in the same thread; 0 opens a situation
	actor    broker.Actor
	unopened bool // nobody answers: the scene ends when it is overdue at both ends
}

// gesture is one act of a person on a pli.
type gesture struct {
	party  broker.PartyID
	event  broker.Event
	actor  broker.Actor
	number string
	reason string
	place  string
}

// scene is a letter or a gesture; exactly one is set.
type scene struct {
	pli     int // number of the pli, from 1
	letter  *letter
	gesture *gesture
}

// The persons of the story, as plainly fictitious as those of the papers.
func astreinte() broker.Actor {
	return broker.Actor{Name: "MODÈLE Alix", Function: "inspectrice enfance, astreinte"}
}
func greffiere() broker.Actor {
	return broker.Actor{Name: "GABARIT Sacha", Function: "greffière, parquet des mineurs"}
}
func greffier() broker.Actor {
	return broker.Actor{Name: "ÉCHANTILLON Charlie", Function: "greffier du juge des enfants"}
}

// plot is the whole story, in order.
func plot() []scene {
	people := func(p ...broker.PartyID) []broker.PartyID { return p }
	pdf := func(names ...string) []string {
		for i, n := range names {
			names[i] = "pdf/" + n + ".pdf"
		}
		return names
	}
	act := func(n int, p broker.PartyID, e broker.Event, a broker.Actor) scene {
		return scene{pli: n, gesture: &gesture{party: p, event: e, actor: a}}
	}
	registered := func(n int, p broker.PartyID, a broker.Actor, number string) scene {
		return scene{pli: n, gesture: &gesture{party: p, event: broker.Registered, actor: a, number: number}}
	}
	return []scene{
		{pli: 1, letter: &letter{paper: "01-signalement.json", pieces: pdf("rapport", "certificat"), kind: schemas.Signalement, from: ase, to: people(parquet), urgency: broker.U0, actor: astreinte()}},
		act(1, parquet, broker.Opened, greffiere()),
		{pli: 1, gesture: &gesture{party: parquet, event: broker.TakenInCharge, actor: greffiere(), reason: "OPP en cours de rédaction"}},

		{pli: 2, letter: &letter{paper: "02-opp.json", pieces: pdf("ordonnance"), kind: schemas.OPP, from: parquet, to: people(ase), cc: people(juge), urgency: broker.U0, answers: 1, actor: greffiere()}},
		act(2, ase, broker.Opened, astreinte()),
		{pli: 2, gesture: &gesture{party: ase, event: broker.Executed, actor: astreinte(), place: "Ville-Exemple"}},

		{pli: 3, letter: &letter{paper: "03-requete.json", pieces: pdf("requete", "ordonnance"), kind: schemas.Requete, from: parquet, to: people(juge), cc: people(ase), answers: 2, actor: greffiere()}},
		act(3, juge, broker.Opened, greffier()),
		registered(3, juge, greffier(), "B26/FICTIF/0099"),

		{pli: 4, letter: &letter{paper: "04-decision.json", pieces: pdf("decision"), kind: schemas.Decision, from: juge, to: people(ase, parquet), answers: 3, actor: greffier()}},
		act(4, ase, broker.Opened, astreinte()),
		act(4, ase, broker.TakenInCharge, astreinte()),
		act(4, parquet, broker.Opened, greffiere()),
		registered(4, parquet, greffiere(), "26-FICTIF-324-17"),

		{pli: 5, letter: &letter{paper: "05-suites.json", kind: schemas.Suites, from: parquet, to: people(ase), answers: 1, actor: greffiere()}},
		act(5, ase, broker.Opened, astreinte()),
		act(5, ase, broker.TakenInCharge, astreinte()),

		{pli: 6, letter: &letter{paper: "06-signalement-sans-reponse.json", pieces: pdf("note"), kind: schemas.Signalement, from: ase, to: people(nuit), urgency: broker.U0, actor: astreinte(), unopened: true}},
		act(6, nuit, broker.Opened, greffiere()),
		act(6, nuit, broker.TakenInCharge, greffiere()),
	}
}

// fact names one evidence that must be there: an event for a recipient ("" for
// all) of a pli.
type fact struct {
	pli       int
	event     broker.Event
	recipient broker.PartyID
}

// implied lists the evidences that a scene must leave in the journal of the
// sender's home.
func (s scene) implied() []fact {
	if s.gesture != nil {
		return []fact{{s.pli, s.gesture.event, s.gesture.party}}
	}
	out := []fact{{s.pli, broker.Accepted, ""}}
	for _, list := range [][]broker.PartyID{s.letter.to, s.letter.cc} {
		for _, p := range list {
			out = append(out, fact{s.pli, broker.Consigned, p})
		}
	}
	if s.letter.unopened {
		for _, p := range s.letter.to {
			out = append(out, fact{s.pli, broker.Overdue, p})
		}
	}
	return out
}
