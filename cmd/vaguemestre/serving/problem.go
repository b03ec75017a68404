package serving

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
)

// Problem is how an error goes over the socket (RFC 9457). It is an error on the
// side that reads it, and prints as the one that was meant.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code,omitempty"`
	Detail string `json:"detail"`
	Advice string `json:"hint,omitempty"`
	Exit   int    `json:"exit,omitempty"` // of the command, DESIGN section 11
	Errors []struct {
		Path    string `json:"path"`
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"errors,omitempty"`
}

func (p *Problem) Error() string { return p.Detail }

// Hint says what to do next.
func (p *Problem) Hint() string { return p.Advice }

const (
	typeProblem = "application/problem+json"
	typeJSON    = "application/json"
	typeLines   = "application/x-ndjson"

	retryAfter = 5       // seconds, while the broker is on its way out
	maxAnswer  = 4 << 20 // bytes of one JSON answer that a command reads
	maxAsked   = 1 << 20 // bytes of one JSON body that an operator's route reads
)

// write answers with the problem.
func (p *Problem) write(w http.ResponseWriter) {
	if p.Status == 0 {
		p.Status = http.StatusInternalServerError
	}
	p.Type, p.Title = "about:blank", http.StatusText(p.Status)
	h := w.Header()
	h.Set("Content-Type", typeProblem)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if p.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(retryAfter))
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // whoever asked is gone: nobody to tell
}

// ProblemOf reads the error of an answer that is none of the 2xx. It closes the
// body.
func ProblemOf(r *http.Response) error {
	defer r.Body.Close()
	p := &Problem{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != typeProblem || json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(p) != nil || p.Detail == "" && p.Title == "" {
		return fmt.Errorf("the broker answered %d", r.StatusCode)
	}
	if p.Detail == "" {
		p.Detail = p.Title
	}
	p.Status = r.StatusCode
	return p
}
