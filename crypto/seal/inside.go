package seal

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"encoding/binary"
	"errors"
	"hash"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// inside reads the decrypted packets: one-pass signature, literal, signature,
// the three perhaps in one layer of compression, and nothing else (RFC 9580
// section 10.3, restricted). The library's reader would skip unknown packets
// and accept several signatures of which one is good.
type inside struct {
	outer  *bufio.Reader // what was decrypted
	packed *bufio.Reader // what is left of the compressed bytes, or nil
	cur    byteSource    // where packets are: outer, or the decompressed bytes

	issuer  uint64
	hash    crypto.Hash
	algo    packet.PublicKeyAlgorithm
	content *body
}

// begin reads up to the content.
func (in *inside) begin() error {
	in.cur = in.outer
	tag, x, err := readHeader(in.cur)
	if err == nil && tag == tagCompress {
		if err := in.inflate(x); err != nil {
			return err
		}
		tag, x, err = readHeader(in.cur)
	}
	if err != nil {
		return formatOr(err)
	}
	switch tag {
	case tagOnePass:
	case tagLiteral:
		return refusef(reasonUnsigned, "no signature")
	case tagCompress:
		return refusef(reasonCompressed, "nested compression")
	default:
		return refusef(reasonFormat, "packet that has no place inside")
	}
	if err := in.announced(x); err != nil {
		return err
	}
	tag, x, err = readHeader(in.cur)
	switch {
	case err != nil:
		return formatOr(err)
	case tag == tagOnePass:
		return refusef(reasonSeveralSignatures, "several signatures")
	case tag != tagLiteral || x.open:
		return refusef(reasonFormat, "packet that has no place inside")
	}
	in.content = &body{src: in.cur, left: x}
	return in.literal()
}

// announced reads the one-pass signature, version 3.
func (in *inside) announced(x extent) error {
	b, err := readSmall(in.cur, x, maxSignature)
	if err != nil {
		return formatOr(err)
	}
	if len(b) != 13 || b[0] != 3 || b[1] != byte(packet.SigTypeBinary) || b[12] == 0 {
		if len(b) == 13 && b[0] == 3 && b[12] == 0 {
			return refusef(reasonSeveralSignatures, "several signatures announced")
		}
		return refusef(reasonFormat, "signature of another kind announced")
	}
	var ok bool
	if in.hash, ok = strongHash(b[2]); !ok {
		return refusef(reasonWeakAlgorithm, "hash that is not accepted")
	}
	in.algo = packet.PublicKeyAlgorithm(b[3])
	in.issuer = binary.BigEndian.Uint64(b[4:12])
	return nil
}

// literal reads the head of the literal packet. Its file name and date are not
// signed (RFC 9580 section 5.9): the name must be empty, the date is skipped.
func (in *inside) literal() error {
	var head [6]byte
	if _, err := io.ReadFull(in.content, head[:2]); err != nil {
		return formatOr(err)
	}
	if head[0] != 'b' {
		return refusef(reasonFormat, "literal that is not binary")
	}
	if head[1] != 0 {
		return refusef(reasonFormat, "literal with a file name")
	}
	if _, err := io.ReadFull(in.content, head[2:]); err != nil {
		return formatOr(err)
	}
	return nil
}

// inflate enters one layer of ZIP or ZLIB, which gpg adds by default. A bomb
// goes off in copyLimited: everything read but the content has a small cap.
func (in *inside) inflate(x extent) error {
	in.packed = bufio.NewReader(&body{src: in.outer, left: x})
	kind, err := in.packed.ReadByte()
	if err != nil {
		return formatOr(err)
	}
	var r io.Reader
	switch packet.CompressionAlgo(kind) {
	case packet.CompressionZIP:
		r = flate.NewReader(in.packed)
	case packet.CompressionZLIB:
		if r, err = zlib.NewReader(in.packed); err != nil {
			return refuse(reasonFormat, err)
		}
	default:
		return refusef(reasonCompressed, "compression of a refused kind")
	}
	in.cur = bufio.NewReader(r)
	return nil
}

// end reads the signature that follows the content, and that nothing follows.
func (in *inside) end() (*packet.Signature, error) {
	tag, x, err := readHeader(in.cur)
	switch {
	case err == io.EOF:
		return nil, refusef(reasonUnsigned, "announced signature missing")
	case err != nil:
		return nil, formatOr(err)
	case tag != tagSignature:
		return nil, refusef(reasonFormat, "packet that has no place inside")
	}
	b, err := readSmall(in.cur, x, maxSignature)
	if err != nil {
		return nil, formatOr(err)
	}
	tag, _, err = readHeader(in.cur)
	switch {
	case err == nil && tag == tagSignature:
		return nil, refusef(reasonSeveralSignatures, "several signatures")
	case err == nil:
		return nil, refusef(reasonTrailingBytes, "packet after the signature")
	case err != io.EOF:
		return nil, formatOr(err)
	}
	if in.packed != nil {
		if err := atEnd(in.packed); err != nil {
			return nil, err
		}
		if err := atEnd(in.outer); err != nil {
			return nil, err
		}
	}
	return parseSignature(packet.OpaquePacket{Tag: tagSignature, Contents: b})
}

func atEnd(r io.ByteReader) error {
	switch _, err := r.ReadByte(); err {
	case io.EOF:
		return nil
	case nil:
		return refusef(reasonTrailingBytes, "bytes after the compressed packets")
	default:
		return formatOr(err)
	}
}

// copyLimited copies all of src and refuses more than limit bytes. size, that
// of the ciphertext, only sizes the buffer.
func copyLimited(dst io.Writer, src io.Reader, limit, size int64) (int64, error) {
	buf := make([]byte, min(max(size, 512), 32<<10))
	var total int64
	for {
		n, err := src.Read(buf)
		if total += int64(n); total > limit {
			return total, refusef(reasonTooLarge, "content beyond the limit")
		}
		if n > 0 {
			if _, err := dst.Write(buf[:n]); err != nil {
				return total, err
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// keeper keeps what is written to it, up to a limit, then nothing.
type keeper struct {
	limit int64
	buf   bytes.Buffer
	over  bool
}

func (k *keeper) Write(p []byte) (int, error) {
	if k.over || int64(k.buf.Len()+len(p)) > k.limit {
		k.over = true
		clear(k.buf.Bytes())
		k.buf = bytes.Buffer{}
		return len(p), nil
	}
	return k.buf.Write(p)
}

// content returns nil for what was over the limit.
func (k *keeper) content() []byte {
	if k.over {
		return nil
	}
	return k.buf.Bytes()
}

var errChanged = errors.New("ciphertext changed since it was verified")

// rereader is the second pass.
type rereader struct {
	o       *Opened
	src     *source
	content io.Reader
	hash    hash.Hash
	n       int64
	err     error
}

func (r *rereader) Read(p []byte) (n int, err error) {
	defer rescue(reasonUndecipherable, &err)
	if r.err != nil {
		return 0, r.err
	}
	n, err = r.content.Read(p)
	r.hash.Write(p[:n])
	r.n += int64(n)
	switch {
	case err == nil && r.n <= r.o.plain:
		return n, nil
	case err == io.EOF && r.n == r.o.plain && bytes.Equal(r.hash.Sum(nil), r.o.digest):
		r.err = io.EOF
	case r.src.failed != nil:
		r.err = veil(r.src.failed)
	default:
		r.err = veil(errors.Join(errChanged, err))
	}
	return n, r.err
}

func (r *rereader) Close() error {
	if r.err == nil {
		r.err = errors.New("seal: read after Close")
	}
	return nil
}
