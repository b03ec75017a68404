package seal

import (
	"bytes"
	"encoding/hex"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Fingerprint names a certificate: 40 lower-case hexadecimal digits, those of
// its primary key (v4, RFC 9580 section 5.5.4.2).
type Fingerprint string

// Use is what a certificate is asked to do.
type Use uint8

const (
	ToSign    Use = iota + 1 // make or check signatures on data
	ToEncrypt                // receive sealed messages
)

// Standing is what a certificate is worth for a use at a date.
type Standing uint8

const (
	_           Standing = iota // the zero value promises nothing
	Usable                      // valid for that use at that date
	NotYet                      // the date is before its creation
	Expired                     // the date is at or after its expiry
	Retired                     // superseded or retired, from the date of the revocation
	Compromised                 // revoked as compromised or without reason, from that date
	Unfit                       // no key of it is meant for that use
)

// String returns one word of a closed list; "unknown" for the zero value.
func (s Standing) String() string {
	switch s {
	case Usable:
		return "usable"
	case NotYet:
		return "not_yet"
	case Expired:
		return "expired"
	case Retired:
		return "retired"
	case Compromised:
		return "compromised"
	case Unfit:
		return "unfit"
	}
	return "unknown"
}

// Cert is a certificate whose self-signatures were all checked once, by
// ParseCert. It never changes afterwards and is safe for concurrent use.
type Cert struct {
	fp      Fingerprint
	primary primaryPart
	user    userPart
	subs    []subPart

	keys []key  // primary first; derived from the parts
	raw  []byte // binary form; derived from the parts
}

// primaryPart, userPart and subPart keep what survives stripping: the packet,
// the newest valid self-signature and the earliest revocation of each sort.
type primaryPart struct {
	raw    []byte
	pub    *packet.PublicKey
	direct *selfSig // may be nil
	revocations
}

type userPart struct {
	raw  []byte
	id   string
	self *selfSig
}

type subPart struct {
	raw  []byte
	pub  *packet.PublicKey
	self *selfSig
	revocations
}

type selfSig struct {
	raw []byte
	sig *packet.Signature
}

type revocations struct{ hard, soft *selfSig }

// key is one key of a certificate with what its signatures say of it. Dates
// are zero where there is none.
type key struct {
	pub           *packet.PublicKey
	bound         time.Time // date of the self-signature, to prefer the newest
	expires       time.Time
	hard, soft    time.Time
	sign, encrypt bool
}

// Fingerprint returns the name of the certificate.
func (c *Cert) Fingerprint() Fingerprint { return c.fp }

// UserID returns the one user id kept, for people; it proves nothing.
func (c *Cert) UserID() string { return c.user.id }

// Created returns the creation date of the primary key.
func (c *Cert) Created() time.Time { return c.primary.pub.CreationTime }

// KeyIDs returns the ids of its keys, primary first, to index it by them. An
// id is 64 bits: two certificates may share one.
func (c *Cert) KeyIDs() []uint64 {
	out := make([]uint64, len(c.keys))
	for i := range c.keys {
		out[i] = c.keys[i].pub.KeyId
	}
	return out
}

// Bytes returns the stripped certificate, binary. The caller may change it.
func (c *Cert) Bytes() []byte { return bytes.Clone(c.raw) }

// Armor returns the same in ASCII armor, for people and their tools.
func (c *Cert) Armor() []byte { return enarmor(blockPublic, c.raw) }

// Standing says what the certificate is worth at a date. A revocation counts
// from its own date on, also one for compromise: what to think of what came
// before belongs to the caller, who knows the dates of deposit.
//
// A signing subkey revoked as compromised compromises the certificate for
// signing, also when another key of it could sign: a signature names the
// certificate, and no reader could tell which key the thief of one has.
func (c *Cert) Standing(at time.Time, u Use) Standing {
	_, s := c.pick(at, u)
	return s
}

// Revocation returns the earliest revocation of the whole certificate, or of
// one of its signing subkeys as compromised (see Standing): Compromised before
// Retired when there are both.
func (c *Cert) Revocation() (at time.Time, s Standing, ok bool) {
	if hard := sooner(c.keys[0].hard, c.stolen()); !hard.IsZero() {
		return hard, Compromised, true
	}
	if soft := c.keys[0].soft; !soft.IsZero() {
		return soft, Retired, true
	}
	return time.Time{}, 0, false
}

// stolen is when the first signing subkey was revoked as compromised, or
// without reason; zero if none was.
func (c *Cert) stolen() (at time.Time) {
	for i := range c.keys[1:] {
		if k := &c.keys[1+i]; k.sign {
			at = sooner(at, k.hard)
		}
	}
	return at
}

// Expiry returns when the certificate stops doing something that it does now:
// the earliest of the expiries of the primary key and of the longest-lived key
// for each use. False if never.
func (c *Cert) Expiry() (time.Time, bool) {
	earliest := c.keys[0].expires
	for _, u := range []Use{ToSign, ToEncrypt} {
		latest, any := time.Time{}, false
		for i := range c.keys {
			k := &c.keys[i]
			if !k.serves(u) {
				continue
			}
			if k.expires.IsZero() {
				any = false
				break
			}
			any = true
			latest = later(latest, k.expires)
		}
		if any {
			earliest = sooner(earliest, latest)
		}
	}
	return earliest, !earliest.IsZero()
}

// pick returns the key to use at that date (newest usable) and Usable, or why
// there is none.
func (c *Cert) pick(at time.Time, u Use) (*key, Standing) {
	primary := &c.keys[0]
	if s := primary.standing(at); s != Usable {
		return nil, s
	}
	if u == ToSign && reached(c.stolen(), at) {
		return nil, Compromised
	}
	var best *key
	var newest *key
	for i := range c.keys {
		k := &c.keys[i]
		if !k.serves(u) {
			continue
		}
		if newest == nil || k.bound.After(newest.bound) {
			newest = k
		}
		// A subkey is preferred to the primary, as every implementation does.
		if k.standing(at) == Usable && (best == nil || best == primary || k.bound.After(best.bound)) {
			best = k
		}
	}
	switch {
	case best != nil:
		return best, Usable
	case newest != nil:
		return nil, newest.standing(at)
	}
	return nil, Unfit
}

func (k *key) serves(u Use) bool {
	return u == ToSign && k.sign || u == ToEncrypt && k.encrypt
}

// standing judges one key alone.
func (k *key) standing(at time.Time) Standing {
	switch {
	case !reached(k.pub.CreationTime, at):
		return NotYet
	case reached(k.hard, at):
		return Compromised
	case reached(k.soft, at):
		return Retired
	case reached(k.expires, at):
		return Expired
	}
	return Usable
}

// reached tells whether t, if there is one, is at or before at. OpenPGP dates
// are whole seconds.
func reached(t, at time.Time) bool { return !t.IsZero() && at.Unix() >= t.Unix() }

// named returns the key with this key id, or nil.
func (c *Cert) named(id uint64) *key {
	for i := range c.keys {
		if c.keys[i].pub.KeyId == id {
			return &c.keys[i]
		}
	}
	return nil
}

// derive computes keys and raw from the parts. Nothing is verified here: every
// part was when it was parsed.
func (c *Cert) derive() {
	c.fp = Fingerprint(hex.EncodeToString(c.primary.pub.Fingerprint))
	flags := c.user.self.sig
	if !flags.FlagsValid && c.primary.direct != nil {
		flags = c.primary.direct.sig
	}
	primary := key{pub: c.primary.pub, bound: c.user.self.sig.CreationTime}
	primary.expires = expiry(c.primary.pub, c.user.self.sig)
	if d := c.primary.direct; d != nil {
		primary.expires = sooner(primary.expires, expiry(c.primary.pub, d.sig))
	}
	primary.setFlags(flags)
	primary.setRevocations(c.primary.revocations)
	c.keys = []key{primary}
	for _, s := range c.subs {
		k := key{pub: s.pub, bound: s.self.sig.CreationTime, expires: expiry(s.pub, s.self.sig)}
		k.setFlags(s.self.sig)
		k.setRevocations(s.revocations)
		c.keys = append(c.keys, k)
	}
	c.raw = c.assemble(c.primary.raw, func(i int) []byte { return c.subs[i].raw })
}

// assemble concatenates the certificate with the given key packets: public
// ones, or locked secret ones.
func (c *Cert) assemble(primary []byte, sub func(int) []byte) []byte {
	var out bytes.Buffer
	write := func(s *selfSig) {
		if s != nil {
			out.Write(s.raw)
		}
	}
	out.Write(primary)
	write(c.primary.hard)
	write(c.primary.soft)
	write(c.primary.direct)
	out.Write(c.user.raw)
	write(c.user.self)
	for i := range c.subs {
		out.Write(sub(i))
		write(c.subs[i].hard)
		write(c.subs[i].soft)
		write(c.subs[i].self)
	}
	return out.Bytes()
}

func (k *key) setFlags(sig *packet.Signature) {
	k.sign = sig.FlagsValid && sig.FlagSign && k.pub.PubKeyAlgo.CanSign()
	k.encrypt = sig.FlagsValid && (sig.FlagEncryptCommunications || sig.FlagEncryptStorage) &&
		k.pub.PubKeyAlgo.CanEncrypt()
}

func (k *key) setRevocations(r revocations) {
	if r.hard != nil {
		k.hard = r.hard.sig.CreationTime
	}
	if r.soft != nil {
		k.soft = r.soft.sig.CreationTime
	}
}

// expiry is the end of a key's life as sig says it, including that of sig.
func expiry(pub *packet.PublicKey, sig *packet.Signature) (t time.Time) {
	if s := sig.KeyLifetimeSecs; s != nil && *s != 0 {
		t = pub.CreationTime.Add(time.Duration(*s) * time.Second)
	}
	if s := sig.SigLifetimeSecs; s != nil && *s != 0 {
		t = sooner(t, sig.CreationTime.Add(time.Duration(*s)*time.Second))
	}
	return t
}

// sooner and later treat the zero time as "never" and "not yet known".
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
