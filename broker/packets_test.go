package broker_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"

	"vaguemestre/crypto/seal"
)

// OpenPGP by hand, as little as the attacks need: packets with their lengths
// (RFC 9580 section 4.2) and the encrypted packet of version 1 (section 5.13.1).

const (
	tagPKESK, tagSignature, tagSKESK, tagOnePass, tagCompressed, tagLiteral, tagSEIPD = 1, 2, 3, 4, 8, 11, 18
)

type packet struct {
	tag  byte
	body []byte
}

// packets splits a message; partial lengths are joined.
func packets(t *testing.T, b []byte) (out []packet) {
	t.Helper()
	for len(b) > 0 {
		if b[0]&0xc0 != 0xc0 {
			t.Fatalf("old packet format %x", b[0])
		}
		p := packet{tag: b[0] & 0x3f}
		b = b[1:]
		for more := true; more; {
			var n int
			switch l := b[0]; {
			case l < 192:
				n, b, more = int(l), b[1:], false
			case l < 224:
				n, b, more = (int(l)-192)<<8+int(b[1])+192, b[2:], false
			case l == 255:
				n, b, more = int(b[1])<<24|int(b[2])<<16|int(b[3])<<8|int(b[4]), b[5:], false
			default:
				n, b = 1<<(l&31), b[1:]
			}
			p.body, b = append(p.body, b[:n]...), b[n:]
		}
		out = append(out, p)
	}
	return out
}

func join(list ...packet) []byte {
	var b bytes.Buffer
	for _, p := range list {
		n := len(p.body)
		b.Write([]byte{0xc0 | p.tag, 255, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		b.Write(p.body)
	}
	return b.Bytes()
}

// opened is a message taken apart by somebody who may read it.
type opened struct {
	keys   []packet // key packets
	inside []packet // one-pass, literal, signature
	block  cipher.Block
}

func takeApart(t *testing.T, msg []byte, as *seal.Identity, by *seal.Cert) opened {
	t.Helper()
	o, err := seal.Open(context.Background(), bytes.NewReader(msg), int64(len(msg)), []*seal.Identity{as}, []*seal.Cert{by}, seal.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(strings.TrimPrefix(o.SessionKey(), "9:"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	all := packets(t, msg)
	sealed := all[len(all)-1].body[1:]
	plain := make([]byte, len(sealed))
	//lint:ignore SA1019 RFC 9580 section 5.13.1 is older than that advice
	cipher.NewCFBDecrypter(block, make([]byte, 16)).XORKeyStream(plain, sealed)
	return opened{all[:len(all)-1], packets(t, plain[18:len(plain)-22]), block}
}

// wrap seals packets anew, with a right integrity code.
func (o opened) wrap(inside ...packet) []byte {
	plain := append(append([]byte("0123456789abcdefef"), join(inside...)...), 0xd3, 0x14)
	sum := sha1.Sum(plain)
	plain = append(plain, sum[:]...)
	//lint:ignore SA1019 see unwrapped
	cipher.NewCFBEncrypter(o.block, make([]byte, 16)).XORKeyStream(plain, plain)
	return join(append(o.keys, packet{tagSEIPD, append([]byte{1}, plain...)})...)
}

// edited is a copy of a packet with one byte changed.
func (p packet) edited(at int, to byte) packet {
	b := bytes.Clone(p.body)
	b[at] = to
	return packet{p.tag, b}
}
