package seal

import (
	"bytes"
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packet types of RFC 9580 section 5 that this package names.
const (
	tagPKESK     = 1
	tagSignature = 2
	tagSKESK     = 3
	tagOnePass   = 4
	tagSecret    = 5
	tagPublic    = 6
	tagSecretSub = 7
	tagCompress  = 8
	tagPlainSED  = 9
	tagMarker    = 10
	tagLiteral   = 11
	tagTrust     = 12
	tagUserID    = 13
	tagPublicSub = 14
	tagUserAttr  = 17
	tagSEIPD     = 18
	tagOCBED     = 20
	tagPadding   = 21
)

const minFirstPartial = 512 // RFC 9580 section 4.2.1.4

var errBadHeader = errors.New("packet header is malformed")

// byteSource is what packet bodies are read from: buffered, so that lengths
// cost no system call.
type byteSource interface {
	io.Reader
	io.ByteReader
}

// extent says how far a packet body goes: length bytes, then more if partial,
// or to the end of the source if open.
type extent struct {
	length  int64
	partial bool
	open    bool
}

// readHeader reads the header of one packet. At a clean end it returns io.EOF;
// inside a header io.ErrUnexpectedEOF.
func readHeader(r io.ByteReader) (tag uint8, x extent, err error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, x, err
	}
	if first&0x80 == 0 {
		return 0, x, errBadHeader
	}
	if first&0x40 != 0 {
		x, err = readLength(r)
		return first & 0x3f, x, err
	}
	tag = first & 0x3f >> 2
	kind := first & 3
	if kind == 3 {
		return tag, extent{open: true}, nil
	}
	for range 1 << kind {
		b, err := r.ReadByte()
		if err != nil {
			return 0, x, unexpected(err)
		}
		x.length = x.length<<8 | int64(b)
	}
	return tag, x, nil
}

// readLength reads one length of the current format, RFC 9580 section 4.2.1.
func readLength(r io.ByteReader) (extent, error) {
	var b [5]byte
	need := 1
	for i := 0; i < need; i++ {
		c, err := r.ReadByte()
		if err != nil {
			return extent{}, unexpected(err)
		}
		b[i] = c
		if i == 0 {
			switch {
			case c == 255:
				need = 5
			case c >= 224:
				return extent{length: 1 << (c & 0x1f), partial: true}, nil
			case c >= 192:
				need = 2
			}
		}
	}
	switch need {
	case 1:
		return extent{length: int64(b[0])}, nil
	case 2:
		return extent{length: int64(b[0]-192)<<8 + int64(b[1]) + 192}, nil
	}
	return extent{length: int64(b[1])<<24 | int64(b[2])<<16 | int64(b[3])<<8 | int64(b[4])}, nil
}

// body reads one packet's body across its partial lengths.
type body struct {
	src  byteSource
	left extent
}

func (b *body) Read(p []byte) (int, error) {
	if b.left.open {
		return b.src.Read(p)
	}
	for b.left.length == 0 {
		if !b.left.partial {
			return 0, io.EOF
		}
		next, err := readLength(b.src)
		if err != nil {
			return 0, err
		}
		b.left = next
	}
	if int64(len(p)) > b.left.length {
		p = p[:b.left.length]
	}
	n, err := b.src.Read(p)
	b.left.length -= int64(n)
	if err == io.EOF && (b.left.length > 0 || b.left.partial) {
		return n, io.ErrUnexpectedEOF
	}
	if err == io.EOF && n > 0 {
		err = nil
	}
	return n, err
}

// readSmall reads a whole body of at most limit bytes: only data may be
// streamed, or be in several pieces.
func readSmall(src byteSource, x extent, limit int64) ([]byte, error) {
	if x.partial || x.open {
		return nil, refusef(reasonFormat, "partial length outside data")
	}
	if x.length > limit {
		return nil, refusef(reasonTooLarge, "packet beyond its cap")
	}
	b := make([]byte, x.length)
	if _, err := io.ReadFull(src, b); err != nil {
		return nil, unexpected(err)
	}
	return b, nil
}

// splitPackets cuts a whole small object (certificate, signature) in packets.
func splitPackets(b []byte, limit int64) ([]packet.OpaquePacket, error) {
	r := bytes.NewReader(b)
	var out []packet.OpaquePacket
	for {
		tag, x, err := readHeader(r)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, formatOr(err)
		}
		content, err := readSmall(r, x, limit)
		if err != nil {
			return nil, formatOr(err)
		}
		out = append(out, packet.OpaquePacket{Tag: tag, Contents: content})
	}
}

// formatOr gives a reason to a reading error that has none.
func formatOr(err error) error {
	var e *Error
	var s *sourceError
	switch {
	case errors.As(err, &e), errors.As(err, &s):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse(reasonTruncated, err)
	}
	return refuse(reasonFormat, err)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func serialize(tag uint8, content []byte) ([]byte, error) {
	var out bytes.Buffer
	p := packet.OpaquePacket{Tag: tag, Contents: content}
	if err := p.Serialize(&out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
