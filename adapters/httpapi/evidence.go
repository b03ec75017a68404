package httpapi

import (
	"errors"

	"vaguemestre/broker"
)

// evidenceFact is what an evidence says in clear: no name, no content.
type evidenceFact struct {
	Digest     string          `json:"digest"`
	Event      broker.Event    `json:"event"`
	Label      string          `json:"label"` // French
	ETSI       string          `json:"etsi"`
	Recipient  broker.PartyID  `json:"recipient"` // "" where it holds for all
	At         string          `json:"at"`
	DoneAt     string          `json:"done_at,omitempty"`
	By         string          `json:"by"`
	Home       broker.BrokerID `json:"home"`
	ReasonCode string          `json:"reason_code,omitempty"`
}

// evidenceView is an evidence whole: its bytes, its signature, the sealed file
// as it travelled, and what it says to those who may know.
type evidenceView struct {
	evidenceFact
	Evidence  []byte      `json:"evidence"`
	Signature string      `json:"signature"`
	Sealed    []byte      `json:"sealed,omitempty"`
	Detail    *detailView `json:"detail,omitempty"`
}

// detailView is what a person said with an act.
type detailView struct {
	Actor        actorView      `json:"actor"`
	Basis        broker.Basis   `json:"basis"`
	Number       string         `json:"number,omitempty"`
	Reason       string         `json:"reason,omitempty"`
	Place        string         `json:"place,omitempty"`
	RedirectedTo broker.PartyID `json:"redirected_to,omitempty"`
	RedirectedID string         `json:"redirected_id,omitempty"`
}

type actorView struct {
	Name     string `json:"name"`
	Function string `json:"function,omitempty"`
}

// seenBy lists the evidences that a party may see, the deposit first: all for
// the sender, and for a recipient its own and what holds for all.
func seenBy(d *broker.Dossier, as broker.PartyID) []broker.DossierEvidence {
	out := []broker.DossierEvidence{}
	if e, err := broker.ParseEvidence(d.Deposit); err == nil {
		out = append(out, broker.DossierEvidence{Evidence: e, Bytes: d.Deposit, Sig: d.DepositSig, Position: d.DepositPosition})
	}
	for _, e := range d.Evidences {
		r := e.Evidence.Recipient
		if as == d.Header.From || r == "" || r == as || e.Evidence.Event == broker.Purged {
			out = append(out, e)
		}
	}
	return out
}

func newFact(e broker.DossierEvidence) evidenceFact {
	row, _ := broker.LookupEvent(e.Evidence.Event)
	return evidenceFact{
		Digest: broker.Digest(e.Bytes), Event: e.Evidence.Event, Label: row.Label, ETSI: row.ETSI, Recipient: e.Evidence.Recipient,
		At: e.Evidence.At, DoneAt: e.Evidence.DoneAt, By: e.Evidence.By, Home: e.Evidence.Home, ReasonCode: e.Evidence.ReasonCode,
	}
}

// evidencesView is the answer of the route.
type evidencesView struct {
	ID           string         `json:"id"`
	Header       []byte         `json:"header"`
	HeaderSig    string         `json:"header_sig"`
	HeaderSHA256 string         `json:"header_sha256"`
	Items        []evidenceView `json:"items"`
}

// evidences gives the signed facts about one pli, with their bytes.
func (a *API) evidences(x *exchange) error {
	s, err := a.visible(x)
	if err != nil {
		return err
	}
	d, err := a.o.Broker.Dossier(s.Header.ID)
	if err != nil {
		return err
	}
	out := evidencesView{ID: d.ID, Header: d.HeaderBytes, HeaderSig: string(d.HeaderSig), HeaderSHA256: broker.Digest(d.HeaderBytes), Items: []evidenceView{}}
	for _, e := range seenBy(d, x.caller.party) {
		v := evidenceView{evidenceFact: newFact(e), Evidence: e.Bytes, Signature: string(e.Sig), Sealed: e.Sealed}
		if e.Sealed != nil {
			v.Detail, err = a.detail(x, e.Sealed)
		} else {
			v.Detail, err = a.releaseDetail(x, e.Evidence)
		}
		if err != nil {
			return err
		}
		out.Items = append(out.Items, v)
	}
	return x.answer(200, out)
}

// detail opens a sealed evidence for the party that signed it or the sender of
// the pli: it is sealed to nobody else.
func (a *API) detail(x *exchange, sealed []byte) (*detailView, error) {
	o, err := a.o.Broker.OpenEvidence(x.r.Context(), sealed, x.caller.party)
	if errors.Is(err, broker.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return newDetailView(o.Detail), nil
}

func newDetailView(d broker.Detail) *detailView {
	return &detailView{
		Actor: actorView{d.Actor.Name, d.Actor.Function}, Basis: d.Basis, Number: d.Number, Reason: d.Reason, Place: d.Place,
		RedirectedTo: d.RedirectedTo, RedirectedID: d.RedirectedID,
	}
}
