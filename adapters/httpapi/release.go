package httpapi

import (
	"errors"
	"net/http"

	"vaguemestre/broker"
)

// parseRelease reads the JSON by which a person lets a withheld pli through.
func parseRelease(text []byte) (broker.Release, []fault) {
	var faults []fault
	o := parseObject(text, &faults, "actor", "reason")
	if len(o.members) == 0 && len(faults) > 0 {
		return broker.Release{}, faults
	}
	return broker.Release{Actor: parseActor(o), Basis: broker.Declared, Reason: o.text("reason", true)}, faults
}

// release lets a withheld pli through, in the name of a person who telephoned
// its sender. It is on Local only: what is withheld is for a person.
func (a *API) release(x *exchange) error {
	if a.draining.Load() {
		return newProblem(CodeDraining).retry(retrySpace)
	}
	if _, _, err := mediaType(x.r, typeJSON); err != nil {
		return err
	}
	s, err := a.visible(x)
	if err != nil {
		return err
	}
	text, err := readAll(x.r.Body, maxAct)
	if err != nil {
		return err
	}
	said, faults := parseRelease(text)
	if len(faults) > 0 {
		return newProblem(CodeInvalid).with(faults...)
	}
	said.ID, said.Party = s.Header.ID, x.caller.party
	done, repeated, err := a.o.Broker.Release(x.r.Context(), said)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if repeated {
		status = http.StatusOK
	}
	return x.answer(status, actView{Event: broker.Consigned, Digest: done.Digest, Evidence: done.Evidence, Signature: string(done.Sig), Repeated: repeated})
}

// releaseDetail is what was said of a pli that was let through; nil when it was
// not withheld, or the reason is erased.
func (a *API) releaseDetail(x *exchange, e broker.Evidence) (*detailView, error) {
	if e.Event != broker.Consigned || e.Recipient != x.caller.party {
		return nil, nil
	}
	d, err := a.o.Broker.Released(x.r.Context(), e.ID, e.Recipient)
	if errors.Is(err, broker.ErrNotFound) || err == nil && d == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newDetailView(*d), nil
}
