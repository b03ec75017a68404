package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// problem is a refusal (RFC 9457). It never holds a value that the caller sent.
type problem struct {
	Type   string  `json:"type"` // urn:vaguemestre:problem:<code>
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
	Hint   string  `json:"hint,omitempty"`
	Errors []fault `json:"errors,omitempty"`

	after time.Duration // Retry-After, when not zero
	allow string        // Allow, of a method that is not served
	cause error         // for the log of this broker only
}

// Codes of problems. Programs match them: they never change meaning.
const (
	CodeRequest       = "request_invalid"
	CodeUploadCut     = "upload_cut"
	CodeTokenMissing  = "token_missing"
	CodeTokenInvalid  = "token_invalid"
	CodeRight         = "right_missing"
	CodeMessage       = "message_not_found"
	CodePiece         = "piece_not_found"
	CodeKind          = "kind_not_found"
	CodeToken         = "token_not_found"
	CodeRoute         = "route_not_found"
	CodeMethod        = "method_not_allowed"
	CodeAccept        = "not_acceptable"
	CodeUploadStalled = "upload_stalled"
	CodeConflict      = "key_conflict"
	CodeAlready       = "act_already"
	CodeNotReady      = "message_not_ready"
	CodeWithheld      = "message_withheld"
	CodeNoExport      = "export_impossible"
	CodeErased        = "content_erased"
	CodeLength        = "length_required"
	CodeTooLarge      = "too_large"
	CodeMediaType     = "media_type"
	CodeInvalid       = "message_invalid"
	CodeDocument      = "document_invalid"
	CodePieces        = "pieces_mismatch"
	CodeRefused       = "refused"
	CodeRange         = "out_of_range"
	CodeHost          = "host_unknown"
	CodeRate          = "rate_limited"
	CodeInternal      = "internal"
	CodeTemporary     = "temporary"
	CodeDraining      = "draining"
)

// problemRow is all that is fixed about one code.
type problemRow struct {
	code   string
	status int
	title  string
	detail string
}

// problemTable lists every code. It is built afresh so that nobody can change
// it.
func problemTable() []problemRow {
	return []problemRow{
		{CodeRequest, 400, "Request not understood", "a header or a query parameter is missing or not in its form"},
		{CodeUploadCut, 400, "Upload cut", "the body ended before its declared length, or is not multipart/form-data; nothing was kept"},
		{CodeTokenMissing, 401, "Token missing", "this route wants the header Authorization: Bearer and a token"},
		{CodeTokenInvalid, 401, "Token not valid", "the token is unknown, expired or revoked"},
		{CodeRight, 403, "Right missing", "the token does not give the right that this route takes"},
		{CodeMessage, 404, "No such message", "this party neither sent nor received such a message"},
		{CodePiece, 404, "No such piece", "the message has no piece of that number"},
		{CodeKind, 404, "No such kind", "no kind of message has that name"},
		{CodeToken, 404, "No such token", "no token, or more than one, begins so"},
		{CodeRoute, 404, "No such route", "see /openapi.json"},
		{CodeMethod, 405, "Method not allowed", "the header Allow lists the methods of this route"},
		{CodeAccept, 406, "Not acceptable", "this route gives application/json and text/plain"},
		{CodeUploadStalled, 408, "Upload stalled", "nothing came for too long; nothing was kept"},
		{CodeConflict, 409, "Key served before", "this Idempotency-Key served for another submission"},
		{CodeAlready, 409, "Act recorded before", "the party said so before, in other words; what was said stays"},
		{CodeNotReady, 409, "Message not ready", "the message is not at this party's disposal"},
		{CodeWithheld, 409, "Message withheld", "a person must confirm this message by telephone before an application may read it"},
		{CodeNoExport, 409, "Nothing to prove", "the content is not held here and was not erased here, or the journal was restored since: the other side can export"},
		{CodeErased, 410, "Content erased", "the content was erased; states and evidences remain"},
		{CodeLength, 411, "Length required", "declare Content-Length: the size is judged before the upload is read"},
		{CodeTooLarge, 413, "Too large", "the body is larger than this broker takes"},
		{CodeMediaType, 415, "Media type", "send application/json, or multipart/form-data whose first part is application/json, without content coding"},
		{CodeHost, 421, "Not this host", "the Host of the request is no name of this listener: ask by a name of its TLS certificate, or by an address of this machine where it listens without TLS; a proxy must ask so too"},
		{CodeInvalid, 422, "Message not valid", "the JSON around the document is faulty"},
		{CodeDocument, 422, "Document not valid", "the document is faulty"},
		{CodePieces, 422, "Pieces do not match", "the parts named piece are not those that the document lists"},
		{CodeRefused, 422, "Refused", "what is asked is not admitted"},
		{CodeRange, 422, "Out of range", "the journal is shorter than that"},
		{CodeRate, 429, "Too many requests", "this caller asks too often"},
		{CodeInternal, 500, "Internal error", "the log of the broker says more, under the id of the request"},
		{CodeTemporary, 503, "Not now", "the broker cannot do it now; repeat with the same Idempotency-Key"},
		{CodeDraining, 503, "Stopping", "the broker takes nothing new because it is about to stop; repeat with the same Idempotency-Key"},
	}
}

// newProblem makes the problem of a code.
func newProblem(code string) *problem {
	for _, row := range problemTable() {
		if row.code == code {
			return &problem{Type: "urn:vaguemestre:problem:" + code, Title: row.title, Status: row.status, Code: code, Detail: row.detail}
		}
	}
	return newProblem(CodeInternal)
}

// Error makes a problem an error of the handlers. It is the code only.
func (p *problem) Error() string { return "httpapi: " + p.Code }

// Unwrap gives the exact cause.
func (p *problem) Unwrap() error { return p.cause }

func (p *problem) hint(h string) *problem {
	p.Hint = h
	return p
}

func (p *problem) because(err error) *problem {
	p.cause = err
	return p
}

func (p *problem) with(faults ...fault) *problem {
	p.Errors = append(p.Errors, faults...)
	return p
}

func (p *problem) retry(after time.Duration) *problem {
	p.after = after
	return p
}

// write answers with the problem.
func (p *problem) write(w http.ResponseWriter) {
	h := w.Header()
	for _, name := range []string{"Content-Disposition", "Content-Length", "ETag"} {
		h.Del(name) // of the answer that did not come
	}
	h.Set("Content-Type", "application/problem+json")
	if p.after > 0 {
		h.Set("Retry-After", strconv.Itoa(seconds(p.after)))
	}
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.Status == http.StatusUnauthorized {
		challenge := `Bearer realm="vaguemestre"`
		if p.Code == CodeTokenInvalid {
			challenge += `, error="invalid_token"` // RFC 6750 section 3.1
		}
		h.Set("WWW-Authenticate", challenge)
	}
	text, err := json.Marshal(p)
	if err != nil {
		text = []byte("{}") // strings and numbers always encode
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // a caller that is gone reads nothing
}
