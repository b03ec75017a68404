package seal

import (
	"context"
	"errors"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const (
	maxKeyPacket   = 4 << 10 // bytes; RSA-4096 needs 530
	windowSize     = 1 << 10 // bytes read at once while walking
	smallestSealed = 64      // bytes of the smallest encrypted part that could hold a signature
)

// envelope is what the clear outside of a message says.
type envelope struct {
	keys []*packet.EncryptedKey
	data int64 // offset of the encrypted data packet, which goes to the end
}

// inspect walks the outside of a message before any secret key is used: at most
// MaxRecipients key packets, each naming a key, no password packet, then
// integrity-protected data up to the last byte. A password packet would also
// switch off the library's own check of intended recipients; nothing here rests
// on that check.
func inspect(ctx context.Context, src io.ReaderAt, size int64) (*envelope, error) {
	w := &walker{source: source{ctx: ctx, src: src, end: size}}
	env := &envelope{}
	for {
		start := w.position()
		tag, x, err := readHeader(w)
		if err == io.EOF {
			return nil, refusef(reasonTruncated, "no encrypted data")
		}
		if err != nil {
			return nil, formatOr(err)
		}
		switch tag {
		case tagPKESK:
			if len(env.keys) == MaxRecipients {
				return nil, refusef(reasonTooManyRecipients, "more than %d key packets", MaxRecipients)
			}
			k, err := readKeyPacket(w, x)
			if err != nil {
				return nil, err
			}
			env.keys = append(env.keys, k)
		case tagSEIPD:
			if len(env.keys) == 0 {
				return nil, refusef(reasonNotAddressed, "no key packet")
			}
			env.data = start
			return env, w.toTheEnd(x)
		default:
			return nil, unwanted(tag)
		}
	}
}

func unwanted(tag uint8) error {
	switch tag {
	case tagSKESK:
		return refusef(reasonPasswordPacket, "password packet")
	case tagOnePass, tagSignature, tagLiteral, tagCompress:
		return refusef(reasonNotEncrypted, "message in clear")
	case tagPlainSED:
		return refusef(reasonWeakAlgorithm, "encryption without integrity protection")
	}
	return refusef(reasonFormat, "packet that has no place in a sealed message")
}

func readKeyPacket(w *walker, x extent) (*packet.EncryptedKey, error) {
	content, err := readSmall(w, x, maxKeyPacket)
	if err != nil {
		return nil, formatOr(err)
	}
	o := packet.OpaquePacket{Tag: tagPKESK, Contents: content}
	parsed, err := o.Parse()
	k, ok := parsed.(*packet.EncryptedKey)
	if err != nil || !ok {
		return nil, refuse(reasonFormat, errors.Join(errors.New("key packet that cannot be read"), err))
	}
	// Each anonymous packet would have to be tried with every private key.
	if k.KeyId == 0 || k.Version == 6 && k.KeyVersion == 0 {
		return nil, refusef(reasonAnonymous, "key packet that hides its recipient")
	}
	return k, nil
}

// source reads a range of the ciphertext in order. Its first failure stays,
// since the library may replace errors on their way up.
type source struct {
	ctx      context.Context
	src      io.ReaderAt
	off, end int64
	failed   error
}

func (s *source) Read(p []byte) (int, error) {
	if s.failed == nil {
		s.failed = canceled(s.ctx)
	}
	if s.failed != nil {
		return 0, s.failed
	}
	if s.off >= s.end {
		return 0, io.EOF
	}
	if left := s.end - s.off; int64(len(p)) > left {
		p = p[:left]
	}
	n, err := s.src.ReadAt(p, s.off)
	s.off += int64(n)
	switch {
	case n == len(p):
		return n, nil
	case err == io.EOF || err == nil:
		// Shorter than the size given: the file was cut.
		s.failed = refusef(reasonTruncated, "ciphertext shorter than announced")
	default:
		s.failed = &sourceError{cause: err}
	}
	return n, s.failed
}

// walker reads headers and jumps over bodies, with a small window so that many
// short pieces cost no read each.
type walker struct {
	source
	window [windowSize]byte
	at, n  int // unread part of the window
}

func (w *walker) position() int64 { return w.off - int64(w.n-w.at) }

func (w *walker) ReadByte() (byte, error) {
	if w.at == w.n {
		n, err := w.source.Read(w.window[:])
		if n == 0 {
			return 0, err
		}
		w.at, w.n = 0, n
	}
	w.at++
	return w.window[w.at-1], nil
}

func (w *walker) Read(p []byte) (int, error) {
	if w.at == w.n {
		return w.source.Read(p)
	}
	n := copy(p, w.window[w.at:w.n])
	w.at += n
	return n, nil
}

func (w *walker) skip(n int64) {
	if kept := int64(w.n - w.at); n > kept {
		w.off += n - kept
		w.at, w.n = 0, 0
		return
	}
	w.at += int(n)
}

// toTheEnd checks that the encrypted data ends exactly where the input does.
func (w *walker) toTheEnd(x extent) error {
	if x.partial && x.length < minFirstPartial {
		return refusef(reasonFormat, "first partial length under 512")
	}
	start := w.position()
	for {
		if x.length > w.end-w.position() {
			return refusef(reasonTruncated, "encrypted data cut")
		}
		w.skip(x.length)
		if !x.partial {
			break
		}
		var err error
		if x, err = readLength(w); err != nil {
			return formatOr(err)
		}
	}
	switch {
	case w.position() < w.end:
		return refusef(reasonTrailingBytes, "bytes after the encrypted data")
	case w.end-start < smallestSealed:
		return refusef(reasonTruncated, "encrypted data too short")
	}
	return nil
}
