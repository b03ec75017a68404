package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"vaguemestre/broker/journal"
	"vaguemestre/schemas"
)

// Names of the parts of a body, in the order in which they stand.
const (
	PartText      = "document.txt"
	PartInner     = "inner.json"
	PartDocument  = "document.json"
	PartActe      = "acte.json"
	PartAssertion = "assertion.json"
	PartSums      = "SHA256SUMS"

	PartEvidence    = "evidence.json"
	PartEvidenceSig = "evidence.json.asc"
	PartDetail      = "detail.json"
)

const (
	typeText = "text/plain; charset=utf-8"
	typeJSON = "application/json"
	typeSig  = "application/pgp-signature"
	typeSums = "text/plain; charset=us-ascii"
)

// pieceName names the i-th piece, from 1: the name is ours, a sender's file
// name is a title only.
func pieceName(i int, p schemas.Piece) string {
	return pieceStem(i) + pieceExtension(strings.ToLower(p.TypeMIME))
}

// pieceStem is what the name of the i-th piece begins with.
func pieceStem(i int) string {
	if i < 10 {
		return "piece-0" + strconv.Itoa(i) + "."
	}
	return "piece-" + strconv.Itoa(i) + "."
}

func pieceExtension(ctype string) string {
	switch ctype {
	case "application/pdf":
		return "pdf"
	case "image/jpeg":
		return "jpg"
	case "image/png":
		return "png"
	case "text/plain":
		return "txt"
	case "application/vnd.oasis.opendocument.text":
		return "odt"
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return "docx"
	}
	return "bin"
}

// seal makes the pli: body, header, signatures, deposit stamp. Nothing is
// durable in the journal yet; a failure leaves nothing but a body file that
// start-up sweeps.
func (b *Broker) seal(ctx context.Context, s *submission) (*acceptInput, error) {
	id, err := b.newID()
	if err != nil {
		return nil, err
	}
	now := b.now()
	h := Header{V: version, Notice: b.notice(), ID: id, From: s.From, To: s.To, Cc: s.Cc, Urgency: s.Urgency, SentAt: FormatTime(now)}
	body, pieces, err := b.sealBody(ctx, s, &h)
	if err != nil {
		return nil, err
	}
	pli := &sealedPli{Header: h, HeaderBytes: h.Encode(), Body: body, Directory: b.dir.Load().sum}
	if err := b.stamp(ctx, pli); err != nil {
		b.dropBody(body)
		return nil, err
	}
	return &acceptInput{
		pli: pli, idemKey: b.idemKey(s), idemMAC: b.submissionMAC(s, pieces),
		lane:    b.lane(s.thread, s.Urgency),
		overdue: b.overdueTimes(s, pli.Deposit.SignedAt()),
	}, nil
}

// lane keeps the order of one thread towards one recipient. U0 has a lane of
// its own in the thread: it waits for nothing but other U0.
func (b *Broker) lane(thread string, u Urgency) string {
	class := "ordinary"
	if u == U0 {
		class = "urgent"
	}
	return b.mac("lane", thread, class)[:32]
}

func (b *Broker) notice() string { return b.dir.Load().Notice() }

// stamp signs the header for the sending party and makes the deposit evidence.
func (b *Broker) stamp(ctx context.Context, pli *sealedPli) error {
	h := pli.Header
	now := b.now()
	sig, fpr, err := b.keys.Sign(ctx, string(h.From), pli.HeaderBytes, now)
	if err != nil {
		return temporary("signing the header", err)
	}
	pli.HeaderSig = sig
	pli.FromCert, _ = b.keys.Cert(fpr)
	dep, err := b.sign(ctx, Evidence{Event: Accepted, ID: h.ID, HeaderSHA256: Digest(pli.HeaderBytes)}, string(b.id), now)
	if err != nil {
		return temporary("signing the deposit", err)
	}
	pli.Deposit, pli.DepositBytes, pli.DepositSig, pli.DepositCert = dep.Evidence, dep.Bytes, dep.Sig, dep.Cert
	return nil
}

// sealBody writes body.pgp and fills the digests of the header. Pieces stream
// through: nothing of them stays in memory or, in clear, on disk.
func (b *Broker) sealBody(ctx context.Context, s *submission, h *Header) (journal.Blob, []string, error) {
	w, err := b.journal.Bodies().Create()
	if err != nil {
		return journal.Blob{}, nil, temporary("body", err)
	}
	defer w.Abort()
	to := make([]string, 0, MaxRecipients)
	for _, p := range h.Recipients() {
		to = append(to, string(p))
	}
	plain, err := b.keys.Seal(ctx, w, string(s.From), to, b.now())
	if err != nil {
		return journal.Blob{}, nil, temporary("sealing", err)
	}
	pieces, err := b.compose(plain, s, h)
	if err == nil {
		err = plain.Close()
	}
	if r := (*Refusal)(nil); errors.As(err, &r) {
		return journal.Blob{}, nil, r
	}
	if err != nil {
		return journal.Blob{}, nil, temporary("sealing", err)
	}
	body, err := w.Close()
	if err != nil {
		return journal.Blob{}, nil, temporary("body", err)
	}
	h.BodySHA256, h.BodySize = body.SHA256, body.Size
	return body, pieces, nil
}

// compose writes the entity in the order of DESIGN section 4, and returns the
// digests of the pieces.
func (b *Broker) compose(w io.Writer, s *submission, h *Header) ([]string, error) {
	salts := [2]string{}
	for i := range salts {
		var err error
		if salts[i], err = b.newSalt(); err != nil {
			return nil, err
		}
	}
	inner := Inner{Header: *h, Kind: s.Kind, Schema: s.row.Schema, Thread: s.thread, ReplyTo: s.ReplyTo, Salt: salts[0]}
	e := newEntityWriter(w)
	text := s.doc.Text(h.Notice)
	if len(text) > maxSmallPart {
		return nil, &Refusal{Code: ReasonTooLarge, Field: "document", Hint: "the document is too long: move its text to a piece"}
	}
	if _, err := e.bytes(PartText, typeText, text); err != nil {
		return nil, err
	}
	if _, err := e.bytes(PartInner, typeJSON, inner.Encode()); err != nil {
		return nil, err
	}
	document, err := e.bytes(PartDocument, typeJSON, s.doc.Bytes())
	if err != nil {
		return nil, err
	}
	pieces := make([]string, 0, len(s.Pieces))
	left := b.maxBody - int64(len(s.doc.Bytes()))
	for i, p := range s.doc.Pieces() {
		d, size, err := e.part(pieceName(i+1, p), p.TypeMIME, io.LimitReader(pieceReader{s.Pieces[i], i + 1}, max(left, 0)+1))
		if err != nil {
			return nil, fmt.Errorf("piece %d: %w", i+1, err)
		}
		if left -= size; left < 0 {
			return nil, &Refusal{Code: ReasonTooLarge, Field: "pieces", Hint: "the pieces are too large for one pli: send them in several transmissions of the same thread"}
		}
		if size == 0 {
			return nil, &Refusal{Code: RefusedPieces, Field: fmt.Sprintf("pieces[%d]", i), Hint: "this file is empty: join it again, or take it off the list"}
		}
		pieces = append(pieces, d)
	}
	acte := Acte{V: version, Salt: salts[1], ID: h.ID, To: h.To, Cc: h.Cc, Kind: s.Kind, Actor: s.Actor, Basis: s.Basis, DocumentSHA256: document, PiecesSHA256: pieces}
	if _, err := e.bytes(PartActe, typeJSON, acte.Encode()); err != nil {
		return nil, err
	}
	if len(s.Assertion) > 0 {
		if _, err := e.bytes(PartAssertion, typeJSON, s.Assertion); err != nil {
			return nil, err
		}
	}
	h.ContentSHA256, err = e.finish(true)
	return pieces, err
}

// dropBody forgets a body that no pli names.
func (b *Broker) dropBody(body journal.Blob) {
	if body.Bytes == nil && body.SHA256 != "" {
		// A failure leaves a file that the sweep at start-up removes.
		_ = b.journal.Bodies().Remove(body.SHA256)
	}
}
