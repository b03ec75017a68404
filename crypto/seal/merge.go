package seal

import (
	"bytes"
	"slices"
)

// Merge joins two versions of one certificate: newest self-signatures,
// earliest revocations, every subkey. Both were verified when parsed, so
// nothing is verified again. Different certificates cannot be merged: it
// returns a.
func Merge(a, b *Cert) *Cert {
	if a.fp != b.fp {
		return a
	}
	m := &Cert{primary: a.primary, user: a.user, subs: slices.Clone(a.subs)}
	m.primary.direct = newer(a.primary.direct, b.primary.direct)
	m.primary.revocations = a.primary.join(b.primary.revocations)
	if compareUsers(b.user, a.user) > 0 {
		m.user = b.user
	}
	for _, s := range b.subs {
		i := slices.IndexFunc(m.subs, func(t subPart) bool {
			return bytes.Equal(t.pub.Fingerprint, s.pub.Fingerprint)
		})
		if i < 0 {
			if len(m.subs) < maxSubkeys {
				m.subs = append(m.subs, s)
			}
			continue
		}
		m.subs[i].self = newer(m.subs[i].self, s.self)
		m.subs[i].revocations = m.subs[i].join(s.revocations)
	}
	m.derive()
	return m
}

func (r revocations) join(o revocations) revocations {
	return revocations{hard: older(r.hard, o.hard), soft: older(r.soft, o.soft)}
}

func newer(a, b *selfSig) *selfSig {
	if a == nil || b != nil && b.sig.CreationTime.After(a.sig.CreationTime) {
		return b
	}
	return a
}

func older(a, b *selfSig) *selfSig {
	if a == nil || b != nil && b.sig.CreationTime.Before(a.sig.CreationTime) {
		return b
	}
	return a
}
