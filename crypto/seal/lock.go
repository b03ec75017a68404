package seal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/ProtonMail/go-crypto/openpgp/s2k"
)

// LockFormat is how a private key is encrypted under a passphrase.
type LockFormat uint8

const (
	// LockArgon2 is for our own disk: Argon2id (64 MiB, 3 passes) and AES-256-OCB,
	// RFC 9580 sections 3.7.1.4 and 3.7.2.1. About 0.3 s to open.
	LockArgon2 LockFormat = iota + 1
	// LockIterated is for others: iterated SHA-256 at the highest count that gpg
	// 2.2 reads, AES-256-CFB, RFC 9580 section 3.7.1.3.
	LockIterated
)

const (
	maxIterated     = 65011712 // the highest count that RFC 9580 can express
	maxArgon2Memory = 18       // power of two, in KiB: 256 MiB
	maxArgon2Passes = 10
)

// Lock returns the transferable secret key, binary, under a passphrase. There
// is no way to write one in clear: ErrNoPassphrase.
func (i *Identity) Lock(passphrase []byte, f LockFormat) (b []byte, err error) {
	defer rescue(reasonFormat, &err)
	if len(passphrase) == 0 {
		return nil, ErrNoPassphrase
	}
	cfg := &packet.Config{DefaultCipher: packet.CipherAES256}
	switch f {
	case LockArgon2:
		cfg.S2KConfig = &s2k.Config{S2KMode: s2k.Argon2S2K}
		cfg.AEADConfig = &packet.AEADConfig{DefaultMode: packet.AEADModeOCB}
	case LockIterated:
		cfg.S2KConfig = &s2k.Config{S2KMode: s2k.IteratedSaltedS2K, S2KCount: maxIterated}
	default:
		return nil, fmt.Errorf("seal: lock: unknown format %d", f)
	}
	// Encryption happens in place: on copies, so that this identity stays open.
	locked := make([]*packet.PrivateKey, len(i.secret))
	for n, s := range i.secret {
		if s == nil {
			return nil, fmt.Errorf("seal: lock: a private subkey is missing")
		}
		c := *s
		locked[n] = &c
	}
	if err := packet.EncryptPrivateKeys(locked, passphrase, cfg); err != nil {
		return nil, fmt.Errorf("seal: lock: %w", err)
	}
	raw := make([][]byte, len(locked))
	for n, s := range locked {
		var out bytes.Buffer
		if err := s.Serialize(&out); err != nil {
			return nil, fmt.Errorf("seal: lock: %w", err)
		}
		raw[n] = out.Bytes()
	}
	return i.cert.assemble(raw[0], func(n int) []byte { return raw[n+1] }), nil
}

// Unlock reads one transferable secret key, binary or armored, with the
// private part of every key. The certificate inside passes the checks of
// ParseCert first. A key that is not protected is read only with an empty
// passphrase, which says that the caller knows.
//
// It returns ErrPassphrase, or an *Error.
func Unlock(b, passphrase []byte) (id *Identity, err error) {
	defer rescue(reasonFormat, &err)
	if len(b) > maxCertInput {
		return nil, refusef(reasonTooLarge, "key beyond its cap")
	}
	if bytes.HasPrefix(b, []byte("-----")) {
		if b, err = dearmor(blockSecret, b); err != nil {
			return nil, err
		}
	}
	packets, err := splitPackets(b, maxCertPacket)
	if err != nil {
		return nil, err
	}
	cert, secrets, err := openParts(packets)
	if err != nil {
		return nil, err
	}
	id = &Identity{cert: cert, secret: make([]*packet.PrivateKey, len(cert.keys))}
	for n := range cert.keys {
		s, err := parseSecret(secrets, cert.keys[n].pub, len(passphrase) == 0)
		if err != nil {
			return nil, err
		}
		id.secret[n] = s
	}
	if err := packet.DecryptPrivateKeys(id.secret, passphrase); err != nil {
		return nil, ErrPassphrase
	}
	return id, nil
}

// openParts makes the public certificate out of a secret key, so that nothing
// of the secret part is touched before the certificate was found sound.
func openParts(packets []packet.OpaquePacket) (*Cert, []packet.OpaquePacket, error) {
	var public, secrets []packet.OpaquePacket
	for _, o := range packets {
		switch o.Tag {
		case tagSecret, tagSecretSub:
			secrets = append(secrets, o)
			part, err := publicPart(o)
			if err != nil {
				return nil, nil, err
			}
			if part == nil {
				continue
			}
			public = append(public, *part)
		case tagPublic, tagPublicSub:
			return nil, nil, refusef(reasonFormat, "public key among private ones")
		default:
			public = append(public, o)
		}
	}
	cert, err := parseCert(public)
	return cert, secrets, err
}

// publicPart cuts the public fields out of a secret key packet. For an
// algorithm that is not used here it keeps the six bytes that say so, and the
// subkey is dropped.
func publicPart(o packet.OpaquePacket) (*packet.OpaquePacket, error) {
	p := packet.OpaquePacket{Tag: tagPublic, Contents: o.Contents}
	if o.Tag == tagSecretSub {
		p.Tag = tagPublicSub
	}
	pub, err := parsePublic(p)
	if err != nil {
		return nil, err
	}
	if pub == nil {
		p.Contents = p.Contents[:6]
		return &p, nil
	}
	n, err := publicLength(pub)
	if err != nil {
		return nil, err
	}
	p.Contents = o.Contents[:n]
	return &p, nil
}

// publicLength is the length of the body of a public key packet.
func publicLength(pub *packet.PublicKey) (int, error) {
	var out bytes.Buffer
	if err := pub.SerializeForHash(&out); err != nil {
		return 0, refuse(reasonFormat, err)
	}
	return out.Len() - 3, nil // 0x99 and a two-byte length, RFC 9580 section 5.2.4
}

func parseSecret(secrets []packet.OpaquePacket, pub *packet.PublicKey, clear bool) (*packet.PrivateKey, error) {
	for _, o := range secrets {
		part, err := publicPart(o)
		if err != nil {
			return nil, err
		}
		if len(part.Contents) <= 6 {
			continue
		}
		got, err := parsePublic(*part)
		if err != nil {
			return nil, err
		}
		if got == nil || !bytes.Equal(got.Fingerprint, pub.Fingerprint) {
			continue
		}
		if err := checkCost(o.Contents[len(part.Contents):]); err != nil {
			return nil, err
		}
		parsed, err := o.Parse()
		s, ok := parsed.(*packet.PrivateKey)
		if err != nil || !ok || s.Dummy() {
			return nil, refuse(reasonFormat, errors.Join(errors.New("private part that cannot be read"), err))
		}
		if !s.Encrypted && !clear {
			return nil, refusef(reasonFormat, "private key that is not protected")
		}
		return s, nil
	}
	return nil, refusef(reasonFormat, "private part missing")
}

// checkCost refuses parameters that would take gigabytes or minutes to try:
// Argon2 may ask 2 TiB (RFC 9580 section 3.7.1.4).
func checkCost(secret []byte) error {
	if len(secret) < 3 || secret[0] != byte(packet.S2KAEAD) {
		return nil
	}
	spec := secret[3:] // usage, cipher, AEAD mode
	if len(spec) < 20 || s2k.Mode(spec[0]) != s2k.Argon2S2K {
		return nil
	}
	if passes, memory := spec[17], spec[19]; passes > maxArgon2Passes || memory > maxArgon2Memory {
		return refusef(reasonTooLarge, "passphrase parameters beyond the cap")
	}
	return nil
}

// LockArmored returns several identities as one armored block of private keys,
// LockIterated: for people and their tools.
func LockArmored(ids []*Identity, passphrase []byte) ([]byte, error) {
	var all []byte
	for _, id := range ids {
		b, err := id.Lock(passphrase, LockIterated)
		if err != nil {
			return nil, err
		}
		all = append(all, b...)
	}
	return enarmor(blockSecret, all), nil
}
