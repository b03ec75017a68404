package httpapi

import (
	"slices"
	"time"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// message is the JSON of POST /v1/messages.
type message struct {
	kind            schemas.Kind
	to, cc          []broker.PartyID
	urgency         broker.Urgency
	thread, replyTo string
	actor           broker.Actor
	document        schemas.Plain // the very bytes of the member "document"
}

const (
	maxDocument = 1 << 20              // bytes of a document: what schemas reads
	maxMessage  = maxDocument + 64<<10 // bytes of the JSON around it
	maxListed   = 64                   // recipients that are read at all
)

// parseMessage reads the JSON of a message. What it means (who may send what
// to whom, the document itself) is judged by the broker.
func parseMessage(text []byte) (message, []fault) {
	var faults []fault
	o := parseObject(text, &faults, "kind", "to", "cc", "urgency", "thread", "in_reply_to", "actor", "document")
	if len(o.members) == 0 && len(faults) > 0 {
		return message{}, faults
	}
	m := message{
		kind: schemas.Kind(o.text("kind", true)),
		to:   parties(o.texts("to", true, maxListed)), cc: parties(o.texts("cc", false, maxListed)),
		urgency: broker.Urgency(o.text("urgency", false)),
		thread:  o.text("thread", false), replyTo: o.text("in_reply_to", false),
		actor: parseActor(o),
	}
	if raw := o.raw("document", true); raw != nil && raw[0] != '{' {
		o.fault("document", faultType)
	} else {
		m.document = schemas.NewPlain(slices.Clone([]byte(raw)))
	}
	return m, faults
}

func parties(list []string) []broker.PartyID {
	out := make([]broker.PartyID, 0, len(list))
	for _, s := range list {
		out = append(out, broker.PartyID(s))
	}
	return out
}

func parseActor(o *object) broker.Actor {
	a := o.object("actor", true, "name", "function")
	if _, given := o.members["actor"]; !given {
		return broker.Actor{} // one fault is enough
	}
	return broker.Actor{Name: a.text("name", true), Function: a.text("function", false)}
}

const maxAct = 128 << 10 // bytes of the JSON of an act

// parseAct reads the JSON of an act.
func parseAct(text []byte) (broker.Act, []fault) {
	var faults []fault
	o := parseObject(text, &faults, "event", "actor", "done_at", "number", "reason_code", "reason", "place")
	if len(o.members) == 0 && len(faults) > 0 {
		return broker.Act{}, faults
	}
	a := broker.Act{
		Event: broker.Event(o.text("event", true)), Actor: parseActor(o), Basis: broker.Declared,
		Number: o.text("number", false), ReasonCode: o.text("reason_code", false), Reason: o.text("reason", false), Place: o.text("place", false),
	}
	if done := o.text("done_at", false); done != "" {
		at, err := time.Parse(time.RFC3339, done)
		if err != nil {
			o.fault("done_at", faultFormat)
		}
		a.DoneAt = at
	}
	return a, faults
}

// asked is the JSON by which the operator asks for a token.
type asked struct {
	application string
	party       broker.PartyID
	rights      []broker.Right
	expires     time.Time // zero: never
}

func parseAsked(text []byte) (asked, []fault) {
	var faults []fault
	o := parseObject(text, &faults, "application", "party", "rights", "expires")
	if len(o.members) == 0 && len(faults) > 0 {
		return asked{}, faults
	}
	a := asked{application: o.text("application", true), party: broker.PartyID(o.text("party", true))}
	for _, r := range o.texts("rights", true, maxListed) {
		a.rights = append(a.rights, broker.Right(r))
	}
	if s := o.text("expires", false); s != "" {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			o.fault("expires", faultFormat)
		}
		a.expires = at
	}
	return a, faults
}
