package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// HeaderKey is the header of a submission by which it is known again.
const HeaderKey = "Idempotency-Key"

const (
	typeJSON = "application/json"
	typeForm = "multipart/form-data"

	maxKey   = 200     // characters of an Idempotency-Key
	overhead = 1 << 20 // bytes of boundaries and part headers
)

// receipt is the answer to a submission.
type receipt struct {
	ID           string  `json:"id"`
	Thread       string  `json:"thread,omitempty"` // absent once the content of a repeated submission was erased
	HeaderSHA256 string  `json:"header_sha256"`
	Deposit      []byte  `json:"deposit"`
	DepositSig   string  `json:"deposit_sig"`
	Reserves     []fault `json:"reserves"`
	Repeated     bool    `json:"repeated"`
}

// submit takes a message to the commit point of the broker.
func (a *API) submit(x *exchange) error {
	key, err := idempotencyKey(x.r, true)
	if err != nil {
		return err
	}
	form, boundary, err := mediaType(x.r, typeJSON, typeForm)
	if err != nil {
		return err
	}
	most := int64(maxMessage)
	if form == typeForm {
		most += a.o.MaxBody + overhead
	}
	if err := declaredLength(x.r, most); err != nil {
		return err
	}
	sub := broker.Submission{From: x.caller.party, Basis: broker.Declared, Key: key}
	if form == typeForm {
		err = readForm(x, boundary, &sub, a.still)
	} else {
		var text []byte
		if text, err = readAll(x.r.Body, maxMessage); err == nil {
			err = a.still(x)
		}
		if err == nil {
			err = fill(&sub, text)
		}
	}
	if err != nil {
		return err
	}
	r, err := a.o.Broker.Accept(x.r.Context(), sub)
	if err != nil {
		return err
	}
	x.id = r.ID
	out := receipt{
		ID: r.ID, Thread: r.Thread, HeaderSHA256: r.HeaderSHA256, Deposit: r.Deposit, DepositSig: string(r.DepositSig),
		Reserves: []fault{}, Repeated: r.Repeated,
	}
	for _, f := range r.Reserves {
		path := "document." + f.Path
		if f.Path == schemas.ReplyPath {
			path = f.Path
		}
		out.Reserves = append(out.Reserves, fault{path, f.Code, f.Message})
	}
	x.w.Header().Set("Location", "/v1/messages/"+r.ID)
	status := http.StatusCreated
	if r.Repeated {
		status = http.StatusOK
	}
	return x.answer(status, out)
}

// fill reads the JSON of a message into a submission.
func fill(sub *broker.Submission, text []byte) error {
	m, faults := parseMessage(text)
	if len(faults) > 0 {
		return newProblem(CodeInvalid).with(faults...)
	}
	sub.Kind, sub.To, sub.Cc, sub.Urgency = m.kind, m.to, m.cc, m.urgency
	sub.Thread, sub.ReplyTo, sub.Actor, sub.Document = m.thread, m.replyTo, m.actor, m.document
	return nil
}

// readForm reads the first part of a form and prepares the others, which the
// broker reads when it seals. still is asked at the end of the form.
func readForm(x *exchange, boundary string, sub *broker.Submission, still func(*exchange) error) error {
	u := newUpload(x.r.Body, boundary)
	u.still = func() error { return still(x) }
	text, err := u.message()
	if err != nil {
		return err
	}
	if err := fill(sub, text); err != nil {
		return err
	}
	doc, err := schemas.Parse(sub.Kind, sub.Document)
	var invalid *schemas.InvalidError
	if errors.As(err, &invalid) {
		return nil // the broker says so, and journals that it refused
	}
	if err != nil {
		return err
	}
	sub.Pieces = u.pieces(len(doc.Pieces()))
	if len(sub.Pieces) == 0 {
		return u.end()
	}
	return nil
}

// idempotencyKey reads the key of a request.
func idempotencyKey(r *http.Request, mandatory bool) (string, error) {
	given := r.Header.Values(HeaderKey)
	if len(given) == 0 && !mandatory {
		return "", nil
	}
	wrong := newProblem(CodeRequest).hint("the header " + HeaderKey + " holds one fresh key, 1 to 200 printable ASCII characters without space: repeat with the same one after a lost answer")
	if len(given) != 1 || given[0] == "" || len(given[0]) > maxKey {
		return "", wrong
	}
	for _, c := range []byte(given[0]) {
		if c <= ' ' || c > '~' {
			return "", wrong
		}
	}
	return given[0], nil
}

// mediaType says of which of some types the body is.
func mediaType(r *http.Request, accepted ...string) (form, boundary string, err error) {
	given := r.Header.Values("Content-Type")
	if len(given) != 1 || len(r.Header.Values("Content-Encoding")) > 0 {
		return "", "", newProblem(CodeMediaType)
	}
	form, params, err := mime.ParseMediaType(given[0])
	if err != nil || !slices.Contains(accepted, form) {
		return "", "", newProblem(CodeMediaType)
	}
	if form == typeForm && params["boundary"] == "" {
		return "", "", newProblem(CodeMediaType).hint("multipart/form-data wants a boundary")
	}
	return form, params["boundary"], nil
}

// declaredLength judges the size of a body by what the caller says of it.
func declaredLength(r *http.Request, most int64) error {
	switch {
	case r.ContentLength < 0:
		return newProblem(CodeLength)
	case r.ContentLength > most:
		return newProblem(CodeTooLarge)
	}
	return nil
}

// readAll reads a small body.
func readAll(r io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, uploadProblem(err)
	}
	if int64(len(text)) > most {
		return nil, newProblem(CodeTooLarge)
	}
	return text, nil
}
