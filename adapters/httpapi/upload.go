package httpapi

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
)

// Names of the parts of a form.
const (
	partMessage = "message"
	partPiece   = "piece"
)

// upload reads a form part after part, as they come.
type upload struct {
	body  io.Reader
	parts *multipart.Reader
	still func() error // whether the caller may send yet, once all has come
}

func newUpload(body io.Reader, boundary string) *upload {
	return &upload{body: body, parts: multipart.NewReader(body, boundary)}
}

// next gives the next part, which must have that name; io.EOF after the last.
// Content codings of parts are obsolete (RFC 7578 section 4.7), and would make
// two readings of the same bytes.
func (u *upload) next(name string) (*multipart.Part, error) {
	part, err := u.parts.NextRawPart()
	if err == io.EOF {
		return nil, io.EOF
	}
	if err != nil {
		return nil, pieceProblem(err)
	}
	switch coding := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); coding {
	case "", "binary", "8bit", "7bit":
	default:
		return nil, newProblem(CodeMediaType).hint("a part has no Content-Transfer-Encoding but binary")
	}
	if part.FormName() != name {
		return nil, newProblem(CodePieces).hint(`the first part is named "message", all others "piece"`)
	}
	return part, nil
}

// message reads the first part.
func (u *upload) message() ([]byte, error) {
	part, err := u.next(partMessage)
	if err == io.EOF {
		return nil, newProblem(CodeUploadCut)
	}
	if err != nil {
		return nil, err
	}
	if !isJSON(part.Header) {
		return nil, newProblem(CodeMediaType)
	}
	return readAll(part, maxMessage)
}

// isJSON accepts a part that says nothing of its type: many clients do not.
func isJSON(h textproto.MIMEHeader) bool {
	given := h.Get("Content-Type")
	if given == "" {
		return true
	}
	form, _, err := mime.ParseMediaType(given)
	return err == nil && form == typeJSON
}

// pieces prepares n readers, each to be read once and in order. The last one
// ends well only if nothing follows it.
func (u *upload) pieces(n int) []io.Reader {
	out := make([]io.Reader, n)
	for i := range out {
		out[i] = &piece{u: u, n: i + 1, last: i == n-1}
	}
	return out
}

// end checks that no part follows, reads the little that may, and asks still.
func (u *upload) end() error {
	part, err := u.parts.NextRawPart()
	if err == nil {
		part.Close()
		return newProblem(CodePieces).hint("send as many parts named piece as the document lists in pieces, in the same order")
	}
	if err != io.EOF {
		return pieceProblem(err)
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(u.body, 1024)); err != nil {
		return pieceProblem(err)
	} else if n == 1024 {
		return newProblem(CodeUploadCut).hint("bytes after the last part")
	}
	return u.still()
}

// piece is one part of a form that is opened when it is first read.
type piece struct {
	u     *upload
	n     int // from 1
	last  bool
	part  *multipart.Part
	ended error
}

func (p *piece) Read(b []byte) (int, error) {
	if p.ended != nil {
		return 0, p.ended
	}
	if p.part == nil {
		part, err := p.u.next(partPiece)
		if err == io.EOF {
			err = newProblem(CodePieces).hint(fmt.Sprintf("piece %d is missing", p.n))
		}
		if err != nil {
			p.ended = err
			return 0, err
		}
		p.part = part
	}
	n, err := p.part.Read(b)
	switch {
	case err == io.EOF:
		p.ended = io.EOF
		if p.last {
			if err := p.u.end(); err != nil {
				p.ended = err
			}
		}
	case err != nil:
		p.ended = pieceProblem(err)
	}
	if n > 0 {
		return n, nil
	}
	return 0, p.ended
}
