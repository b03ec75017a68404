package seal

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"hash"
	"time"

	_ "crypto/sha256" // the accepted hashes, linked in
	_ "crypto/sha512"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const maxSignature = 16 << 10 // bytes of one armored signature, and of one packet

// Sign returns a detached signature of data: one armored block without
// headers, binary type, SHA-256, dated now.
//
// It returns *UnusableError when the certificate may not sign at that date.
func Sign(ctx context.Context, by *Identity, data []byte, now time.Time) (b []byte, err error) {
	defer rescue(reasonFormat, &err)
	if err := canceled(ctx); err != nil {
		return nil, err
	}
	key, err := by.signer(now)
	if err != nil {
		return nil, err
	}
	cfg := signing(now, nil)
	sig := newSignature(key, packet.SigTypeBinary, cfg)
	h := sig.Hash.New()
	h.Write(data)
	if err := sig.Sign(h, key, cfg); err != nil {
		return nil, fmt.Errorf("seal: sign: %w", err)
	}
	var out bytes.Buffer
	if err := sig.Serialize(&out); err != nil {
		return nil, fmt.Errorf("seal: sign: %w", err)
	}
	return enarmor(blockSignature, out.Bytes()), nil
}

// Verify checks one detached signature of data, and nothing else in sig. It
// returns the fingerprint of the certificate of by that made it and the date
// that the signer gives.
//
// The key must exist at that date and be meant to sign; a subkey must also be
// neither expired nor revoked at that date. Whether the certificate was is not
// judged here: ask Cert.Standing, with a date that is not the signer's own, and
// Cert.Revocation, since a thief chooses the date. It returns an *Error with an exact reason: no secret is
// involved.
func Verify(data, sig []byte, by []*Cert) (signer string, at time.Time, err error) {
	defer rescue(reasonFormat, &err)
	if len(sig) > maxSignature {
		return "", time.Time{}, refusef(reasonTooLarge, "signature beyond its cap")
	}
	if !bytes.HasPrefix(sig, []byte("-----BEGIN "+blockSignature+"-----\n\n")) || bytes.IndexByte(sig, '\r') >= 0 {
		// The wire has no armor headers, where text in clear could travel, and
		// one line end only.
		return "", time.Time{}, refusef(reasonFormat, "armor of another form than the wire's")
	}
	raw, err := dearmor(blockSignature, sig)
	if err != nil {
		return "", time.Time{}, err
	}
	packets, err := splitPackets(raw, maxSignature)
	if err != nil {
		return "", time.Time{}, err
	}
	for i, p := range packets {
		switch {
		case p.Tag != tagSignature:
			return "", time.Time{}, refusef(reasonFormat, "not only a signature")
		case i > 0:
			return "", time.Time{}, refusef(reasonSeveralSignatures, "several signatures")
		}
	}
	s, err := parseSignature(packets[0])
	if err != nil {
		return "", time.Time{}, err
	}
	key, cert := expected(by, *s.IssuerKeyId)
	if key == nil {
		return "", time.Time{}, refusef(reasonSignerUnknown, "none of the expected certificates")
	}
	h := s.Hash.New()
	h.Write(data)
	if err := checkSignature(s, key, h); err != nil {
		return "", time.Time{}, err
	}
	return string(cert.fp), s.CreationTime.UTC(), nil
}

// parseSignature accepts only what can be checked fully and for ever: version
// 4, on binary data, a sound hash, an issuer, no end of its own and no critical
// notation.
func parseSignature(o packet.OpaquePacket) (*packet.Signature, error) {
	parsed, err := o.Parse()
	sig, ok := parsed.(*packet.Signature)
	if err != nil || !ok {
		if len(o.Contents) > 3 && o.Contents[0] == 4 && !strongID(o.Contents[3]) {
			return nil, refusef(reasonWeakAlgorithm, "hash that is not accepted")
		}
		return nil, refuse(reasonBadSignature, err)
	}
	switch {
	case sig.Version != 4, sig.SigType != packet.SigTypeBinary:
		return nil, refusef(reasonFormat, "signature of another kind")
	case !strong(sig.Hash):
		return nil, refusef(reasonWeakAlgorithm, "hash that is not accepted")
	case sig.IssuerKeyId == nil:
		return nil, refusef(reasonSignerUnknown, "signature without an issuer")
	case sig.SigLifetimeSecs != nil && *sig.SigLifetimeSecs != 0:
		// It would stop proving anything: gpg would say so to a clerk.
		return nil, refusef(reasonBadSignature, "signature that expires")
	case critical(sig):
		return nil, refusef(reasonBadSignature, "signature with a critical notation")
	}
	return sig, nil
}

// strongID is strong for the identifiers of RFC 9580 section 9.5.
func strongID(id byte) bool { return id == 8 || id == 9 || id == 10 }

func strongHash(id byte) (crypto.Hash, bool) {
	switch id {
	case 8:
		return crypto.SHA256, true
	case 9:
		return crypto.SHA384, true
	case 10:
		return crypto.SHA512, true
	}
	return 0, false
}

// expected finds the key that a signature names. by is one owner's
// certificates: a handful.
func expected(by []*Cert, id uint64) (*key, *Cert) {
	for _, c := range by {
		if k := c.named(id); k != nil {
			return k, c
		}
	}
	return nil, nil
}

// checkSignature verifies with the key itself, not through an entity of the
// library, whose verdict would mix in expiry and revocation at a date that the
// signer chose. Cert.Standing speaks for the primary key only: of a subkey,
// what the signature itself claims must hold at least. h has hashed the data and is spent.
func checkSignature(sig *packet.Signature, k *key, h hash.Hash) error {
	switch {
	case !sig.CheckKeyIdOrFingerprint(k.pub):
		return refusef(reasonSignerUnknown, "issuer is another key with the same id")
	case !k.sign:
		return refusef(reasonBadSignature, "key not meant to sign")
	case sig.CreationTime.Unix() < k.pub.CreationTime.Unix():
		return refusef(reasonBadSignature, "signature older than its key")
	case k.pub.IsSubkey && k.standing(sig.CreationTime) != Usable:
		return refusef(reasonBadSignature, "subkey that was %s", k.standing(sig.CreationTime))
	}
	// The library does not compare these two bytes for v4 (RFC 9580 section
	// 5.2.3); checking them leaves one thing less to alter unseen.
	if c, ok := h.(hash.Cloner); ok {
		tag, err := c.Clone()
		if err != nil {
			return refuse(reasonBadSignature, err)
		}
		if err := packet.VerifyHashTag(tag, sig); err != nil {
			return refuse(reasonBadSignature, err)
		}
	}
	if err := k.pub.VerifySignature(h, sig); err != nil {
		return refuse(reasonBadSignature, err)
	}
	return nil
}
