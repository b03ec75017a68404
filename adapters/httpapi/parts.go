package httpapi

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"

	"vaguemestre/broker"
)

// PartSummary is the name of the first part of what parts gives: the JSON of
// the route summary.
const PartSummary = "summary.json"

// parts gives the summary, the document in both forms and every piece as one
// multipart/mixed (RFC 2046 section 5.1), which a body opened once streams in
// constant memory. It is on Local only: the command that writes all of it to a
// folder asks once.
func (a *API) parts(x *exchange) error {
	c, err := a.open(x)
	if err != nil {
		return err
	}
	defer c.Close()
	w := multipart.NewWriter(x.w)
	x.w.Header().Set("Content-Type", "multipart/mixed; boundary="+w.Boundary())
	x.w.WriteHeader(http.StatusOK)
	summary, err := summaryOf(c)
	if err != nil {
		return err
	}
	if err := writePart(w, PartSummary, typeJSON, summary); err != nil {
		return err
	}
	err = c.EachPart(x.r.Context(), func(name, ctype string, r io.Reader) error {
		given := name == broker.PartText || name == broker.PartDocument ||
			slices.ContainsFunc(c.Pieces, func(p broker.PieceInfo) bool { return p.Name == name })
		if !given {
			return nil
		}
		return writePart(w, name, shownPart(name, ctype), r)
	})
	if err != nil {
		return fmt.Errorf("streaming the parts: %w", err)
	}
	return w.Close()
}

// shownPart is shown but for the document, which is no file of the sender's.
func shownPart(name, ctype string) string {
	switch name {
	case broker.PartDocument:
		return typeJSON
	case broker.PartText:
		return typePlain
	}
	return shown(ctype)
}

func writePart(w *multipart.Writer, name, ctype string, r io.Reader) error {
	h := textproto.MIMEHeader{}
	h.Set("Content-Type", ctype)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`) // ours
	part, err := w.CreatePart(h)
	if err != nil {
		return err
	}
	_, err = io.Copy(part, r)
	return err
}
