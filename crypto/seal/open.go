package seal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Limits bounds what Open accepts, in bytes. Zero values mean the defaults.
type Limits struct {
	Plain int64 // content, after decompression; default 320 MiB (200 MB in base64, and more)
	Small int64 // content kept in memory from the first pass; default 1 MiB
}

const (
	defaultPlain = 320 << 20
	defaultSmall = 1 << 20
)

func (l Limits) orDefault() Limits {
	if l.Plain <= 0 {
		l.Plain = defaultPlain
	}
	if l.Small <= 0 {
		l.Small = defaultSmall
	}
	return l
}

// sealed is the most ciphertext that Plain bytes of content may take: key
// packets, signature, partial lengths.
func (l Limits) sealed() int64 { return l.Plain + l.Plain/128 + 128<<10 }

// Opened is a message that passed every check, to its last byte. Its content
// is not trusted for anything more than that signer and date. It holds plain
// text and prints as nothing.
type Opened struct {
	src   io.ReaderAt
	size  int64
	data  int64 // offset of the encrypted data
	lim   Limits
	small []byte // whole content, or nil if beyond Limits.Small

	cipher  packet.CipherFunction
	session []byte
	signer  Fingerprint
	at      time.Time
	plain   int64
	digest  []byte // of the content
}

// Signer returns the fingerprint of the certificate that signed.
func (o *Opened) Signer() string { return string(o.signer) }

// SignedAt returns the date that the signer gives.
func (o *Opened) SignedAt() time.Time { return o.at }

// Size returns the length of the content in bytes.
func (o *Opened) Size() int64 { return o.plain }

// SessionKey returns the key of this one message in the form that gpg prints
// with --show-session-key and reads with --override-session-key: the cipher's
// number, a colon, upper-case hexadecimal digits.
func (o *Opened) SessionKey() string {
	return strconv.Itoa(int(o.cipher)) + ":" + strings.ToUpper(hex.EncodeToString(o.session))
}

// Format, MarshalJSON and LogValue keep content and key out of every print.
func (o *Opened) Format(s fmt.State, _ rune)   { io.WriteString(s, "opened message") }
func (o *Opened) MarshalJSON() ([]byte, error) { return []byte(`"opened message"`), nil }
func (o *Opened) LogValue() slog.Value         { return slog.StringValue("opened message") }

// Open reads a message to its end and returns it only if all of this holds:
// the outside passes inspect; one of as decrypts it; inside there is one
// signature, on binary data, by one of by, made with a key meant to sign and
// that existed at the date of the signature; if the signature names intended
// recipients, the certificate that decrypted is among them; compression, if
// any, is one layer of ZIP or ZLIB; integrity code and sizes are right.
//
// Nothing is judged about expiry and revocation, of the keys that decrypt or
// of the certificate that signed (but a signing subkey must be valid at the date
// of the signature, as for Verify): a message deposited before a rotation must
// open after it. The caller asks Cert.Standing, with a date that is not the signer's own.
//
// src must not change, and stay readable as long as the result is used. It is
// read from start to end once; content up to Limits.Small is kept.
//
// It returns an *Error, "undecipherable" for everything after decryption began
// (Exact tells more), or src's own error wrapped.
func Open(ctx context.Context, src io.ReaderAt, size int64, as []*Identity, by []*Cert, lim Limits) (*Opened, error) {
	return OpenFrom(ctx, src, size, as, func(uint64) []*Cert { return by }, lim)
}

// OpenFrom is Open where the expected signers are too many to list: by returns
// those that have a key of that id (Cert.KeyIDs), once the message is decrypted.
func OpenFrom(ctx context.Context, src io.ReaderAt, size int64, as []*Identity, by func(keyID uint64) []*Cert, lim Limits) (o *Opened, err error) {
	defer rescue(reasonUndecipherable, &err)
	lim = lim.orDefault()
	env, err := outside(ctx, src, size, lim)
	if err != nil {
		return nil, err
	}
	matches := match(env, as)
	if len(matches) == 0 {
		return nil, refusef(reasonNotAddressed, "no key packet for any of the %d identities", len(as))
	}
	o, err = openMatches(ctx, src, size, env, matches, by, lim)
	if err != nil {
		return nil, veil(err)
	}
	return o, nil
}

// OpenWithSessionKey is Open for somebody who was given the session key of the
// message ("9:" and hexadecimal digits) instead of being addressed. A key that
// is malformed is refused as "session_key".
func OpenWithSessionKey(ctx context.Context, src io.ReaderAt, size int64, key string, by []*Cert, lim Limits) (o *Opened, err error) {
	defer rescue(reasonUndecipherable, &err)
	cipher, session, err := parseSessionKey(key)
	if err != nil {
		return nil, err
	}
	lim = lim.orDefault()
	env, err := outside(ctx, src, size, lim)
	if err != nil {
		return nil, err
	}
	o = &Opened{src: src, size: size, data: env.data, lim: lim, cipher: cipher, session: session}
	if err := o.firstPass(ctx, func(uint64) []*Cert { return by }, nil); err != nil {
		return nil, veil(err)
	}
	return o, nil
}

func outside(ctx context.Context, src io.ReaderAt, size int64, lim Limits) (*envelope, error) {
	if err := canceled(ctx); err != nil {
		return nil, err
	}
	if size > lim.sealed() {
		return nil, refusef(reasonTooLarge, "ciphertext beyond the limit")
	}
	return inspect(ctx, src, size)
}

// matched is a key packet and the identity that may decrypt it.
type matched struct {
	packet *packet.EncryptedKey
	secret *packet.PrivateKey
	cert   *Cert
}

func match(env *envelope, as []*Identity) (out []matched) {
	for _, p := range env.keys {
		for _, id := range as {
			k := id.cert.named(p.KeyId)
			if k == nil || !k.encrypt {
				continue
			}
			if s := id.secretOf(p.KeyId); s != nil {
				out = append(out, matched{p, s, id.cert})
			}
		}
	}
	return out
}

// openMatches decrypts the key packets that name one of our keys, until one
// gives a session key; that one decides.
func openMatches(ctx context.Context, src io.ReaderAt, size int64, env *envelope, matches []matched, by func(uint64) []*Cert, lim Limits) (*Opened, error) {
	var last error
	for _, m := range matches {
		if err := canceled(ctx); err != nil {
			return nil, err
		}
		if err := m.packet.Decrypt(m.secret, reading()); err != nil {
			last = err
			continue
		}
		o := &Opened{src: src, size: size, data: env.data, lim: lim, cipher: m.packet.CipherFunc, session: m.packet.Key}
		if err := o.firstPass(ctx, by, m.cert); err != nil {
			return nil, err
		}
		return o, nil
	}
	return nil, last
}

// reading is the configuration of everything that we read.
func reading() *packet.Config { return &packet.Config{} }

func parseSessionKey(key string) (packet.CipherFunction, []byte, error) {
	number, digits, ok := strings.Cut(key, ":")
	cipher, errNumber := strconv.ParseUint(number, 10, 8)
	session, errDigits := hex.DecodeString(digits)
	c := packet.CipherFunction(cipher)
	if !ok || errNumber != nil || errDigits != nil || !accepted(c) || len(session) != c.KeySize() {
		return 0, nil, refusef(reasonSessionKey, "not a session key")
	}
	return c, session, nil
}

// accepted ciphers: AES, which every client has.
func accepted(c packet.CipherFunction) bool {
	return c == packet.CipherAES128 || c == packet.CipherAES192 || c == packet.CipherAES256
}

// decrypt opens the encrypted data from its start. Closing the result checks
// the integrity code.
func (o *Opened) decrypt(src *source) (io.ReadCloser, error) {
	window := min(max(o.size-o.data, 512), 64<<10)
	parsed, err := packet.Read(bufio.NewReaderSize(src, int(window)))
	data, ok := parsed.(*packet.SymmetricallyEncrypted)
	if err != nil || !ok {
		return nil, refuse(reasonFormat, err)
	}
	if data.Version == 2 {
		o.cipher = data.Cipher // version 6 key packets do not say it
	}
	if !accepted(o.cipher) || len(o.session) != o.cipher.KeySize() {
		return nil, refusef(reasonWeakAlgorithm, "cipher that is not accepted")
	}
	plain, err := data.Decrypt(o.cipher, o.session)
	if err != nil {
		return nil, refuse(reasonUndecipherable, err)
	}
	return plain, nil
}

// firstPass reads everything, checks everything and fills o.
func (o *Opened) firstPass(ctx context.Context, by func(uint64) []*Cert, us *Cert) error {
	src := &source{ctx: ctx, src: o.src, off: o.data, end: o.size}
	err := o.check(src, by, us)
	if err != nil && src.failed != nil {
		return src.failed
	}
	return err
}

func (o *Opened) check(src *source, by func(uint64) []*Cert, us *Cert) error {
	plain, err := o.decrypt(src)
	if err != nil {
		return err
	}
	in := &inside{outer: bufio.NewReaderSize(plain, int(min(max(o.size-o.data, 512), 32<<10)))}
	if err := in.begin(); err != nil {
		return err
	}
	k, cert := expected(by(in.issuer), in.issuer)
	if k == nil {
		return refusef(reasonSignerUnknown, "none of the expected certificates")
	}
	h := in.hash.New()
	keep := &keeper{limit: o.lim.Small}
	if o.plain, err = copyLimited(io.MultiWriter(h, keep), in.content, o.lim.Plain, o.size); err != nil {
		return formatOr(err)
	}
	sig, err := in.end()
	if err != nil {
		return err
	}
	if err := plain.Close(); err != nil {
		return refuse(reasonUndecipherable, err)
	}
	if sig.Hash != in.hash || sig.PubKeyAlgo != in.algo || *sig.IssuerKeyId != in.issuer {
		return refusef(reasonBadSignature, "signature other than announced")
	}
	o.digest = h.Sum(nil)
	if err := checkSignature(sig, k, h); err != nil {
		return err
	}
	if us != nil && !intends(sig, us) {
		return refusef(reasonNotIntended, "meant for other recipients")
	}
	o.signer, o.at, o.small = cert.fp, sig.CreationTime.UTC(), keep.content()
	return nil
}

// intends tells whether the signer meant it for us. No names at all is allowed,
// as gpg writes none: the signed content names its addressees too.
func intends(sig *packet.Signature, us *Cert) bool {
	for _, r := range sig.IntendedRecipients {
		if bytes.Equal(r.Fingerprint, us.primary.pub.Fingerprint) {
			return true
		}
	}
	return len(sig.IntendedRecipients) == 0
}

// Reader returns the content. Small content comes from memory; larger content
// is decrypted again from src, and the last Read fails with an *Error instead
// of io.EOF if the bytes are not those of the first pass: whoever writes them
// somewhere waits for the end.
func (o *Opened) Reader(ctx context.Context) (r io.ReadCloser, err error) {
	defer rescue(reasonUndecipherable, &err)
	if err := canceled(ctx); err != nil {
		return nil, err
	}
	if o.small != nil || o.plain == 0 {
		return io.NopCloser(bytes.NewReader(o.small)), nil
	}
	src := &source{ctx: ctx, src: o.src, off: o.data, end: o.size}
	again := *o // decrypt may set the cipher; o is shared
	plain, err := again.decrypt(src)
	if err != nil {
		return nil, veil(err)
	}
	in := &inside{outer: bufio.NewReaderSize(plain, 32<<10)}
	if err := in.begin(); err != nil {
		return nil, veil(err)
	}
	return &rereader{o: o, src: src, content: in.content, hash: in.hash.New()}, nil
}
