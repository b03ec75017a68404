package broker

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"vaguemestre/broker/journal"
	"vaguemestre/schemas"
)

// Content is what a body holds, opened for one reader. It lives in memory
// only; pieces are read again from the ciphertext when they are asked for.
type Content struct {
	Header   Header
	Inner    Inner
	Acte     Acte
	Document *schemas.Document
	Text     schemas.Plain // document.txt
	Sums     []byte        // SHA256SUMS
	Pieces   []PieceInfo

	SessionKey string
	Signer     string // fingerprint
	opened     Unsealed
	body       journal.Body
}

// Close frees the ciphertext. Content is not readable after it.
func (c *Content) Close() error {
	if c.body == nil {
		return nil
	}
	return c.body.Close()
}

// PieceInfo describes one piece of a body.
type PieceInfo struct {
	Name   string // ours: piece-01.pdf
	Type   string
	SHA256 string
	Size   int64
}

const maxSmallPart = 2 << 20 // any part but a piece

// ReadOpened reads an opened body to its end and holds it against the header,
// as at its reception: form, digests, inner header, acte, document. It returns
// a *Refusal with the code of the first thing that does not hold; with
// ReasonInvalid alone (the document fails its schema) the Content is readable.
// Nothing is to be closed. It is for whoever checks a proof without a journal.
func ReadOpened(ctx context.Context, o Unsealed, h Header) (*Content, error) {
	return readBody(ctx, o, h)
}

// readBody reads an opened body to its end and recomputes every digest. It
// returns a *Refusal with the code of the first thing that does not hold;
// whoever calls has checked the outer header.
func readBody(ctx context.Context, o Unsealed, h Header) (*Content, error) {
	r, err := o.Reader(ctx)
	if err != nil {
		return nil, unreadable(err)
	}
	defer r.Close()
	c := &Content{Header: h, SessionKey: o.SessionKey(), Signer: o.Signer(), opened: o}
	parts, err := c.readParts(r)
	if err != nil {
		if errors.Is(err, ErrFormat) {
			return nil, refuse(ReasonAltered, "", err)
		}
		return nil, unreadable(err)
	}
	if err := c.checkSums(parts); err != nil {
		return nil, err
	}
	return c, c.parse(parts)
}

// unreadable is the verdict of the crypto side, or what prevented it from
// giving one: a disk, the end of the context.
func unreadable(err error) error {
	if word := exactReason(err); word == "" || word == "canceled" {
		return err
	}
	return refuse(ReasonUnreadable, "", err)
}

// bodyPart is one part that was read. The bytes of a piece are digested only.
type bodyPart struct {
	name, digest string
	b            []byte
}

// bodyParts are all parts of a body, in their order.
type bodyParts []bodyPart

// of finds a part by name; one that is absent has no bytes and no digest.
func (list bodyParts) of(name string) bodyPart {
	for _, p := range list {
		if p.name == name {
			return p
		}
	}
	return bodyPart{}
}

// readParts walks the entity: fixed parts in their order, pieces between
// document.json and acte.json.
func (c *Content) readParts(r io.Reader) (bodyParts, error) {
	e, err := newEntityReader(r)
	if err != nil {
		return nil, err
	}
	list := make(bodyParts, 0, len(partOrder))
	rank := 0
	for {
		p, err := e.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if rank, err = nextRank(rank, p.Name, len(c.Pieces)); err != nil {
			return nil, err
		}
		read := bodyPart{name: p.Name}
		if strings.HasPrefix(p.Name, "piece-") {
			read.digest, err = c.digestPiece(p)
		} else if read.b, err = p.Body.all(maxSmallPart); err == nil {
			read.digest = Digest(read.b)
		}
		if err != nil {
			return nil, err
		}
		list = append(list, read)
	}
	if rank != len(partOrder) {
		return nil, fmt.Errorf("%w: parts are missing", ErrFormat)
	}
	return list, nil
}

// digestPiece reads a piece to its end, and lists it.
func (c *Content) digestPiece(p entityPart) (string, error) {
	sum := sha256.New()
	n, err := p.Body.WriteTo(sum)
	if err != nil {
		return "", err
	}
	digest := digestText([sha256.Size]byte(sum.Sum(nil)))
	c.Pieces = append(c.Pieces, PieceInfo{Name: p.Name, Type: p.Type, SHA256: digest, Size: n})
	return digest, nil
}

// partOrder is DESIGN section 4; "piece" stands for any number of them.
var partOrder = [...]string{PartText, PartInner, PartDocument, "piece", PartActe, PartAssertion, PartSums}

// nextRank says where in partOrder the walk stands after a part, or refuses
// it. Pieces and the assertion may be absent.
func nextRank(rank int, name string, pieces int) (int, error) {
	for ; rank < len(partOrder); rank++ {
		want := partOrder[rank]
		if want == "piece" && strings.HasPrefix(name, pieceStem(pieces+1)) {
			return rank, nil
		}
		if want == name {
			return rank + 1, nil
		}
		if want != "piece" && want != PartAssertion {
			break
		}
	}
	return rank, fmt.Errorf("%w: order of the parts", ErrFormat)
}

// checkSums compares SHA256SUMS with the digests that were computed, and its
// own digest with the header's.
func (c *Content) checkSums(parts bodyParts) error {
	var want []byte
	for _, p := range parts {
		if p.name != PartSums {
			want = appendSum(want, p.digest, p.name)
		}
	}
	stated := parts.of(PartSums)
	if !bytes.Equal(stated.b, want) {
		return refuse(ReasonAltered, PartSums, nil)
	}
	if stated.digest != c.Header.ContentSHA256 {
		return refuse(ReasonAltered, "content_sha256", nil)
	}
	c.Sums = stated.b
	return nil
}

// parse reads the small parts and holds them against the header and each
// other. The document is parsed last: its refusal alone may be waived.
func (c *Content) parse(parts bodyParts) error {
	if err := c.parseInner(parts.of(PartInner).b); err != nil {
		return err
	}
	if err := c.parseActe(parts); err != nil {
		return err
	}
	c.Text = schemas.NewPlain(parts.of(PartText).b)
	return c.parseDocument(parts.of(PartDocument).b)
}

func (c *Content) parseInner(b []byte) (err error) {
	if c.Inner, err = ParseInner(b); err != nil {
		return refuse(ReasonHeaderDiffers, PartInner, err)
	}
	if !c.Inner.Agrees(c.Header) {
		return refuse(ReasonHeaderDiffers, PartInner, nil)
	}
	return nil
}

func (c *Content) parseActe(parts bodyParts) (err error) {
	if c.Acte, err = ParseActe(parts.of(PartActe).b); err != nil {
		return refuse(ReasonActe, PartActe, err)
	}
	if !c.acteAgrees(parts) {
		return refuse(ReasonActe, PartActe, nil)
	}
	return nil
}

func (c *Content) parseDocument(b []byte) (err error) {
	if row, ok := schemas.Lookup(c.Inner.Kind); !ok || row.Schema != c.Inner.Schema {
		return refuse(ReasonInvalid, "schema", nil)
	}
	if c.Document, err = schemas.Parse(c.Inner.Kind, schemas.NewPlain(b)); err != nil {
		return refuse(ReasonInvalid, PartDocument, err)
	}
	listed := c.Document.Pieces()
	if len(listed) != len(c.Pieces) {
		return refuse(ReasonInvalid, "pieces", nil)
	}
	for i, p := range listed {
		if c.Pieces[i].Type != p.TypeMIME || c.Pieces[i].Name != pieceName(i+1, p) {
			return refuse(ReasonInvalid, "pieces", nil)
		}
	}
	return nil
}

func (c *Content) acteAgrees(parts bodyParts) bool {
	a, h := &c.Acte, &c.Header
	if a.ID != h.ID || a.Kind != c.Inner.Kind || !slices.Equal(a.To, h.To) || !slices.Equal(a.Cc, h.Cc) {
		return false
	}
	if parts.of(PartDocument).digest != a.DocumentSHA256 || len(a.PiecesSHA256) != len(c.Pieces) {
		return false
	}
	for i, d := range a.PiecesSHA256 {
		if c.Pieces[i].SHA256 != d {
			return false
		}
	}
	return assertionHolds(a.Basis, parts.of(PartAssertion).b, parts.of(PartActe).digest)
}

// EachPart calls f for every decoded part, in order.
func (c *Content) EachPart(ctx context.Context, f func(name, ctype string, r io.Reader) error) error {
	r, err := c.opened.Reader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	e, err := newEntityReader(r)
	if err != nil {
		return err
	}
	for {
		p, err := e.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := f(p.Name, p.Type, p.Body); err != nil {
			return err
		}
	}
}

// Entity streams the whole MIME entity: message.eml.
func (c *Content) Entity(ctx context.Context) (io.ReadCloser, error) { return c.opened.Reader(ctx) }

// Read opens a pli that lives here, for its sender or one of its recipients.
// It writes nothing: that a person opened it is an act (Opened). The signature
// was judged on arrival; here only digests and the signer are checked again.
// Document is nil for a pli whose document fails its schema (quarantined).
// Errors: ErrNotFound, also once the body is erased, ErrNotYet.
// The caller closes what it gets.
func (b *Broker) Read(ctx context.Context, id string, as PartyID) (*Content, error) {
	h, _, err := b.record(id)
	if err != nil {
		return nil, fmt.Errorf("reading a pli: %w", err)
	}
	if !b.atHome(as) || as != h.From && !h.Addresses(as) {
		return nil, ErrNotFound
	}
	if st, _ := b.state(id, as); as != h.From && !st.Readable() {
		return nil, ErrNotYet // what was refused to a recipient is not shown to it
	}
	body, err := b.journal.Bodies().Open(h.BodySHA256)
	if err != nil {
		if errors.Is(err, journal.ErrNotFound) {
			err = errNoBody
		}
		return nil, fmt.Errorf("body: %w", err)
	}
	o, err := b.keys.Open(ctx, body, body.Size(), string(as), string(h.From))
	if err != nil {
		body.Close()
		if exactReason(err) == "" {
			return nil, temporary("opening the body", err) // no verdict: a disk, a key that is not loaded
		}
		return nil, fmt.Errorf("opening the body: %w", err)
	}
	c, err := readBody(ctx, o, h)
	var r *Refusal
	if errors.As(err, &r) && r.Code == ReasonInvalid {
		// A quarantined pli: a person must see it, without the document's form.
		err = nil
	}
	if err != nil {
		body.Close()
		return nil, fmt.Errorf("reading a pli: %w", err)
	}
	c.body = body
	return c, nil
}
