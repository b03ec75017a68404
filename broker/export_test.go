package broker

import (
	"context"
	"strings"

	"vaguemestre/broker/journal"
)

// Plant journals a pli as if this broker had sealed it: a sender whose broker,
// or whose key, does not behave. The queue holds it like any other.
func (b *Broker) Plant(ctx context.Context, p *PliParcel, body []byte) error {
	h, err := ParseHeader(p.Header)
	if err != nil {
		return err
	}
	w, err := b.journal.Bodies().Create()
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return err
	}
	blob, err := w.Close()
	if err != nil {
		return err
	}
	fpr, _, _ := b.keys.Verify(string(h.From), p.Header, p.HeaderSig)
	cert, _ := b.keys.Cert(fpr)
	deposit, err := ParseEvidence(p.Deposit)
	if err != nil {
		return err
	}
	stamper, _, _ := b.keys.Verify(deposit.By, p.Deposit, p.DepositSig)
	stamped, _ := b.keys.Cert(stamper)
	return b.commit(ctx, &acceptInput{
		pli: &sealedPli{
			Header: h, HeaderBytes: p.Header, HeaderSig: p.HeaderSig, Deposit: deposit, DepositBytes: p.Deposit,
			DepositSig: p.DepositSig, DepositCert: stamped, Body: blob, FromCert: cert, Directory: b.dir.Load().sum,
		},
		idemKey: Digest(p.Header), idemMAC: Digest(p.Header), lane: Digest(p.Header)[:32],
	})
}

// Exact is the word that the journal keeps of an unreadable pli.
func (b *Broker) Exact(id string, p PartyID) (word string) {
	_ = b.journal.View(func(v journal.View) error {
		w, _ := v.Get(spaceRefusal, stateKey(id, p))
		word = string(w)
		return nil
	})
	return word
}

// Refusals lists what was refused without a signature: "peer code".
func (b *Broker) Refusals() (out []string) {
	_ = b.journal.View(func(v journal.View) error {
		v.Scan(spaceRefusal, "", "", func(key string, value []byte) bool {
			if !strings.Contains(key, "/") {
				out = append(out, string(value))
			}
			return true
		})
		return nil
	})
	return out
}

// Doubts counts the evidences of a pli that are kept and count for nothing.
func (b *Broker) Doubts(id string) (n int) {
	_ = b.journal.View(func(v journal.View) error {
		v.Scan(spaceDoubt, id+"/", "", func(string, []byte) bool { n++; return true })
		return nil
	})
	return n
}

// Fold recomputes the state of a pair from its evidences, in the order of the
// journal.
func (b *Broker) Fold(d *Dossier, p PartyID) State {
	e, _ := ParseEvidence(d.Deposit)
	st := State{}.Apply(e, Digest(d.Deposit))
	for _, ev := range d.Evidences {
		if r := ev.Evidence.Recipient; r == p || r == "" {
			st = st.Apply(ev.Evidence, Digest(ev.Bytes))
		}
	}
	return st
}

// ParcelOf is what an item carries.
func (b *Broker) ParcelOf(it journal.Item) (Parcel, error) {
	p, _, err := b.parcel(it)
	return p, err
}
