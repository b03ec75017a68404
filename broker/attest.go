package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"
)

// sign completes an evidence (version, time, signer, home, notice, journal
// head) and signs it by owner, a party that lives here or this broker.
func (b *Broker) sign(ctx context.Context, e Evidence, owner string, now time.Time) (*signedEvidence, error) {
	e.V, e.At, e.By, e.Home, e.Notice = version, FormatTime(now), owner, b.id, b.notice()
	e.Log = logHead(b.journal.Head())
	out := &signedEvidence{Evidence: e, Bytes: e.Encode()}
	sig, fpr, err := b.keys.Sign(ctx, owner, out.Bytes, now)
	if err != nil {
		return nil, fmt.Errorf("evidence %s: %w", e.Event, err)
	}
	out.Sig, out.Signer = sig, fpr
	out.Cert, _ = b.keys.Cert(fpr)
	return out, nil
}

// signSealed signs an evidence of a person: the detail is salted, bound by its
// digest, and travels sealed to the signer and the sender.
func (b *Broker) signSealed(ctx context.Context, e Evidence, d Detail, assertion []byte, to []string) (*signedEvidence, error) {
	detail := d.Encode()
	e.DetailSHA256 = Digest(detail)
	out, err := b.sign(ctx, e, string(e.Recipient), b.now())
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w, err := b.keys.Seal(ctx, &buf, out.Evidence.By, to, b.now())
	if err != nil {
		return nil, fmt.Errorf("sealing the evidence: %w", err)
	}
	ew := newEntityWriter(w)
	parts := []struct {
		name, ctype string
		b           []byte
	}{
		{PartEvidence, typeJSON, out.Bytes}, {PartEvidenceSig, typeSig, out.Sig},
		{PartDetail, typeJSON, detail}, {PartAssertion, typeJSON, assertion},
	}
	for _, p := range parts {
		if p.b == nil {
			continue
		}
		if _, err := ew.bytes(p.name, p.ctype, p.b); err != nil {
			return nil, fmt.Errorf("sealing the evidence: %w", err)
		}
	}
	if _, err := ew.finish(false); err != nil {
		return nil, fmt.Errorf("sealing the evidence: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("sealing the evidence: %w", err)
	}
	out.Sealed = buf.Bytes()
	return out, nil
}

// OpenedEvidence is a sealed evidence that was opened.
type OpenedEvidence struct {
	Evidence   Evidence
	Bytes, Sig []byte
	Detail     Detail
	DetailRaw  []byte
	Assertion  []byte
	Signer     string // fingerprint of the seal's signer
	SessionKey string
}

// openSealed opens evidence.pgp as a party, and checks its form: the four
// parts in their order, the seal and the signature by the same certificate,
// the detail bound by its digest. Who may sign is judged elsewhere.
func (b *Broker) openSealed(ctx context.Context, sealed []byte, as string) (*OpenedEvidence, error) {
	o, err := b.keys.Open(ctx, bytes.NewReader(sealed), int64(len(sealed)), as, "")
	if err != nil {
		return nil, err
	}
	out, err := ReadOpenedEvidence(ctx, o)
	if err != nil {
		return nil, err
	}
	if owner, ok := b.keys.OwnerOf(out.Signer); !ok || owner != out.Evidence.By {
		return nil, refuse(RefusedSigner, "by", nil)
	}
	return out, nil
}

// ReadOpenedEvidence reads an opened evidence.pgp to its end: the parts in
// their order, the detail bound by its digest. It returns ErrFormat, wrapped,
// or a *Refusal. Signatures are judged elsewhere.
func ReadOpenedEvidence(ctx context.Context, o Unsealed) (*OpenedEvidence, error) {
	r, err := o.Reader(ctx)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := &OpenedEvidence{Signer: o.Signer(), SessionKey: o.SessionKey()}
	if err := out.readParts(r); err != nil {
		return nil, err
	}
	if out.Evidence, err = ParseEvidence(out.Bytes); err != nil {
		return nil, err
	}
	if out.Detail, err = ParseDetail(out.DetailRaw); err != nil {
		return nil, err
	}
	switch {
	case Digest(out.DetailRaw) != out.Evidence.DetailSHA256 || !out.Detail.Matches(out.Evidence):
		return nil, refuse(RefusedDetail, "detail_sha256", nil)
	case !assertionHolds(out.Detail.Basis, out.Assertion, out.Evidence.DetailSHA256):
		return nil, refuse(RefusedDetail, "assertion", nil)
	}
	return out, nil
}

// maxSealed bounds evidence.pgp and each of its parts, in bytes: a detail of
// 64 KiB, in base64, and the rest.
const maxSealed = 256 << 10

func (o *OpenedEvidence) readParts(r io.Reader) error {
	e, err := newEntityReader(r)
	if err != nil {
		return err
	}
	into := map[string]*[]byte{PartEvidence: &o.Bytes, PartEvidenceSig: &o.Sig, PartDetail: &o.DetailRaw, PartAssertion: &o.Assertion}
	var order []string
	for {
		p, err := e.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		dst, ok := into[p.Name]
		if !ok {
			return fmt.Errorf("%w: part of an evidence", ErrFormat)
		}
		if *dst, err = io.ReadAll(io.LimitReader(p.Body, maxSealed+1)); err != nil {
			return err
		}
		if len(*dst) > maxSealed {
			return fmt.Errorf("%w: part of an evidence", ErrFormat)
		}
		order = append(order, p.Name)
	}
	got := strings.Join(order, " ")
	want := PartEvidence + " " + PartEvidenceSig + " " + PartDetail
	if got != want && got != want+" "+PartAssertion {
		return fmt.Errorf("%w: parts of an evidence", ErrFormat)
	}
	return nil
}

// heads lists the latest evidences of a pair that this journal knows.
func (b *Broker) heads(id string, p PartyID) []string {
	st, _ := b.state(id, p)
	return st.Heads
}

// toSender says where an evidence made here travels: to the home of the pli's
// sender, unless that is here.
func (b *Broker) toSender(from PartyID) travel {
	if b.atHome(from) {
		return travel{}
	}
	return travel{dest: []PartyID{from}}
}
