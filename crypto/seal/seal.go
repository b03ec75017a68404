package seal

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// MaxRecipients bounds the key packets of one message, the sender's included:
// each costs its readers, or a stranger's victim, a private-key operation.
const MaxRecipients = 16

// sealBuffer joins small writes (lines of base64) before they are hashed,
// encrypted and cut in partial lengths.
const sealBuffer = 4 << 10

const sealPiece = 32 << 10

// Seal writes to dst one binary message, signed by `by`, then encrypted to
// every certificate of to and to by's own, so that the sender can read it
// again. What is written to the result is the content; Close signs, finishes
// the message and does not close dst. Memory does not depend on the size.
//
// The message is SEIPDv1 with AES-256, whatever the certificates prefer, a
// SHA-256 signature that names the intended recipients, and a binary literal
// without file name nor date. A message whose Close failed or was not called is
// not valid for anyone.
//
// now is the time when it begins; the signature is dated when the content ends,
// so that a slow upload is not signed in the past.
//
// It returns *UnusableError when a certificate may not sign or be encrypted to
// now, ErrRecipients, an *Error "canceled", or dst's own errors.
func Seal(ctx context.Context, dst io.Writer, by *Identity, to []*Cert, now time.Time) (w io.WriteCloser, err error) {
	defer rescue(reasonFormat, &err)
	if err := canceled(ctx); err != nil {
		return nil, err
	}
	if len(to) == 0 {
		return nil, ErrRecipients
	}
	signer, err := by.signer(now)
	if err != nil {
		return nil, err
	}
	keys, intended, err := addressees(by.cert, to, now)
	if err != nil {
		return nil, err
	}
	s := &sealer{ctx: ctx, signer: signer, cfg: signing(now, nil), intended: intended, now: now, begun: time.Now()}
	s.out = bufio.NewWriterSize(dst, sealBuffer)
	if err := s.begin(keys); err != nil {
		return nil, fmt.Errorf("seal: seal: %w", err)
	}
	s.in = bufio.NewWriterSize(sealContent{s}, sealBuffer)
	return s, nil
}

// addressees returns one encryption key for each certificate, each once, the
// sender's last.
func addressees(own *Cert, to []*Cert, now time.Time) (keys []*key, intended []*packet.Recipient, err error) {
	seen := make(map[Fingerprint]bool, len(to)+1)
	for i := range len(to) + 1 {
		c := own
		if i < len(to) {
			c = to[i]
		}
		if seen[c.fp] {
			continue
		}
		seen[c.fp] = true
		k, s := c.pick(now, ToEncrypt)
		if s != Usable {
			return nil, nil, &UnusableError{Fingerprint: c.fp, Standing: s, At: now}
		}
		keys = append(keys, k)
		intended = append(intended, &packet.Recipient{KeyVersion: 4, Fingerprint: c.primary.pub.Fingerprint})
	}
	if len(keys) > MaxRecipients {
		return nil, nil, ErrRecipients
	}
	return keys, intended, nil
}

// sealer is the chain in → hash and literal → encryption → out.
type sealer struct {
	ctx      context.Context
	signer   *packet.PrivateKey
	cfg      *packet.Config
	now      time.Time // given
	begun    time.Time // to date the signature when the content ends: an upload may be slow
	intended []*packet.Recipient

	in      *bufio.Writer
	hash    hash.Hash
	literal io.WriteCloser // partial lengths inside the encryption
	sealed  io.WriteCloser // the encryption
	out     *bufio.Writer
	err     error // the first failure; nothing works after it
}

var errClosed = errors.New("seal: write after Close")

// sealContent is where the buffered content goes, in pieces: the library's
// writer of partial lengths holds as much as it is given at once.
type sealContent struct{ s *sealer }

func (c sealContent) Write(p []byte) (total int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), sealPiece)]
		var n int
		c.s.hash.Write(piece)
		n, err = c.s.literal.Write(piece)
		total += n
		p = p[len(piece):]
	}
	return total, err
}

// begin writes the key packets and the heads of what is inside.
func (s *sealer) begin(keys []*key) error {
	session := make([]byte, packet.CipherAES256.KeySize())
	defer clear(session)
	if _, err := rand.Read(session); err != nil {
		return err
	}
	for _, k := range keys {
		if err := packet.SerializeEncryptedKeyAEAD(s.out, k.pub, packet.CipherAES256, false, session, s.cfg); err != nil {
			return err
		}
	}
	var err error
	s.sealed, err = packet.SerializeSymmetricallyEncrypted(s.out, packet.CipherAES256, false, packet.CipherSuite{}, session, s.cfg)
	if err != nil {
		return err
	}
	ops := packet.OnePassSignature{
		Version: 3, SigType: packet.SigTypeBinary, Hash: s.cfg.Hash(),
		PubKeyAlgo: s.signer.PubKeyAlgo, KeyId: s.signer.KeyId, IsLast: true,
	}
	if err := ops.Serialize(s.sealed); err != nil {
		return err
	}
	s.hash = s.cfg.Hash().New()
	s.literal, err = packet.SerializeLiteral(keepOpen{s.sealed}, true, "", 0)
	return err
}

// keepOpen lets the literal end without ending the encryption.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

func (s *sealer) Write(p []byte) (n int, err error) {
	defer rescue(reasonFormat, &err)
	if s.err == nil {
		s.err = canceled(s.ctx)
	}
	if s.err != nil {
		return 0, s.err
	}
	n, s.err = s.in.Write(p)
	return n, s.err
}

func (s *sealer) Close() (err error) {
	defer rescue(reasonFormat, &err)
	if s.err == nil {
		s.err = canceled(s.ctx)
	}
	if s.err != nil {
		return s.err
	}
	if err := s.finish(); err != nil {
		s.err = fmt.Errorf("seal: seal: %w", err)
		return s.err
	}
	s.err = errClosed
	return nil
}

func (s *sealer) finish() error {
	if err := s.in.Flush(); err != nil {
		return err
	}
	if err := s.literal.Close(); err != nil {
		return err
	}
	s.cfg = signing(s.now.Add(time.Since(s.begun)), nil)
	sig := newSignature(s.signer, packet.SigTypeBinary, s.cfg)
	sig.IntendedRecipients = s.intended
	if err := sig.Sign(s.hash, s.signer, s.cfg); err != nil {
		return err
	}
	if err := sig.Serialize(s.sealed); err != nil {
		return err
	}
	if err := s.sealed.Close(); err != nil {
		return err
	}
	return s.out.Flush()
}
