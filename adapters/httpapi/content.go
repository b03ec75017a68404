package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// Headers by which a document says what its situation is.
const (
	HeaderKind    = "Vaguemestre-Kind"
	HeaderThread  = "Vaguemestre-Thread"
	HeaderReplyTo = "Vaguemestre-In-Reply-To"
)

const typePlain = "text/plain; charset=utf-8"

// open opens a pli for the caller, and signs that it was fetched before any of
// it leaves. The caller closes what it gets.
func (a *API) open(x *exchange) (*broker.Content, error) {
	s, err := a.visible(x)
	if err != nil {
		return nil, err
	}
	ctx, p := x.r.Context(), x.caller.party
	pair, received := pairOf(s, p)
	received = received && p != s.Header.From
	withheld := received && pair.State.Has(broker.FlagQuarantined)
	if withheld && !x.caller.local {
		return nil, newProblem(CodeWithheld)
	}
	c, err := a.o.Broker.Read(ctx, s.Header.ID, p)
	if errors.Is(err, broker.ErrNotFound) {
		return nil, newProblem(CodeErased) // the pli is there: it was just looked at
	}
	if err != nil {
		return nil, err
	}
	switch {
	case withheld:
		err = a.o.Broker.Note(ctx, s.Header.ID, "read_withheld")
	case received:
		err = a.fetched(ctx, s.Header.ID, x.caller, pair.State)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// fetched signs once for a recipient that an application took the content.
func (a *API) fetched(ctx context.Context, id string, by caller, st broker.State) error {
	key := id + "/" + string(by.party)
	if _, known := a.seen.get(key); known || st.Progress == broker.Fetched {
		return nil
	}
	_, err := a.o.Broker.Acknowledge(ctx, broker.Act{
		ID: id, Party: by.party, Event: broker.Fetched, Basis: broker.Declared,
		Actor: broker.Actor{Name: by.application, Function: "application"},
	})
	var r *broker.Refusal
	switch {
	case errors.As(err, &r) && r.Code == broker.RefusedKey:
		// A key of either side has expired since: nothing can be signed, and a
		// child must not wait for a certificate. The journal says so instead.
		err = a.o.Broker.Note(ctx, id, "fetched_unsigned")
	case errors.Is(err, broker.ErrAlready):
		err = nil
	}
	if err == nil {
		a.seen.put(key, struct{}{})
	}
	return err
}

// document gives document.json as it was signed, or document.txt.
func (a *API) document(x *exchange) error {
	form, err := negotiate(x.r.Header.Values("Accept"), typeJSON, "text/plain")
	if err != nil {
		return err
	}
	c, err := a.open(x)
	if err != nil {
		return err
	}
	defer c.Close()
	h := x.w.Header()
	h.Set("Vary", "Accept")
	h.Set(HeaderKind, string(c.Inner.Kind))
	h.Set(HeaderThread, c.Inner.Thread)
	if c.Inner.ReplyTo != "" {
		h.Set(HeaderReplyTo, c.Inner.ReplyTo)
	}
	if form != typeJSON {
		return x.bytes(typePlain, broker.Digest(c.Text.Bytes()), c.Text.Bytes())
	}
	if c.Document == nil { // withheld because its form is not that of its kind
		return a.part(x, c, broker.PartDocument, typeJSON)
	}
	return x.bytes(typeJSON, c.Acte.DocumentSHA256, c.Document.Bytes())
}

// bytes answers with a part that is in memory.
func (x *exchange) bytes(ctype, digest string, b []byte) error {
	x.head(ctype, digest, int64(len(b)))
	_, err := callerWriter{x.w}.Write(b)
	return err
}

func (x *exchange) head(ctype, digest string, size int64) {
	h := x.w.Header()
	h.Set("Content-Type", ctype)
	h.Set("Content-Length", strconv.FormatInt(size, 10))
	h.Set("ETag", `"`+digest+`"`)
	x.w.WriteHeader(http.StatusOK)
}

// part streams one small part by its name.
func (a *API) part(x *exchange, c *broker.Content, name, ctype string) error {
	var b []byte
	err := c.EachPart(x.r.Context(), func(part, _ string, r io.Reader) (err error) {
		if part == name {
			b, err = io.ReadAll(r)
		}
		return err
	})
	if err != nil {
		return err
	}
	return x.bytes(ctype, broker.Digest(b), b)
}

// shown are the types that a piece is given out under; anything else is bytes.
// None of them runs anything, and all go out as attachments.
func shown(ctype string) string {
	switch ctype {
	case "application/pdf", "image/jpeg", "image/png",
		"application/vnd.oasis.opendocument.text",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return ctype
	case "text/plain":
		return typePlain
	}
	return "application/octet-stream"
}

// piece streams one piece, under our name: a sender's file name is a title.
func (a *API) piece(x *exchange) error {
	c, err := a.open(x)
	if err != nil {
		return err
	}
	defer c.Close()
	number := x.r.PathValue("n")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > len(c.Pieces) || strconv.Itoa(n) != number {
		return newProblem(CodePiece)
	}
	info := c.Pieces[n-1]
	if x.r.Header.Get("If-None-Match") == `"`+info.SHA256+`"` {
		x.w.Header().Set("ETag", `"`+info.SHA256+`"`)
		x.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	x.w.Header().Set("Content-Disposition", `attachment; filename="`+info.Name+`"`)
	x.head(shown(info.Type), info.SHA256, info.Size)
	err = c.EachPart(x.r.Context(), func(name, _ string, r io.Reader) error {
		if name != info.Name {
			return nil
		}
		if err := x.stream(r); err != nil {
			return err
		}
		return errStreamed
	})
	if errors.Is(err, errStreamed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("streaming a piece: %w", err)
	}
	return nil
}

var errStreamed = errors.New("httpapi: the part was streamed")

// summaryView is what is inside a pli beside its document.
type summaryView struct {
	ID             string       `json:"id"`
	Kind           schemas.Kind `json:"kind"`
	Schema         string       `json:"schema"`
	Thread         string       `json:"thread"`
	ReplyTo        string       `json:"in_reply_to,omitempty"`
	Actor          actorView    `json:"actor"`
	Basis          broker.Basis `json:"basis"`
	DocumentSHA256 string       `json:"document_sha256"`
	Reserves       []fault      `json:"reserves"`
	Pieces         []pieceView  `json:"pieces"`
}

type pieceView struct {
	N      int    `json:"n"`
	Name   string `json:"name"` // ours
	Type   string `json:"type"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	Titre  string `json:"titre,omitempty"`
}

// summary tells who sent what: kind, thread, actor, and the list of pieces.
func (a *API) summary(x *exchange) error {
	c, err := a.open(x)
	if err != nil {
		return err
	}
	defer c.Close()
	return x.answer(http.StatusOK, newSummary(c))
}

// summaryOf is that answer, read.
func summaryOf(c *broker.Content) (io.Reader, error) {
	text, err := json.Marshal(newSummary(c))
	if err != nil {
		return nil, fmt.Errorf("writing the summary: %w", err)
	}
	return bytes.NewReader(text), nil
}

func newSummary(c *broker.Content) summaryView {
	out := summaryView{
		ID: c.Header.ID, Kind: c.Inner.Kind, Schema: c.Inner.Schema, Thread: c.Inner.Thread, ReplyTo: c.Inner.ReplyTo,
		Actor: actorView{c.Acte.Actor.Name, c.Acte.Actor.Function}, Basis: c.Acte.Basis, DocumentSHA256: c.Acte.DocumentSHA256,
		Reserves: []fault{}, Pieces: []pieceView{},
	}
	var listed []schemas.Piece
	if c.Document != nil {
		listed = c.Document.Pieces()
		for _, f := range c.Document.Reserves() {
			out.Reserves = append(out.Reserves, fault{"document." + f.Path, f.Code, f.Message})
		}
	}
	for i, p := range c.Pieces {
		v := pieceView{N: i + 1, Name: p.Name, Type: p.Type, Size: p.Size, SHA256: p.SHA256}
		if i < len(listed) {
			v.Titre = listed[i].Titre
		}
		out.Pieces = append(out.Pieces, v)
	}
	return out
}
