package httpapi

import (
	"errors"
	"net/http"

	"vaguemestre/broker"
)

// actView is the signed answer to an act.
type actView struct {
	Event     broker.Event `json:"event"`
	Digest    string       `json:"digest"`
	Evidence  []byte       `json:"evidence"`
	Signature string       `json:"signature"`
	Repeated  bool         `json:"repeated"`
}

// act says what becomes of a pli, in the name of a person whom the application
// names: its basis is declared, always.
func (a *API) act(x *exchange) error {
	if _, err := idempotencyKey(x.r, false); err != nil {
		return err
	}
	if _, _, err := mediaType(x.r, typeJSON); err != nil {
		return err
	}
	if err := declaredLength(x.r, maxAct); err != nil {
		return err
	}
	s, err := a.visible(x)
	if err != nil {
		return err
	}
	text, err := readAll(x.r.Body, maxAct)
	if err == nil {
		err = a.still(x)
	}
	if err != nil {
		return err
	}
	said, faults := parseAct(text)
	if len(faults) > 0 {
		return newProblem(CodeInvalid).with(faults...)
	}
	said.ID, said.Party = s.Header.ID, x.caller.party
	if !sayable(said.Event) {
		return newProblem(CodeRefused).with(fault{"event", broker.RefusedEvent, broker.ExplainCode(broker.RefusedEvent)}).
			hint("one of: opened, registered, taken_in_charge, executed, not_executed, returned")
	}
	done, err := a.o.Broker.Acknowledge(x.r.Context(), said)
	if errors.Is(err, broker.ErrAlready) {
		return a.repeated(x, said)
	}
	if err != nil {
		return err
	}
	return x.answer(http.StatusCreated, actView{Event: said.Event, Digest: done.Digest, Evidence: done.Evidence, Signature: string(done.Sig)})
}

// sayable lists what may be said here: the acts, and that a person opened. That
// a machine fetched is recorded by fetching, and a redirection is a new pli.
func sayable(e broker.Event) bool {
	row, ok := broker.LookupEvent(e)
	return ok && (row.Act || e == broker.Opened)
}

// repeated answers an act that the party said before: with the evidence of
// then if it was the same, whoever asks again after a lost answer.
func (a *API) repeated(x *exchange, said broker.Act) error {
	d, err := a.o.Broker.Dossier(said.ID)
	if err != nil {
		return err
	}
	for _, e := range d.Evidences {
		if e.Evidence.Event != said.Event || e.Evidence.Recipient != said.Party || e.Evidence.By != string(said.Party) || e.Sealed == nil {
			continue
		}
		o, err := a.o.Broker.OpenEvidence(x.r.Context(), e.Sealed, said.Party)
		if err != nil {
			return err
		}
		if !sameAct(o.Detail, said) {
			break
		}
		return x.answer(http.StatusOK, actView{Event: said.Event, Digest: broker.Digest(e.Bytes), Evidence: e.Bytes, Signature: string(e.Sig), Repeated: true})
	}
	return newProblem(CodeAlready)
}

func sameAct(d broker.Detail, a broker.Act) bool {
	done := ""
	if !a.DoneAt.IsZero() {
		done = broker.FormatTime(a.DoneAt)
	}
	return d.Actor == a.Actor && d.Basis == a.Basis && d.DoneAt == done && d.ReasonCode == a.ReasonCode &&
		d.Number == a.Number && d.Reason == a.Reason && d.Place == a.Place
}
