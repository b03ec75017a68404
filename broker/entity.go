package broker

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"sync"
)

// The plaintext of body.pgp and evidence.pgp is one MIME entity (RFC 2045,
// RFC 2046 section 5.1) of one form only, so that a mail reader shows it and a
// strict reader has nothing to interpret: CRLF, two headers, no preamble nor
// epilogue, every part an attachment in base64 of 76 columns (RFC 2045 section
// 6.8). Base64 holds no "-", so the boundary needs no randomness.

const (
	boundary   = "=_vaguemestre_1"
	lineBytes  = 57 // 76 columns of base64
	maxParts   = 64
	maxHeaders = 512 // longest header line that is read
)

const (
	entityType = `Content-Type: multipart/mixed; boundary="` + boundary + `"`
	entityHead = "MIME-Version: 1.0\r\n" + entityType + "\r\n\r\n"
)

var strictBase64 = base64.StdEncoding.Strict()

// buffers are what one entity needs while it is written or read. They are
// pooled: a pli is small, and a buffer for each would be most of what it costs.
type buffers struct {
	w   *bufio.Writer
	r   *bufio.Reader
	in  [blockLines * lineBytes]byte
	out [blockLines * (76 + 2)]byte
}

const blockLines = 64

var pool = sync.Pool{New: func() any {
	return &buffers{w: bufio.NewWriterSize(nil, 16<<10), r: bufio.NewReaderSize(nil, 16<<10)}
}}

// entityWriter writes an entity, part after part, in constant memory.
type entityWriter struct {
	*buffers
	sums bytes.Buffer // SHA256SUMS so far
	err  error
}

func newEntityWriter(w io.Writer) *entityWriter {
	e := &entityWriter{buffers: pool.Get().(*buffers)}
	e.w.Reset(w)
	_, e.err = e.w.WriteString(entityHead)
	return e
}

// part writes one part from a reader and returns the digest and the size of
// what was read.
func (e *entityWriter) part(name, ctype string, r io.Reader) (string, int64, error) {
	if e.err != nil {
		return "", 0, e.err
	}
	fmt.Fprintf(e.w, "--%s\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", boundary, ctype, name)
	sum := sha256.New()
	n, err := e.copyBase64(r, sum)
	if err != nil {
		e.err = err
		return "", n, err
	}
	digest := hex.EncodeToString(sum.Sum(nil))
	fmt.Fprintf(&e.sums, "%s  %s\n", digest, name)
	return digest, n, nil
}

func (e *entityWriter) bytes(name, ctype string, b []byte) (string, error) {
	d, _, err := e.part(name, ctype, bytes.NewReader(b))
	return d, err
}

// finish writes SHA256SUMS when asked, and the closing delimiter. It returns
// the digest of SHA256SUMS: content_sha256.
func (e *entityWriter) finish(withSums bool) (string, error) {
	var content string
	if withSums {
		var err error
		if content, err = e.bytes(PartSums, typeSums, bytes.Clone(e.sums.Bytes())); err != nil {
			return "", err
		}
	}
	if e.err != nil {
		return "", e.err
	}
	e.w.WriteString("--" + boundary + "--\r\n")
	err := e.w.Flush()
	e.w.Reset(nil)
	pool.Put(e.buffers)
	e.buffers, e.err = nil, errFinished
	return content, err
}

var errFinished = errors.New("broker: the entity is finished")

// copyBase64 writes r in base64 lines that each end with CRLF.
func (b *buffers) copyBase64(r io.Reader, sum hash.Hash) (int64, error) {
	var total int64
	for {
		n, err := io.ReadFull(r, b.in[:])
		total += int64(n)
		sum.Write(b.in[:n])
		o := 0
		for i := 0; i < n; i += lineBytes {
			chunk := b.in[i:min(i+lineBytes, n)]
			base64.StdEncoding.Encode(b.out[o:], chunk)
			o += base64.StdEncoding.EncodedLen(len(chunk))
			b.out[o], b.out[o+1] = '\r', '\n'
			o += 2
		}
		if _, werr := b.w.Write(b.out[:o]); werr != nil {
			return total, werr
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return total, nil
		default:
			return total, err
		}
	}
}

// entityReader reads an entity of exactly that form; anything else is
// ErrFormat.
type entityReader struct {
	*buffers
	delim string // "--" boundary, without line end
	cur   *partReader
	parts int
	done  bool
}

// entityPart is one part: its name, its declared type, its decoded bytes.
type entityPart struct {
	Name, Type string
	Body       *partReader
}

func newEntityReader(r io.Reader) (*entityReader, error) {
	e := &entityReader{buffers: pool.Get().(*buffers)}
	e.r.Reset(r)
	e.delim = "--" + boundary
	for _, want := range []string{"MIME-Version: 1.0", entityType, "", e.delim} {
		l, err := e.line()
		if err != nil {
			return nil, err
		}
		if l != want {
			return nil, fmt.Errorf("%w: head of the entity", ErrFormat)
		}
	}
	return e, nil
}

// line reads one CRLF line.
func (e *entityReader) line() (string, error) {
	b, err := e.r.ReadSlice('\n')
	if err != nil {
		if err == io.EOF || err == bufio.ErrBufferFull {
			err = fmt.Errorf("%w: line", ErrFormat)
		}
		return "", err
	}
	if len(b) < 2 || b[len(b)-2] != '\r' || len(b) > maxHeaders {
		return "", fmt.Errorf("%w: line", ErrFormat)
	}
	return string(b[:len(b)-2]), nil
}

// next returns the next part, or io.EOF after the last one and the end of the
// input.
func (e *entityReader) next() (entityPart, error) {
	if e.cur != nil {
		if _, err := e.cur.WriteTo(io.Discard); err != nil {
			return entityPart{}, err
		}
		e.cur = nil
	}
	if e.done {
		e.free()
		return entityPart{}, io.EOF
	}
	if e.parts++; e.parts > maxParts {
		return entityPart{}, fmt.Errorf("%w: too many parts", ErrFormat)
	}
	var p entityPart
	var ok [4]bool
	for i, form := range [4][2]string{{"Content-Type: ", ""}, {`Content-Disposition: attachment; filename="`, `"`}, {"Content-Transfer-Encoding: base64", ""}, {"", ""}} {
		l, err := e.line()
		if err != nil {
			return p, err
		}
		var a, z bool
		l, a = strings.CutPrefix(l, form[0])
		l, z = strings.CutSuffix(l, form[1])
		ok[i] = a && z
		switch i {
		case 0:
			p.Type = l
		case 1:
			p.Name = l
		default:
			ok[i] = ok[i] && l == ""
		}
	}
	if ok != [4]bool{true, true, true, true} || !validPartName(p.Name) || !validType(p.Name, p.Type) {
		return p, fmt.Errorf("%w: part header", ErrFormat)
	}
	e.cur = &partReader{e: e}
	p.Body = e.cur
	return p, nil
}

// free gives the buffers back; an entity that is not read to its end leaves
// them to the collector.
func (e *entityReader) free() {
	if e.buffers != nil {
		e.r.Reset(nil)
		pool.Put(e.buffers)
		e.buffers = nil
	}
}

// validPartName accepts what a part of ours may be called: a word, a dot, a
// word. Nothing that a shell or a file system would take for something else.
func validPartName(s string) bool {
	if s == PartSums || s == PartEvidenceSig {
		return true
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '.' && c != '-' {
			return false
		}
	}
	stem, ext, ok := strings.Cut(s, ".")
	return ok && len(s) <= 64 && stem != "" && stem[0] != '-' && ext != "" && !strings.ContainsAny(ext, ".-")
}

// validType accepts the one type of a part of ours, and for a piece printable
// ASCII that cannot end a header.
func validType(name, s string) bool {
	switch name {
	case PartText:
		return s == typeText
	case PartSums:
		return s == typeSums
	case PartEvidenceSig:
		return s == typeSig
	case PartInner, PartDocument, PartActe, PartAssertion, PartEvidence, PartDetail:
		return s == typeJSON
	}
	return len(s) <= 127 && strings.Contains(s, "/") && !strings.Contains(s, ":") && plainASCII([]byte(s))
}

// partReader decodes the lines of one part: 76 columns each but the last,
// until a delimiter.
type partReader struct {
	e     *entityReader
	buf   [lineBytes]byte
	rest  []byte
	some  bool // a line came: no part is empty
	short bool // the last line was not full: only a delimiter may follow
	end   bool
}

func (p *partReader) Read(b []byte) (int, error) {
	n := 0
	for n < len(b) {
		if len(p.rest) == 0 {
			if p.end {
				break
			}
			if err := p.fill(); err != nil {
				return n, err
			}
			continue
		}
		c := copy(b[n:], p.rest)
		p.rest = p.rest[c:]
		n += c
	}
	if n == 0 && p.end && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo spares io.Copy a buffer.
func (p *partReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for !p.end || len(p.rest) > 0 {
		if len(p.rest) == 0 {
			if err := p.fill(); err != nil {
				return total, err
			}
			continue
		}
		n, err := w.Write(p.rest)
		total += int64(n)
		p.rest = p.rest[n:]
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

func (p *partReader) fill() error {
	l, err := p.e.r.ReadSlice('\n')
	if err != nil {
		if err == io.EOF || err == bufio.ErrBufferFull {
			err = fmt.Errorf("%w: part without end", ErrFormat)
		}
		return err
	}
	if len(l) < 2 || l[len(l)-2] != '\r' {
		return fmt.Errorf("%w: line end", ErrFormat)
	}
	l = l[:len(l)-2]
	if len(l) > 1 && l[0] == '-' && l[1] == '-' {
		return p.delimiter(string(l))
	}
	if p.short || len(l) == 0 || len(l) > 76 {
		return fmt.Errorf("%w: base64 line", ErrFormat)
	}
	n, err := strictBase64.Decode(p.buf[:], l)
	if err != nil || bytes.IndexByte(l, '\r') >= 0 {
		return fmt.Errorf("%w: base64", ErrFormat)
	}
	p.some, p.short = true, n < lineBytes
	p.rest = p.buf[:n]
	return nil
}

func (p *partReader) delimiter(l string) error {
	p.end = true
	if !p.some {
		return fmt.Errorf("%w: empty part", ErrFormat)
	}
	switch l {
	case p.e.delim:
		return nil
	case p.e.delim + "--":
		p.e.done = true
		if _, err := p.e.r.ReadByte(); err != io.EOF {
			if err == nil {
				err = fmt.Errorf("%w: epilogue", ErrFormat)
			}
			return err
		}
		return nil
	}
	return fmt.Errorf("%w: delimiter", ErrFormat)
}
