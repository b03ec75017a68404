package broker_test

import (
	"bytes"
	"testing"

	"vaguemestre/broker"
)

// inside changes the body by somebody who may read it.
func inside(f func(tn *town, o opened, d *draft) []byte) func(*town, *steppedClock, *draft) {
	return func(tn *town, _ *steppedClock, d *draft) {
		d.onBody = func(b []byte) []byte {
			return f(tn, takeApart(tn.t, b, tn.Identities["parquet-lille"], tn.Identities["ase-59"].Cert()), d)
		}
	}
}

// outside changes the body by somebody who cannot.
func outside(f func([]byte) []byte) func(*town, *steppedClock, *draft) {
	return func(_ *town, _ *steppedClock, d *draft) { d.onBody = f }
}

// Attacks on the ciphertext: signed header and deposit are in order, the body
// is not. From decryption on, the only word outside is illisible; the journal
// has the exact one.
func TestCiphertextAttacks(t *testing.T) {
	for _, c := range []signedRefusal{
		{name: "01_unsigned", code: broker.ReasonUnreadable, exact: "unsigned", change: inside(func(_ *town, o opened, _ *draft) []byte { return o.wrap(o.inside[1]) })},
		{name: "signature taken off", code: broker.ReasonUnreadable, exact: "unsigned", change: inside(func(_ *town, o opened, _ *draft) []byte { return o.wrap(o.inside[:2]...) })},
		{name: "02_signed_not_sealed", code: broker.ReasonUnreadable, exact: "not_encrypted", change: inside(func(_ *town, o opened, _ *draft) []byte { return join(o.inside...) })},
		{name: "in clear", code: broker.ReasonUnreadable, exact: "not_encrypted", change: inside(func(_ *town, o opened, _ *draft) []byte { return join(o.inside[1]) })},
		{name: "password packet", code: broker.ReasonUnreadable, exact: "password_packet", change: outside(func(b []byte) []byte {
			return append(join(packet{tagSKESK, append([]byte{4, 9, 3, 8}, "saltsalt\x60"...)}), b...)
		})},
		{name: "wrong signer inside", code: broker.ReasonUnreadable, exact: "signer_unknown", change: func(tn *town, _ *steppedClock, d *draft) { d.innerSigner = tn.stranger() }},
		{name: "signed inside by another party", code: broker.ReasonUnreadable, exact: "signer_unknown", change: func(tn *town, _ *steppedClock, d *draft) { d.innerSigner = tn.Identities["je-lille"] }},
		{name: "two signatures", code: broker.ReasonUnreadable, exact: "several_signatures", change: inside(func(tn *town, o opened, d *draft) []byte {
			lit := o.inside[1]
			m := takeApart(tn.t, tn.sealFor(tn.Identities["je-lille"], d.to, lit.body[6:], d.innerAt), tn.Identities["parquet-lille"], tn.Identities["je-lille"].Cert())
			first := m.inside[0].edited(len(m.inside[0].body)-1, 0) // another signature follows
			return o.wrap(first, o.inside[0], lit, o.inside[2], m.inside[2])
		})},
		{name: "09_surreptitious_forwarding", code: broker.ReasonUnreadable, exact: "not_intended", change: inside(func(tn *town, o opened, d *draft) []byte {
			// What ase wrote to je alone, sealed anew by je for the parquet.
			forJuge := takeApart(tn.t, tn.sealFor(tn.Identities["ase-59"], []string{"je-lille"}, o.inside[1].body[6:], d.innerAt), tn.Identities["je-lille"], tn.Identities["ase-59"].Cert())
			return o.wrap(forJuge.inside...)
		})},
		{name: "not encrypted to the recipient", code: broker.ReasonNotAddressee, exact: "not_addressed", change: func(_ *town, _ *steppedClock, d *draft) { d.to = []string{"je-lille"} }},
		{name: "19_ten_thousand_recipients", code: broker.ReasonUnreadable, exact: "too_many_recipients", change: inside(func(_ *town, o opened, _ *draft) []byte {
			keys := o.keys
			for len(o.keys) < 10_000 {
				o.keys = append(o.keys, keys[0])
			}
			return o.wrap(o.inside...)
		})},
		{name: "anonymous recipients", code: broker.ReasonUnreadable, exact: "anonymous_recipient", change: inside(func(_ *town, o opened, _ *draft) []byte {
			for i, k := range o.keys {
				for j := range 8 {
					k = k.edited(1+j, 0)
				}
				o.keys[i] = k
			}
			return o.wrap(o.inside...)
		})},
		{name: "compression in compression", code: broker.ReasonUnreadable, exact: "compressed", change: inside(func(_ *town, o opened, _ *draft) []byte {
			return o.wrap(deflated(deflated(o.inside...)))
		})},
		{name: "trailing bytes", code: broker.ReasonUnreadable, exact: "trailing_bytes", change: outside(func(b []byte) []byte { return append(b, 0) })},
		{name: "20_two_messages_joined", code: broker.ReasonUnreadable, exact: "trailing_bytes", change: outside(func(b []byte) []byte { return append(b, b...) })},
		{name: "truncation", code: broker.ReasonUnreadable, exact: "truncated", change: outside(func(b []byte) []byte { return b[:len(b)/2] })},
		{name: "integrity code altered", code: broker.ReasonUnreadable, exact: "undecipherable", change: outside(func(b []byte) []byte { b[len(b)-1] ^= 1; return b })},
		{name: "12_no_integrity_packet", code: broker.ReasonUnreadable, exact: "weak_algorithm", change: inside(func(_ *town, o opened, _ *draft) []byte {
			return join(append(o.keys, packet{9, make([]byte, 400)})...)
		})},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, clock := stepped(t)
			tn.refusesSigned(c, clock)
		})
	}
}

// What gpg writes otherwise than we do is lawful: one layer of compression.
func TestCompressedBodyIsLawful(t *testing.T) {
	tn, _ := stepped(t)
	p, d := tn.forgery(func(d *draft) {
		d.onBody = func(b []byte) []byte {
			o := takeApart(t, b, tn.Identities["parquet-lille"], tn.Identities["ase-59"].Cert())
			return o.wrap(deflated(o.inside...))
		}
	})
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	if st := tn.progress(justice, d.h.ID, parquet); st.Progress != broker.Consigned {
		t.Errorf("%+v, exactly %q", st, tn.at(justice).Exact(d.h.ID, parquet))
	}
}

// One bit of each part of a pli, at many places: never consigned, unless the
// change changes nothing of what is signed.
// Package seal flips every bit of a message; here, what a broker adds to it.
func TestBitFlips(t *testing.T) { t.Run("13_every_bit_flip", bitFlips) }

func bitFlips(t *testing.T) {
	tn, _ := stepped(t)
	flip := func(b []byte, i int) []byte {
		c := bytes.Clone(b)
		c[i] ^= 1 << (i % 8)
		return c
	}
	for _, c := range []struct {
		name string
		part func(*broker.PliParcel) *[]byte
		step int
	}{
		{"header", func(p *broker.PliParcel) *[]byte { return &p.Header }, 7},
		{"header signature", func(p *broker.PliParcel) *[]byte { return &p.HeaderSig }, 5},
		{"deposit", func(p *broker.PliParcel) *[]byte { return &p.Deposit }, 9},
		{"deposit signature", func(p *broker.PliParcel) *[]byte { return &p.DepositSig }, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, d := tn.forgery(nil)
			for i := 0; i < len(*c.part(whole)); i += c.step {
				p := *whole
				*c.part(&p) = flip(*c.part(whole), i)
				err := tn.receive(&p)
				if st := tn.progress(justice, d.h.ID, parquet); st.Delivered() {
					t.Fatalf("byte %d: consigned (%v)", i, err)
				}
			}
			if err := tn.receive(whole); err != nil {
				t.Fatal(err)
			}
			if st := tn.progress(justice, d.h.ID, parquet); !st.Delivered() || st.Flags != 0 {
				t.Fatalf("the whole one, after the others: %+v", st)
			}
		})
	}
	t.Run("body, signed by the sender all the same", func(t *testing.T) {
		size := 0
		for i := 0; i == 0 || i < size; i += 61 {
			p, d := tn.forgery(func(d *draft) { d.onBody = func(b []byte) []byte { size = len(b); return flip(b, i) } })
			if err := tn.receive(p); err != nil {
				t.Fatal(err)
			}
			// A flip in the key packet of the two others harms nobody here.
			if st := tn.progress(justice, d.h.ID, parquet); st.Delivered() {
				c, err := tn.at(justice).Read(t.Context(), d.h.ID, parquet)
				if err != nil || c.Acte.Actor.Name != canary {
					t.Fatalf("byte %d: another content", i)
				}
				c.Close()
				if i > 400 {
					t.Fatalf("byte %d, beyond the key packets: consigned", i)
				}
			}
		}
	})
	tn.t = t
	tn.discreet()
	verdict(t, broker.ConsignFailed, broker.ReasonUnreadable)
}
