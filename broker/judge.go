package broker

import (
	"context"
	"errors"
	"time"

	"vaguemestre/broker/journal"
	"vaguemestre/schemas"
)

// judge opens the pli and holds every part against every other. The code is ""
// when all holds; an error is temporary.
func (b *Broker) judge(ctx context.Context, a *arrival) (string, error) {
	if code := b.judgeDeposit(a); code != "" {
		return code, nil
	}
	if !a.pli.Header.Addresses(a.recipient) {
		return ReasonNotAddressee, nil
	}
	if a.pli.Header.BodySize > sealedBound(b.maxBody) {
		return ReasonTooLarge, nil
	}
	if err := b.takeBody(ctx, a); err != nil {
		return "", err
	}
	code, err := b.judgeBody(ctx, a)
	if err != nil {
		return "", err
	}
	if code == "" && b.compromisedSince(a) {
		code = ReasonRevoked
	}
	return code, nil
}

// judgeDeposit checks the stamp and the times (DESIGN section 9, Time). The
// stamp is by a broker's key, not the sender's: a stolen key of a party cannot
// date anything back.
func (b *Broker) judgeDeposit(a *arrival) string {
	h, p := a.pli.Header, a.parcel
	d, err := ParseEvidence(p.Deposit)
	home, _ := b.home(h.From)
	if err != nil || d.Event != Accepted || d.ID != h.ID || d.HeaderSHA256 != a.pli.digest() || d.Home != home || d.By != string(home) {
		return ReasonDeposit
	}
	fpr, signed, err := b.keys.Verify(string(home), p.Deposit, p.DepositSig)
	if err != nil {
		return ReasonDeposit
	}
	now, at := b.now(), d.SignedAt()
	if near(signed, at, Skew) != nil || at.After(now.Add(Skew)) || at.Before(now.Add(-MaxAge)) {
		return ReasonBackDated
	}
	if b.keys.Standing(fpr, at, false) != standingUsable {
		return ReasonDeposit
	}
	a.pli.Deposit, a.pli.DepositBytes, a.pli.DepositSig, a.stamper = d, p.Deposit, p.DepositSig, fpr
	a.pli.DepositCert, _ = b.keys.Cert(fpr)
	if near(a.signedAt, at, Skew) != nil {
		return ReasonBackDated
	}
	return standingReason(b.keys.Standing(a.signer, at, false))
}

// Words of Keys.Standing that are decided on here.
const (
	standingUsable      = "usable"
	standingExpired     = "expired"
	standingRetired     = "retired"
	standingCompromised = "compromised"
)

// standingReason says why a key did not serve at some time; "" when it did.
func standingReason(standing string) string {
	switch standing {
	case standingUsable:
		return ""
	case standingRetired:
		return ReasonRetired
	case standingCompromised:
		return ReasonRevoked
	}
	return ReasonExpired
}

// compromisedSince: the key of the sender, or that of its broker which dates
// the deposit, was good then and revoked as compromised, or without reason,
// since: a person must decide.
func (b *Broker) compromisedSince(a *arrival) bool {
	for _, fpr := range []string{a.signer, a.stamper} {
		if at, compromised, revoked := b.keys.RevokedAt(fpr); revoked && compromised && !at.After(b.now()) {
			return true
		}
	}
	return false
}

func near(a, b time.Time, d time.Duration) error {
	if a.Sub(b) > d || b.Sub(a) > d {
		return ErrFormat
	}
	return nil
}

// takeBody makes the ciphertext durable unless a pli of this journal holds it;
// a file that none names was left by a failure, and start-up sweeps it. Bytes
// that are not those of the signed header are a fault of the carriage, not of
// the sender: they are dropped, and the carrier asked to come again.
func (b *Broker) takeBody(ctx context.Context, a *arrival) error {
	h := a.pli.Header
	err := b.journal.View(func(v journal.View) error {
		a.held = v.HasBlob(journal.BodyName(h.BodySHA256))
		return nil
	})
	if err != nil || a.held {
		return err
	}
	if a.parcel.Body == nil {
		return temporary("body", errNoBody)
	}
	src, err := a.parcel.Body(ctx)
	if err != nil {
		return temporary("body", err)
	}
	defer src.Close()
	if h.BodySize <= journal.InlineBody {
		a.pli.Body, err = smallBlob(src, h.BodySize, h.BodySHA256)
	} else {
		a.pli.Body, err = b.largeBlob(src, h.BodySize, h.BodySHA256)
	}
	if err != nil {
		return temporary("body", err)
	}
	return nil
}

// judgeBody opens the body as the recipient and reads it to its end.
func (b *Broker) judgeBody(ctx context.Context, a *arrival) (string, error) {
	h := &a.pli.Header
	src, err := b.bodyOf(a)
	if err != nil {
		return "", err
	}
	defer src.Close()
	o, err := b.keys.Open(ctx, src, src.Size(), string(a.recipient), string(h.From))
	if err != nil {
		a.exact = exactReason(err)
		if ctx.Err() != nil || a.exact == "" || a.exact == "canceled" {
			return "", temporary("opening", err) // no verdict: a disk, a key that is not loaded
		}
		return openReason(err), nil
	}
	if o.Signer() != a.signer || near(o.SignedAt(), a.pli.Deposit.SignedAt(), Skew) != nil {
		return ReasonInnerSignature, nil
	}
	c, err := readBody(ctx, o, *h)
	var r *Refusal
	switch {
	case errors.As(err, &r) && r.Code == ReasonInvalid:
		return b.policyThen(c, a, ReasonInvalid), nil
	case errors.As(err, &r):
		return r.Code, nil
	case err != nil:
		return "", temporary("reading", err)
	}
	return b.policyThen(c, a, ""), nil
}

// policyThen is the policy's refusal, or else the code.
func (b *Broker) policyThen(c *Content, a *arrival, code string) string {
	h := a.pli.Header
	copied := !contains(h.To, a.recipient)
	if _, known := schemas.Lookup(c.Inner.Kind); known && b.allowed(c.Inner.Kind, h.From, a.recipient, copied) != nil {
		return ReasonForbidden
	}
	if f, ok := b.dir.Load().Party(h.From); ok && c.Document != nil && c.Document.CheckSender(schemas.Role(f.Role)) != nil {
		return ReasonInvalid
	}
	return code
}

func contains(list []PartyID, p PartyID) bool {
	for _, q := range list {
		if q == p {
			return true
		}
	}
	return false
}

// bodyOf is the ciphertext of an arrival: just taken and small, or held.
func (b *Broker) bodyOf(a *arrival) (journal.Body, error) {
	if a.pli.Body.Bytes != nil {
		return newMemoryBody(a.pli.Body.Bytes), nil
	}
	src, err := b.journal.Bodies().Open(a.pli.Header.BodySHA256)
	if err != nil {
		return nil, temporary("body", err)
	}
	return src, nil
}

// openReason maps what the crypto side says to a code of the wire. What
// depends on a private key is one word only: no oracle.
func openReason(err error) string {
	switch reasonOf(err) {
	case "signer_unknown", "several_signatures", "bad_signature", "unsigned":
		return ReasonInnerSignature
	case "not_addressed", "not_intended":
		return ReasonNotAddressee
	case "too_large":
		return ReasonTooLarge
	}
	return ReasonUnreadable
}
