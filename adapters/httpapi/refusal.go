package httpapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/schemas"
)

// How long a caller is asked to wait before it repeats.
const (
	retrySoon  = 5 * time.Second
	retrySpace = 60 * time.Second
)

// toProblem turns whatever a handler failed with into the one answer that
// outsiders get. Vague outside, exact in the log.
func toProblem(err error) *problem {
	var p *problem
	var doc *schemas.InvalidError
	var r *broker.Refusal
	switch {
	case errors.As(err, &p): // also what a piece failed with, under ErrTemporary
		return p
	case errors.As(err, &doc):
		return documentProblem(doc)
	case errors.As(err, &r):
		return refusalProblem(r)
	case errors.Is(err, broker.ErrNotFound):
		return newProblem(CodeMessage)
	case errors.Is(err, broker.ErrConflict):
		return newProblem(CodeConflict)
	case errors.Is(err, broker.ErrAlready):
		return newProblem(CodeAlready)
	case errors.Is(err, broker.ErrNotYet):
		return newProblem(CodeNotReady)
	case errors.Is(err, journal.ErrSize):
		return newProblem(CodeRange)
	case errors.Is(err, export.ErrParty):
		return newProblem(CodeMessage)
	case errors.Is(err, export.ErrNoBody), errors.Is(err, export.ErrSpread), errors.Is(err, export.ErrUnlisted):
		return newProblem(CodeNoExport).because(err)
	case errors.Is(err, journal.ErrNoSpace):
		return newProblem(CodeTemporary).retry(retrySpace).because(err)
	case errors.Is(err, broker.ErrTemporary), errors.Is(err, journal.ErrFailed), errors.Is(err, journal.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newProblem(CodeTemporary).retry(retrySoon).because(err)
	}
	return newProblem(CodeInternal).because(err)
}

func documentProblem(e *schemas.InvalidError) *problem {
	p := newProblem(CodeDocument)
	for _, f := range e.Fields {
		path := "document"
		if f.Path != "" {
			path += "." + f.Path
		}
		p.Errors = append(p.Errors, fault{path, f.Code, f.Message})
	}
	return p.hint("GET /v1/kinds/{kind}/schema gives the form of each kind")
}

// refusalProblem tells the closed code of the broker and what to do. The
// member concerned is named, never its value.
func refusalProblem(r *broker.Refusal) *problem {
	if r.Code == broker.ReasonTooLarge {
		return newProblem(CodeTooLarge).hint(r.Hint).because(r.Unwrap())
	}
	p := newProblem(CodeRefused).hint(r.Hint).because(r.Unwrap())
	return p.with(fault{r.Field, r.Code, broker.ExplainCode(r.Code)})
}

// pieceProblem is what a piece of an upload failed with: a problem of ours, or
// the connection. Its text is not printed: it could quote a part's header.
func pieceProblem(err error) error {
	var p *problem
	if errors.As(err, &p) {
		return p
	}
	return uploadProblem(err)
}

// uploadProblem says how an upload ended.
func uploadProblem(err error) *problem {
	var stalled interface{ Timeout() bool }
	if errors.As(err, &stalled) && stalled.Timeout() {
		return newProblem(CodeUploadStalled)
	}
	return newProblem(CodeUploadCut).because(fmt.Errorf("reading the body: %T", err))
}
