package keyring

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"vaguemestre/crypto/seal"
)

const smallMessage = 1 << 20 // bytes; longer operations take no slot

// Opened is what Open returns: a message that passed every check. It is an
// alias so that the packages which declare the same methods need not import
// this one.
type Opened = interface {
	Signer() string
	SignedAt() time.Time
	SessionKey() string
	Size() int64
	Reader(context.Context) (io.ReadCloser, error)
}

// Ring holds certificates and private keys by owner. Make one with New or Load.
type Ring struct {
	slots chan struct{} // one token for each short operation under way

	mu      sync.RWMutex
	owners  map[string]*holding     // guarded by mu; a holding never changes
	certs   map[string]*seal.Cert   // by fingerprint; guarded by mu
	holders map[string][]string     // owners by fingerprint; guarded by mu
	byKey   map[uint64][]*seal.Cert // by key id; guarded by mu, slices replaced whole
}

// holding is what one owner has, newest first. It is replaced, never changed,
// so that it may be used after mu is released.
type holding struct {
	certs []*seal.Cert
	ids   []*seal.Identity
}

// New returns an empty Ring.
func New() *Ring {
	return &Ring{
		slots:   make(chan struct{}, min(runtime.GOMAXPROCS(0), runtime.NumCPU())),
		owners:  make(map[string]*holding),
		certs:   make(map[string]*seal.Cert),
		holders: make(map[string][]string),
		byKey:   make(map[uint64][]*seal.Cert),
	}
}

// AddIdentity adds private keys, and their certificate, to an owner.
func (r *Ring) AddIdentity(owner string, id *seal.Identity) { r.add(owner, id.Cert(), id) }

// AddCert adds a certificate to an owner. One already held is merged: a new
// revocation or expiry counts at once, an old one is never lost.
func (r *Ring) AddCert(owner string, c *seal.Cert) { r.add(owner, c, nil) }

func (r *Ring) add(owner string, c *seal.Cert, id *seal.Identity) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fp := string(c.Fingerprint())
	if held, ok := r.certs[fp]; ok {
		c = seal.Merge(held, c)
	}
	r.certs[fp] = c
	for _, key := range c.KeyIDs() {
		r.byKey[key] = replaced(r.byKey[key], c)
	}
	if _, ok := r.owners[owner]; !ok {
		r.owners[owner] = &holding{}
	}
	if !slices.Contains(r.holders[fp], owner) {
		r.holders[fp] = append(r.holders[fp], owner)
	}
	// The same key may be listed for several owners: all see the merged one.
	for _, name := range r.holders[fp] {
		mine := id
		if name != owner {
			mine = nil
		}
		r.owners[name] = r.owners[name].with(c, mine)
	}
}

// replaced returns a copy of certs where c is in the place of its older self.
func replaced(certs []*seal.Cert, c *seal.Cert) []*seal.Cert {
	out := slices.DeleteFunc(slices.Clone(certs), func(o *seal.Cert) bool { return o.Fingerprint() == c.Fingerprint() })
	return append(out, c)
}

// with returns a holding where c, and id if any, replace what has their
// fingerprint.
func (h *holding) with(c *seal.Cert, id *seal.Identity) *holding {
	same := func(o *seal.Cert) bool { return o.Fingerprint() == c.Fingerprint() }
	n := &holding{certs: replaced(h.certs, c)}
	for _, old := range h.ids {
		if same(old.Cert()) {
			if id == nil {
				id = old
			}
			continue
		}
		n.ids = append(n.ids, old)
	}
	if id != nil {
		n.ids = append(n.ids, id.WithCert(c))
	}
	newestFirst := func(a, b *seal.Cert) int {
		if d := b.Created().Compare(a.Created()); d != 0 {
			return d
		}
		return strings.Compare(string(a.Fingerprint()), string(b.Fingerprint()))
	}
	slices.SortFunc(n.certs, newestFirst)
	slices.SortFunc(n.ids, func(a, b *seal.Identity) int { return newestFirst(a.Cert(), b.Cert()) })
	return n
}

func (r *Ring) of(owner string) *holding {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if h, ok := r.owners[owner]; ok {
		return h
	}
	return &holding{}
}

func (r *Ring) cert(fingerprint string) (*seal.Cert, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	c, ok := r.certs[fingerprint]
	return c, ok
}

// slot waits for a slot if the operation is short, and returns what gives it
// back.
func (r *Ring) slot(ctx context.Context, size int64) (func(), error) {
	if size > smallMessage {
		return func() {}, nil
	}
	select {
	case r.slots <- struct{}{}:
		return func() { <-r.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Cert returns a certificate, binary, by its fingerprint.
func (r *Ring) Cert(fingerprint string) ([]byte, bool) {
	c, ok := r.cert(fingerprint)
	if !ok {
		return nil, false
	}
	return c.Bytes(), true
}

// Fingerprint reads that of a certificate, binary or armored, which need not be
// one of the ring: those of a journal outlive the directory. It returns an
// *seal.Error, wrapped.
func (r *Ring) Fingerprint(cert []byte) (string, error) {
	c, err := seal.ParseCert(cert)
	if err != nil {
		return "", fmt.Errorf("keyring: certificate: %w", err)
	}
	return string(c.Fingerprint()), nil
}

// Certs returns the fingerprints of an owner's certificates, newest first.
func (r *Ring) Certs(owner string) []string {
	var out []string
	for _, c := range r.of(owner).certs {
		out = append(out, string(c.Fingerprint()))
	}
	return out
}

// Has tells whether a private key of this owner is here: whether it is at home.
func (r *Ring) Has(owner string) bool { return len(r.of(owner).ids) > 0 }

// Owners returns every owner, sorted.
func (r *Ring) Owners() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]string, 0, len(r.owners))
	for name := range r.owners {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func use(encrypt bool) seal.Use {
	if encrypt {
		return seal.ToEncrypt
	}
	return seal.ToSign
}

// Standing returns what a certificate is worth at a date, in the words of
// seal.Standing, or "unknown" for a fingerprint that is not here.
func (r *Ring) Standing(fingerprint string, at time.Time, encrypt bool) string {
	c, ok := r.cert(fingerprint)
	if !ok {
		return seal.Standing(0).String()
	}
	return c.Standing(at, use(encrypt)).String()
}

// RevokedAt returns the revocation of a certificate, or of a signing subkey of
// it as compromised (see seal.Cert.Revocation), if there is one.
func (r *Ring) RevokedAt(fingerprint string) (at time.Time, compromised bool, ok bool) {
	c, found := r.cert(fingerprint)
	if !found {
		return time.Time{}, false, false
	}
	at, s, ok := c.Revocation()
	return at, s == seal.Compromised, ok
}

// Usable says whether an owner can be encrypted to, or can have signed, at that
// date. If not it returns *NoKeyError (which wraps ErrNoKey), or what is wrong
// with the newest certificate: *ExpiredError, *RevokedError, *NotYetError.
func (r *Ring) Usable(owner string, now time.Time, encrypt bool) error {
	_, err := usable(owner, r.of(owner).certs, now, encrypt)
	return err
}

// usable returns the newest usable certificate.
func usable(owner string, certs []*seal.Cert, now time.Time, encrypt bool) (*seal.Cert, error) {
	var newest *seal.Cert
	for _, c := range certs {
		switch c.Standing(now, use(encrypt)) {
		case seal.Usable:
			return c, nil
		case seal.Unfit:
		default:
			if newest == nil {
				newest = c
			}
		}
	}
	if newest == nil {
		return nil, &NoKeyError{Owner: owner, Encrypt: encrypt}
	}
	return nil, explain(owner, newest, now, encrypt)
}

func explain(owner string, c *seal.Cert, now time.Time, encrypt bool) error {
	fp := string(c.Fingerprint())
	switch s := c.Standing(now, use(encrypt)); s {
	case seal.Expired:
		at, _ := c.Expiry()
		return &ExpiredError{Owner: owner, Fingerprint: fp, Expired: at}
	case seal.Retired, seal.Compromised:
		at, _, ok := c.Revocation()
		if !ok {
			at = now // only a subkey is revoked
		}
		return &RevokedError{Owner: owner, Fingerprint: fp, Revoked: at, Compromised: s == seal.Compromised}
	case seal.NotYet:
		return &NotYetError{Owner: owner, Fingerprint: fp, From: c.Created()}
	}
	return &NoKeyError{Owner: owner, Encrypt: encrypt}
}
