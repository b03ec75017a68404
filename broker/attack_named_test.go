package broker_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto/rand"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"vaguemestre/broker"
)

// Attacks that cost: what they ask for is refused before it is paid.
func TestCostlyAttacks(t *testing.T) {
	for _, c := range []signedRefusal{
		{name: "15_bomb_zip", code: broker.ReasonUnreadable, exact: "too_large", change: inside(func(_ *town, o opened, _ *draft) []byte {
			return o.wrap(bomb(zip, o.inside[0], 330<<20))
		})},
		{name: "15_bomb_zlib", code: broker.ReasonUnreadable, exact: "too_large", change: inside(func(_ *town, o opened, _ *draft) []byte {
			return o.wrap(bomb(zlibbed, o.inside[0], 330<<20))
		})},
		{name: "15_bomb_bzip2", code: broker.ReasonUnreadable, exact: "compressed", change: inside(func(_ *town, o opened, _ *draft) []byte {
			return o.wrap(packet{tagCompressed, append([]byte{3}, "BZh91AY&SY"+strings.Repeat("zzzz", 100)...)}) // refused by its number alone
		})},
		{name: "16_forty_nested_compressions", code: broker.ReasonUnreadable, exact: "compressed", change: inside(func(_ *town, o opened, _ *draft) []byte {
			p := deflated(o.inside...)
			for range 39 {
				p = deflated(p)
			}
			return o.wrap(p)
		})},
		{name: "18_s2k_argon2_cost", code: broker.ReasonUnreadable, exact: "password_packet", change: outside(func(b []byte) []byte {
			// RFC 9580 section 3.7.1.4: 255 passes, 255 lanes, 2 TiB.
			return append(join(packet{tagSKESK, append([]byte{4, 9, 4}, "selselselselsels\xff\xff\x1f"...)}), b...)
		})},
		{name: "18_s2k_iterated_cost", code: broker.ReasonUnreadable, exact: "password_packet", change: outside(func(b []byte) []byte {
			return append(join(packet{tagSKESK, append([]byte{4, 9, 3, 10}, "saltsalt\xff"...)}), b...)
		})},
		{name: "21_unknown_critical_packet_outside", code: broker.ReasonUnreadable, exact: "format", change: outside(func(b []byte) []byte {
			return append(join(packet{38, []byte("x")}), b...)
		})},
		{name: "21_unknown_critical_packet_inside", code: broker.ReasonUnreadable, exact: "format", change: inside(func(_ *town, o opened, _ *draft) []byte {
			return o.wrap(o.inside[0], packet{38, []byte("x")}, o.inside[1], o.inside[2])
		})},
		{name: "22_sha1", code: broker.ReasonUnreadable, exact: "weak_algorithm", change: digested(2)},
		{name: "22_md5", code: broker.ReasonUnreadable, exact: "weak_algorithm", change: digested(1)},
		{name: "25_plaintext_before_integrity", code: broker.ReasonUnreadable, exact: "undecipherable", change: func(_ *town, _ *steppedClock, d *draft) {
			// Two mebibytes that decrypt well come before the integrity code that does not.
			d.parts[3].b = append(bytes.Repeat([]byte(canary), 1<<17), d.parts[3].b...)
			d.acte.PiecesSHA256 = []string{broker.Digest(d.parts[3].b)}
			d.onBody = func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, clock := stepped(t)
			tn.refusesSigned(c, clock)
		})
	}
}

// digested says another digest, in announcement and signature alike.
func digested(hash byte) func(*town, *steppedClock, *draft) {
	return inside(func(_ *town, o opened, _ *draft) []byte {
		return o.wrap(o.inside[0].edited(2, hash), o.inside[1], o.inside[2].edited(3, hash))
	})
}

const zip, zlibbed = 1, 2 // RFC 9580 section 9.4

// deflated is one compressed packet, ZLIB.
func deflated(list ...packet) packet {
	var b bytes.Buffer
	b.WriteByte(zlibbed)
	w := zlib.NewWriter(&b)
	w.Write(join(list...))
	w.Close()
	return packet{tagCompressed, b.Bytes()}
}

// bomb is a literal of n zeros, compressed, without its signature: nobody gets
// that far.
func bomb(kind byte, onePass packet, n int) packet {
	var b bytes.Buffer
	b.WriteByte(kind)
	var w io.WriteCloser = zlib.NewWriter(&b)
	if kind == zip {
		w, _ = flate.NewWriter(&b, flate.DefaultCompression)
	}
	w.Write(join(onePass))
	w.Write([]byte{0xc0 | tagLiteral, 255, byte((n + 6) >> 24), byte((n + 6) >> 16), byte((n + 6) >> 8), byte(n + 6), 'b', 0, 0, 0, 0, 0})
	for zeros := make([]byte, 1<<20); n > 0; n -= len(zeros) {
		w.Write(zeros)
	}
	w.Close()
	return packet{tagCompressed, b.Bytes()}
}

// Every part of a pli cut at many places, the body with the signature and the
// deposit of its shorter form: nothing is consigned. Package seal cuts a message
// at every byte.
func TestTruncations(t *testing.T) { t.Run("14_every_truncation", truncations) }

func truncations(t *testing.T) {
	tn, _ := stepped(t)
	refused := func(p *broker.PliParcel, d *draft, what string, n int) {
		t.Helper()
		err := tn.receive(p)
		if st := tn.progress(justice, d.h.ID, parquet); st.Delivered() {
			t.Fatalf("%s cut to %d bytes: consigned (%v)", what, n, err)
		}
		tn.keepsNothing(d)
	}
	whole, d := tn.forgery(nil)
	for what, part := range map[string]func(*broker.PliParcel) *[]byte{
		"header": func(p *broker.PliParcel) *[]byte { return &p.Header }, "header signature": func(p *broker.PliParcel) *[]byte { return &p.HeaderSig },
		"deposit": func(p *broker.PliParcel) *[]byte { return &p.Deposit }, "deposit signature": func(p *broker.PliParcel) *[]byte { return &p.DepositSig },
	} {
		for n := 0; n < len(*part(whole))-1; n += 23 { // without the last newline a signature is whole
			p := *whole
			*part(&p) = (*part(whole))[:n]
			refused(&p, d, what, n)
		}
	}
	for n, size := 0, 1; n < size; n += 101 {
		p, e := tn.forgery(func(d *draft) { d.onBody = func(b []byte) []byte { size = len(b); return b[:n] } })
		refused(p, e, "body", n)
	}
	tn.lawfulNeighbour()
	tn.discreet()
	verdict(t, broker.ConsignFailed, broker.ReasonUnreadable)
}

// Whatever is wrong behind the encryption, and wherever a bit was changed in the
// key packet, the answer is the same to the byte, but for names and dates. How
// long it took is not asserted: a machine under load says nothing about it.
func TestErrorOracle(t *testing.T) {
	t.Run("24_error_or_timing_oracle", func(t *testing.T) {
		first := ""
		for name, change := range map[string]func(*town, *steppedClock, *draft){
			"unsigned": inside(func(_ *town, o opened, _ *draft) []byte { return o.wrap(o.inside[1]) }),
			"bad signature": inside(func(_ *town, o opened, _ *draft) []byte {
				return o.wrap(o.inside[0], o.inside[1].edited(9, 0), o.inside[2])
			}),
			"weak digest":     digested(2),
			"unknown signer":  func(tn *town, _ *steppedClock, d *draft) { d.innerSigner = tn.stranger() },
			"nested":          inside(func(_ *town, o opened, _ *draft) []byte { return o.wrap(deflated(deflated(o.inside...))) }),
			"no packet":       inside(func(_ *town, o opened, _ *draft) []byte { return o.wrap(packet{tagLiteral, make([]byte, 90)}) }),
			"integrity code":  outside(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
			"session key":     outside(func(b []byte) []byte { b[70] ^= 1; b[160] ^= 1; return b }),
			"wrapped key":     outside(func(b []byte) []byte { b[60] ^= 1; b[150] ^= 1; return b }),
			"random contents": outside(func(b []byte) []byte { rand.Read(b[len(b)-300:]); return b }),
		} {
			tn, clock := stepped(t)
			p, d := tn.forgery(func(d *draft) { change(tn, clock, d) })
			if err := tn.receive(p); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e := tn.reception(d.h.ID, parquet)
			if e.Event != broker.ConsignFailed || e.ReasonCode != broker.ReasonUnreadable || tn.at(justice).Exact(d.h.ID, parquet) == "" {
				t.Errorf("%s: %s %s", name, e.Event, e.ReasonCode)
			}
			e.ID, e.At, e.HeaderSHA256, e.Log, e.Prev = "", "", "", broker.LogHead{}, nil
			text, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = string(text)
			}
			if string(text) != first || strings.Contains(first, tn.at(justice).Exact(d.h.ID, parquet)) {
				t.Errorf("%s shows:\n%s\nothers:\n%s", name, text, first)
			}
			tn.keepsNothing(d)
			tn.lawfulNeighbour()
			tn.discreet()
		}
		verdict(t, broker.ConsignFailed, broker.ReasonUnreadable)
	})
}
