package seal

import (
	"bytes"
	"crypto"
	"errors"
	"slices"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Caps of ParseCert: on what comes in, on what is kept, on the work done.
const (
	maxCertInput    = 1 << 20  // bytes read, third-party signatures included
	maxCertBytes    = 64 << 10 // bytes kept
	maxCertPacket   = 32 << 10
	maxSubkeys      = 32
	maxVerification = 200 // public-key operations
	minRSABits      = 3072
	maxRSABits      = 4096
)

// ParseCert reads one certificate, binary or armored, checks all of its
// self-signatures and keeps what is needed: one user id, the newest
// self-signatures, the revocations. Signatures of others, photographs, unknown
// packets and subkeys of algorithms that gpg 2.2 cannot read are dropped.
//
// It returns an *Error: "format" for anything that is not exactly one v4
// certificate (secret material, a user id or a subkey without a valid
// self-signature, a second certificate), "weak_algorithm" for RSA under 3072 or
// over 4096 bits, other refused algorithms, or self-signatures that only
// SHA-1 or MD5 hold together, "too_large", "truncated".
func ParseCert(b []byte) (c *Cert, err error) {
	defer rescue(reasonFormat, &err)
	if len(b) > maxCertInput {
		return nil, refusef(reasonTooLarge, "certificate beyond its cap")
	}
	if bytes.HasPrefix(b, []byte("-----")) {
		if b, err = dearmor(blockPublic, b); err != nil {
			return nil, err
		}
	}
	packets, err := splitPackets(b, maxCertPacket)
	if err != nil {
		return nil, err
	}
	return parseCert(packets)
}

func parseCert(packets []packet.OpaquePacket) (*Cert, error) {
	groups, err := groupPackets(packets)
	if err != nil {
		return nil, err
	}
	c := &Cert{}
	p := certParser{}
	if err := p.parsePrimary(c, groups[0]); err != nil {
		return nil, err
	}
	var users []userPart
	for _, g := range groups[1:] {
		switch g.head.Tag {
		case tagUserID:
			u, err := p.parseUser(g)
			if err != nil {
				return nil, err
			}
			if u != nil {
				users = append(users, *u)
			}
		case tagPublicSub:
			if err := p.parseSub(c, g); err != nil {
				return nil, err
			}
		}
	}
	if len(users) == 0 {
		return nil, refusef(reasonFormat, "no valid user id")
	}
	c.user = slices.MaxFunc(users, compareUsers)
	c.derive()
	if len(c.raw) > maxCertBytes {
		return nil, refusef(reasonTooLarge, "certificate beyond its cap")
	}
	return c, nil
}

// compareUsers prefers the user id marked primary, then the newest.
func compareUsers(a, b userPart) int {
	primary := func(u userPart) int {
		if p := u.self.sig.IsPrimaryId; p != nil && *p {
			return 1
		}
		return 0
	}
	if d := primary(a) - primary(b); d != 0 {
		return d
	}
	return a.self.sig.CreationTime.Compare(b.self.sig.CreationTime)
}

// group is a packet and the signatures that follow it.
type group struct {
	head packet.OpaquePacket
	sigs []packet.OpaquePacket
}

// groupPackets also refuses, before anything is parsed, what has no place in
// one certificate: secret keys first of all.
func groupPackets(packets []packet.OpaquePacket) ([]group, error) {
	var out []group
	for i, p := range packets {
		switch {
		case p.Tag == tagSecret || p.Tag == tagSecretSub:
			return nil, refusef(reasonFormat, "secret key material in a certificate")
		case i == 0 && p.Tag != tagPublic || i > 0 && p.Tag == tagPublic:
			return nil, refusef(reasonFormat, "not exactly one certificate")
		case p.Tag == tagSignature:
			g := &out[len(out)-1]
			g.sigs = append(g.sigs, p)
		case p.Tag == tagPublic, p.Tag == tagUserID, p.Tag == tagPublicSub, p.Tag == tagUserAttr:
			out = append(out, group{head: p})
		case p.Tag == tagTrust, p.Tag == tagMarker, p.Tag == tagPadding, p.Tag >= 40:
			// Local notes and what RFC 9580 section 4.3 allows to ignore.
		default:
			return nil, refusef(reasonFormat, "packet that has no place in a certificate")
		}
	}
	if len(out) == 0 {
		return nil, refusef(reasonFormat, "empty certificate")
	}
	return out, nil
}

// certParser verifies with the primary key, within a budget of operations.
type certParser struct {
	primary *packet.PublicKey
	spent   int
}

func (p *certParser) parsePrimary(c *Cert, g group) error {
	pub, err := parsePublic(g.head)
	if err != nil {
		return err
	}
	if pub == nil || !pub.PubKeyAlgo.CanSign() {
		return refusef(reasonWeakAlgorithm, "primary key of a refused algorithm")
	}
	p.primary = pub
	c.primary.pub = pub
	if c.primary.raw, err = serialize(tagPublic, g.head.Contents); err != nil {
		return refuse(reasonFormat, err)
	}
	sigs := p.own(g.sigs)
	if c.primary.direct, _, err = p.newest(sigs, []packet.SignatureType{packet.SigTypeDirectSignature}, pub.VerifyDirectKeySignature); err != nil {
		return err
	}
	c.primary.revocations, err = p.revoked(sigs, packet.SigTypeKeyRevocation, pub.VerifyRevocationSignature)
	return err
}

// certifications are the four kinds of RFC 9580 section 5.2.1.4 and following.
func certifications() []packet.SignatureType {
	return []packet.SignatureType{packet.SigTypeGenericCert, packet.SigTypePersonaCert,
		packet.SigTypeCasualCert, packet.SigTypePositiveCert}
}

// parseUser returns nil for a user id that its owner revoked.
func (p *certParser) parseUser(g group) (*userPart, error) {
	if len(g.head.Contents) > 1024 {
		return nil, refusef(reasonTooLarge, "user id beyond its cap")
	}
	u := &userPart{id: string(g.head.Contents)}
	verify := func(sig *packet.Signature) error {
		return p.primary.VerifyUserIdSignature(u.id, p.primary, sig)
	}
	sigs := p.own(g.sigs)
	self, weak, err := p.newest(sigs, certifications(), verify)
	if err != nil {
		return nil, err
	}
	if self == nil {
		return nil, missing("user id", weak)
	}
	u.self = self
	end, _, err := p.newest(sigs, []packet.SignatureType{packet.SigTypeCertificationRevocation}, verify)
	if err != nil {
		return nil, err
	}
	if end != nil && !end.sig.CreationTime.Before(self.sig.CreationTime) {
		return nil, nil
	}
	if u.raw, err = serialize(tagUserID, g.head.Contents); err != nil {
		return nil, refuse(reasonFormat, err)
	}
	return u, nil
}

func (p *certParser) parseSub(c *Cert, g group) error {
	pub, err := parsePublic(g.head)
	if err != nil || pub == nil {
		return err // nil, nil: an algorithm that we do not use, dropped
	}
	if len(c.subs) == maxSubkeys {
		return refusef(reasonTooLarge, "more subkeys than the cap")
	}
	sigs := p.own(g.sigs)
	s := subPart{pub: pub}
	verify := func(sig *packet.Signature) error {
		if e := sig.EmbeddedSignature; sig.FlagSign && (e == nil || !strong(e.Hash)) {
			return errors.New("signing subkey without a sound back signature")
		}
		return p.primary.VerifyKeySignature(pub, sig)
	}
	self, weak, err := p.newest(sigs, []packet.SignatureType{packet.SigTypeSubkeyBinding}, verify)
	if err != nil {
		return err
	}
	if self == nil {
		return missing("subkey", weak)
	}
	s.self = self
	s.revocations, err = p.revoked(sigs, packet.SigTypeSubkeyRevocation, func(sig *packet.Signature) error {
		return p.primary.VerifySubkeyRevocationSignature(sig, pub)
	})
	if err != nil {
		return err
	}
	if s.raw, err = serialize(tagPublicSub, g.head.Contents); err != nil {
		return refuse(reasonFormat, err)
	}
	c.subs = append(c.subs, s)
	return nil
}

func missing(what string, weak bool) error {
	if weak {
		return refusef(reasonWeakAlgorithm, "%s held by a weak self-signature only", what)
	}
	return refusef(reasonFormat, "%s without a valid self-signature", what)
}

// own parses the signatures that claim to be the primary key's, newest first.
// Others are third parties', and dropped; so is what cannot be read.
func (p *certParser) own(raw []packet.OpaquePacket) []*selfSig {
	var out []*selfSig
	for _, o := range raw {
		parsed, err := o.Parse()
		sig, ok := parsed.(*packet.Signature)
		if err != nil || !ok || sig.Version != 4 || !sig.CheckKeyIdOrFingerprint(p.primary) {
			continue
		}
		b, err := serialize(tagSignature, o.Contents)
		if err == nil {
			out = append(out, &selfSig{raw: b, sig: sig})
		}
	}
	slices.SortStableFunc(out, func(a, b *selfSig) int {
		return b.sig.CreationTime.Compare(a.sig.CreationTime)
	})
	return out
}

// newest returns the newest sound and valid signature of the given types, or
// nil; weak tells that a valid one was passed over for its hash.
func (p *certParser) newest(sigs []*selfSig, types []packet.SignatureType, verify func(*packet.Signature) error) (found *selfSig, weak bool, err error) {
	for _, s := range sigs {
		if !slices.Contains(types, s.sig.SigType) || critical(s.sig) {
			continue
		}
		if !strong(s.sig.Hash) {
			weak = true
			continue
		}
		if err := p.spend(); err != nil {
			return nil, weak, err
		}
		if verify(s.sig) == nil {
			return s, weak, nil
		}
	}
	return nil, weak, nil
}

// revoked returns the earliest valid revocations. Their hash may be weak: to
// believe a forged revocation stops mail, to ignore a true one gives it away.
func (p *certParser) revoked(sigs []*selfSig, kind packet.SignatureType, verify func(*packet.Signature) error) (r revocations, err error) {
	for _, s := range sigs {
		if s.sig.SigType != kind {
			continue
		}
		if err := p.spend(); err != nil {
			return r, err
		}
		if verify(s.sig) != nil {
			continue
		}
		if soft(s.sig) {
			r.soft = s // newest first, so the last is the earliest
		} else {
			r.hard = s
		}
	}
	return r, nil
}

func (p *certParser) spend() error {
	if p.spent++; p.spent > maxVerification {
		return refusef(reasonTooLarge, "certificate that asks too much work")
	}
	return nil
}

// soft tells the revocations that leave the past valid: superseded, retired
// (RFC 9580 section 5.2.3.31). Any other, or no reason, is as a compromise.
func soft(sig *packet.Signature) bool {
	r := sig.RevocationReason
	return r != nil && (*r == packet.KeySuperseded || *r == packet.KeyRetired)
}

// critical tells a signature that asks its reader to understand a notation.
// This package knows none.
func critical(sig *packet.Signature) bool {
	return slices.ContainsFunc(sig.Notations, func(n *packet.Notation) bool { return n.IsCritical })
}

// strong lists the hashes accepted in signatures: what gpg 2.2 also reads.
func strong(h crypto.Hash) bool {
	return h == crypto.SHA256 || h == crypto.SHA384 || h == crypto.SHA512
}

// parsePublic returns nil, without error, for an algorithm that is not used
// here, and refuses one that is but too weak.
func parsePublic(o packet.OpaquePacket) (*packet.PublicKey, error) {
	parsed, err := o.Parse()
	pub, ok := parsed.(*packet.PublicKey)
	if err != nil || !ok {
		if len(o.Contents) > 5 && o.Contents[0] == 4 && !known(packet.PublicKeyAlgorithm(o.Contents[5])) {
			return nil, nil
		}
		return nil, refusef(reasonFormat, "key that cannot be read")
	}
	if pub.Version != 4 {
		return nil, refusef(reasonFormat, "key of version %d", pub.Version)
	}
	switch pub.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoRSAEncryptOnly:
		bits, err := pub.BitLength()
		if err != nil || bits < minRSABits || bits > maxRSABits {
			return nil, refusef(reasonWeakAlgorithm, "RSA modulus out of bounds")
		}
	case packet.PubKeyAlgoECDSA, packet.PubKeyAlgoECDH, packet.PubKeyAlgoEdDSA:
		curve, err := pub.Curve()
		if err != nil || !slices.Contains(curves(), curve) {
			return nil, refusef(reasonWeakAlgorithm, "curve that is not accepted")
		}
	default:
		return nil, nil
	}
	return pub, nil
}

func curves() []packet.Curve {
	return []packet.Curve{packet.Curve25519, packet.CurveNistP256, packet.CurveNistP384, packet.CurveNistP521}
}

func known(a packet.PublicKeyAlgorithm) bool {
	switch a {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoRSAEncryptOnly,
		packet.PubKeyAlgoECDSA, packet.PubKeyAlgoECDH, packet.PubKeyAlgoEdDSA:
		return true
	}
	return false
}
