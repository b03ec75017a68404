package seal

import (
	"crypto"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"time"

	pgp "github.com/ProtonMail/go-crypto/openpgp/v2"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const defaultLifetime = 3 * 365 * 24 * time.Hour

// Identity is a certificate with its private keys, unlocked, in memory. It
// never changes and is safe for concurrent use. It prints as its fingerprint.
type Identity struct {
	cert   *Cert
	secret []*packet.PrivateKey // in the order of cert.keys
}

// Options of Generate. The zero value makes a certificate that signs and
// receives, from now, for three years.
type Options struct {
	SignOnly bool          // no encryption subkey: for brokers
	Created  time.Time     // zero: now
	Lifetime time.Duration // whole seconds; zero: three years
	Rand     io.Reader     // nil: crypto/rand
}

// Generate makes a v4 certificate: Ed25519 to certify and sign and, unless
// SignOnly, a Curve25519 ECDH subkey, both under their legacy identifiers,
// which every client opens (RFC 9580 section 9.1, algorithms 22 and 18). It
// announces SEIPDv1 only, AES-256, SHA-256 and no compression.
//
// The user id is any UTF-8 text of 1 to 200 bytes on one line.
func Generate(userID string, o Options) (id *Identity, err error) {
	defer rescue(reasonFormat, &err)
	if userID == "" || len(userID) > 200 || strings.ContainsFunc(userID, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' }) {
		return nil, refusef(reasonFormat, "user id that is not one line of text")
	}
	if o.Created.IsZero() {
		o.Created = time.Now()
	}
	if o.Lifetime == 0 {
		o.Lifetime = defaultLifetime
	}
	seconds := o.Lifetime / time.Second
	if seconds <= 0 || seconds > math.MaxUint32 {
		return nil, refusef(reasonFormat, "lifetime out of bounds")
	}
	cfg := signing(o.Created, o.Rand)
	cfg.Algorithm = packet.PubKeyAlgoEdDSA
	cfg.Curve = packet.Curve25519
	// The library makes the keys; its self-signatures are not kept, to choose
	// every announced preference and to keep the user id as given.
	e, err := pgp.NewEntity("x", "", "", cfg)
	if err != nil {
		return nil, fmt.Errorf("seal: generate: %w", err)
	}
	secret := []*packet.PrivateKey{e.PrivateKey}
	if !o.SignOnly {
		secret = append(secret, e.Subkeys[0].PrivateKey)
	}
	packets, err := selfSign(secret, userID, uint32(seconds), cfg)
	if err != nil {
		return nil, fmt.Errorf("seal: generate: %w", err)
	}
	cert, err := ParseCert(packets)
	if err != nil {
		return nil, err
	}
	return &Identity{cert: cert, secret: secret}, nil
}

// selfSign writes the public certificate of fresh keys: primary, then at most
// one encryption subkey.
func selfSign(secret []*packet.PrivateKey, userID string, lifetime uint32, cfg *packet.Config) ([]byte, error) {
	var out strings.Builder
	primary := secret[0]
	if err := primary.PublicKey.Serialize(&out); err != nil {
		return nil, err
	}
	user, err := serialize(tagUserID, []byte(userID))
	if err != nil {
		return nil, err
	}
	out.Write(user)
	yes := true
	self := newSignature(primary, packet.SigTypePositiveCert, cfg)
	self.KeyLifetimeSecs = &lifetime
	self.IsPrimaryId = &yes
	self.FlagsValid, self.FlagCertify, self.FlagSign = true, true, true
	self.SEIPDv1 = true
	self.PreferredSymmetric = []uint8{uint8(packet.CipherAES256), uint8(packet.CipherAES128)}
	self.PreferredHash = []uint8{8, 10} // SHA-256, SHA-512
	self.PreferredCompression = []uint8{uint8(packet.CompressionNone)}
	if err := self.SignUserId(userID, &primary.PublicKey, primary, cfg); err != nil {
		return nil, err
	}
	if err := self.Serialize(&out); err != nil {
		return nil, err
	}
	for _, sub := range secret[1:] {
		bind := newSignature(primary, packet.SigTypeSubkeyBinding, cfg)
		bind.KeyLifetimeSecs = &lifetime
		bind.FlagsValid, bind.FlagEncryptStorage, bind.FlagEncryptCommunications = true, true, true
		if err := bind.SignKey(&sub.PublicKey, primary, cfg); err != nil {
			return nil, err
		}
		if err := sub.PublicKey.Serialize(&out); err != nil {
			return nil, err
		}
		if err := bind.Serialize(&out); err != nil {
			return nil, err
		}
	}
	return []byte(out.String()), nil
}

// signing is the configuration of everything that we make: at the real time,
// without the random notation that some mail readers print as noise, without
// compression.
func signing(at time.Time, random io.Reader) *packet.Config {
	if random == nil {
		random = rand.Reader
	}
	never := false
	return &packet.Config{
		Rand:                                  random,
		Time:                                  func() time.Time { return at },
		DefaultHash:                           crypto.SHA256,
		DefaultCipher:                         packet.CipherAES256,
		DefaultCompressionAlgo:                packet.CompressionNone,
		NonDeterministicSignaturesViaNotation: &never,
	}
}

func newSignature(by *packet.PrivateKey, kind packet.SignatureType, cfg *packet.Config) *packet.Signature {
	id := by.KeyId
	return &packet.Signature{
		Version:           4,
		SigType:           kind,
		PubKeyAlgo:        by.PubKeyAlgo,
		Hash:              cfg.Hash(),
		CreationTime:      cfg.Now(),
		IssuerKeyId:       &id,
		IssuerKeyVersion:  4,
		IssuerFingerprint: by.Fingerprint,
	}
}

// Cert returns the certificate.
func (i *Identity) Cert() *Cert { return i.cert }

// WithCert returns the same private keys with what c adds to the certificate
// (a revocation, a new expiry). A certificate of another key changes nothing.
func (i *Identity) WithCert(c *Cert) *Identity {
	m := Merge(i.cert, c)
	byKey := make(map[uint64]*packet.PrivateKey, len(i.secret))
	for _, s := range i.secret {
		if s != nil {
			byKey[s.KeyId] = s
		}
	}
	out := &Identity{cert: m, secret: make([]*packet.PrivateKey, len(m.keys))}
	for n := range m.keys {
		out.secret[n] = byKey[m.keys[n].pub.KeyId]
	}
	return out
}

// Revoke returns the certificate with its revocation attached: superseded or,
// if compromised, hard. The identity itself does not change: give the result to
// WithCert, and publish it.
func (i *Identity) Revoke(at time.Time, compromised bool) (c *Cert, err error) {
	defer rescue(reasonFormat, &err)
	reason := packet.KeySuperseded
	if compromised {
		reason = packet.KeyCompromised
	}
	cfg := signing(at, nil)
	primary := i.secret[0]
	sig := newSignature(primary, packet.SigTypeKeyRevocation, cfg)
	sig.RevocationReason = &reason
	if err := sig.RevokeKey(&primary.PublicKey, primary, cfg); err != nil {
		return nil, fmt.Errorf("seal: revoke: %w", err)
	}
	var out strings.Builder
	out.Write(i.cert.primary.raw)
	if err := sig.Serialize(&out); err != nil {
		return nil, fmt.Errorf("seal: revoke: %w", err)
	}
	out.Write(i.cert.raw[len(i.cert.primary.raw):])
	return ParseCert([]byte(out.String()))
}

// signer returns the private key to sign with at that date.
func (i *Identity) signer(at time.Time) (*packet.PrivateKey, error) {
	k, s := i.cert.pick(at, ToSign)
	if s == Usable {
		if secret := i.secretOf(k.pub.KeyId); secret != nil {
			return secret, nil
		}
		s = Unfit
	}
	return nil, &UnusableError{Fingerprint: i.cert.fp, Standing: s, At: at}
}

func (i *Identity) secretOf(id uint64) *packet.PrivateKey {
	for _, s := range i.secret {
		if s != nil && s.KeyId == id {
			return s
		}
	}
	return nil
}

// Format, MarshalJSON and LogValue keep private keys out of every print.
func (i *Identity) Format(s fmt.State, _ rune)   { io.WriteString(s, "identity "+string(i.cert.fp)) }
func (i *Identity) MarshalJSON() ([]byte, error) { return []byte(`"` + string(i.cert.fp) + `"`), nil }
func (i *Identity) LogValue() slog.Value         { return slog.StringValue(string(i.cert.fp)) }
