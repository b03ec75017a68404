package broker

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// What was just sealed or signed is delivered next, and its evidence comes
// back soon after: a small memory spares reading it again from the journal. It
// holds immutable bytes, ciphertext and signed facts only; nothing depends on
// it, and anything may be forgotten at any time.

const recentBytes = 8 << 20 // of each memory

// recent remembers values by key until newer ones fill its bytes.
type recent[V any] struct {
	mu    sync.Mutex
	held  map[string]V // guarded by mu
	order []recentKey  // oldest first; guarded by mu
	bytes int          // guarded by mu
}

type recentKey struct {
	key  string
	size int
}

func (r *recent[V]) put(key string, v V, size int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		r.held = map[string]V{}
	}
	if _, ok := r.held[key]; ok || size > recentBytes/8 {
		return
	}
	r.held[key] = v
	r.order = append(r.order, recentKey{key, size})
	r.bytes += size
	for r.bytes > recentBytes {
		delete(r.held, r.order[0].key)
		r.bytes -= r.order[0].size
		r.order = r.order[1:]
	}
}

func (r *recent[V]) get(key string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := r.held[key]
	return v, ok
}

func (r *recent[V]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held, r.order, r.bytes = nil, nil, 0
}

// recentPli is a pli deposited here, as it goes and as evidences of it are
// judged.
type recentPli struct {
	digest  string // of the header
	header  Header
	deposit Evidence
	parcel  *PliParcel // nil when its body is large
}

// recentEvidence is an evidence made here, as it goes.
type recentEvidence struct {
	id     string
	parcel *EvidenceParcel
}

// remember keeps what an input is about to make durable. It comes before the
// commit, so that a purge, which comes after it, forgets it for good.
func (b *Broker) remember(in Input) {
	switch in := in.(type) {
	case *acceptInput:
		p := in.pli
		r := &recentPli{digest: p.digest(), header: p.Header, deposit: p.Deposit}
		if small := p.Body.Bytes; small != nil {
			r.parcel = &PliParcel{Header: p.HeaderBytes, HeaderSig: p.HeaderSig, Deposit: p.DepositBytes, DepositSig: p.DepositSig}
			r.parcel.Body = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(small)), nil }
		}
		b.recentPlis.put(p.Header.ID, r, 2048+len(p.Body.Bytes))
	case *receiveInput:
		b.rememberEvidence(in.outcome, in.travel)
	case *releaseInput:
		b.rememberEvidence(in.evidence, in.travel)
	case *purgeInput:
		b.recentPlis.clear()
		b.recentEvidences.clear()
	case *evidenceInput:
		if in.purge != nil {
			b.recentPlis.clear()
			b.recentEvidences.clear()
			return
		}
		b.rememberEvidence(in.evidence, in.travel)
	}
}

func (b *Broker) rememberEvidence(e *signedEvidence, t travel) {
	if len(t.dest) == 0 {
		return
	}
	p := &EvidenceParcel{Digest: e.digest(), Evidence: e.Bytes, Sig: e.Sig}
	if e.Sealed != nil {
		p = &EvidenceParcel{Digest: e.digest(), Sealed: e.Sealed}
	}
	b.recentEvidences.put(p.Digest, recentEvidence{e.Evidence.ID, p}, 1024+len(p.Evidence)+len(p.Sealed))
}

// recalled finds a parcel that was remembered.
func (b *Broker) recalled(topic, payload string) (p Parcel, id string, ok bool) {
	switch topic {
	case TopicPli:
		if r, held := b.recentPlis.get(payload); held && r.parcel != nil {
			return Parcel{Pli: r.parcel}, payload, true
		}
	case TopicEvidence:
		if r, held := b.recentEvidences.get(payload); held {
			return Parcel{Evidence: r.parcel}, r.id, true
		}
	}
	return p, "", false
}
