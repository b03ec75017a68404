package keyring

import (
	"cmp"
	"slices"

	"vaguemestre/crypto/seal"
)

// OwnerOf says whose certificate a fingerprint names. A certificate that
// several owners share, which no directory allows, has none.
func (r *Ring) OwnerOf(fingerprint string) (owner string, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	names := r.holders[fingerprint]
	if len(names) != 1 {
		return "", false
	}
	return names[0], true
}

// found finds the certificates that may have signed, by the id of a key: among
// those of one owner, or among all when it is "" (a sealed evidence names its
// signer inside only).
func (r *Ring) found(owner string) func(keyID uint64) []*seal.Cert {
	if owner != "" {
		certs := r.of(owner).certs
		return func(uint64) []*seal.Cert { return certs }
	}
	return func(keyID uint64) []*seal.Cert {
		r.mu.RLock()
		defer r.mu.RUnlock()
		return r.byKey[keyID]
	}
}

// signers lists what found looks up, for a rare reading with a session key.
func (r *Ring) signers(owner string) []*seal.Cert {
	if owner != "" {
		return r.of(owner).certs
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*seal.Cert, 0, len(r.certs))
	for _, c := range r.certs {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *seal.Cert) int { return cmp.Compare(a.Fingerprint(), b.Fingerprint()) })
	return all
}
