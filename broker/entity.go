package broker

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"sync"
)

// The plaintext of body.pgp and evidence.pgp is one MIME entity (RFC 2045,
// RFC 2046 section 5.1) of one form only, so that a mail reader shows it and a
// strict reader has nothing to interpret: CRLF, two headers, no preamble nor
// epilogue, every part an attachment in base64 of 76 columns (RFC 2045 section
// 6.8). Base64 holds no "-", so the boundary needs no randomness.

const (
	boundary   = "=_vaguemestre_1"
	delimiter  = "--" + boundary
	lineBytes  = 57 // of which base64 makes
	columns    = 76
	lineEnd    = "\r\n"
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
	w     *bufio.Writer
	r     *bufio.Reader
	block [64 * lineBytes]byte // of a part, decoded
}

var pool = sync.Pool{New: func() any {
	return &buffers{w: bufio.NewWriterSize(nil, 16<<10), r: bufio.NewReaderSize(nil, 16<<10)}
}}

// entityWriter writes an entity, part after part, in constant memory.
type entityWriter struct {
	*buffers
	sums []byte // SHA256SUMS so far
	err  error
}

func newEntityWriter(w io.Writer) *entityWriter {
	e := &entityWriter{buffers: pool.Get().(*buffers), sums: make([]byte, 0, 1<<10)}
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
	e.head(name, ctype)
	sum, total := sha256.New(), int64(0)
	for {
		n, err := io.ReadFull(r, e.block[:])
		total += int64(n)
		sum.Write(e.block[:n])
		if werr := e.lines(e.block[:n]); werr != nil {
			err = werr
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return e.sum(name, [sha256.Size]byte(sum.Sum(nil))), total, nil
		default:
			e.err = err
			return "", total, err
		}
	}
}

// bytes writes one part that is in memory, and returns its digest.
func (e *entityWriter) bytes(name, ctype string, b []byte) (string, error) {
	if e.err != nil {
		return "", e.err
	}
	e.head(name, ctype)
	if e.err = e.lines(b); e.err != nil {
		return "", e.err
	}
	return e.sum(name, sha256.Sum256(b)), nil
}

// head writes the delimiter and the headers of a part. The buffer keeps a
// failure, and gives it to the lines that follow.
func (e *entityWriter) head(name, ctype string) {
	for _, s := range [...]string{
		delimiter, "\r\nContent-Type: ", ctype, "\r\nContent-Disposition: attachment; filename=\"", name,
		"\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
	} {
		e.w.WriteString(s)
	}
}

// lines writes b in base64 lines that each end with CRLF. Only the last bytes
// of a part may be other than a multiple of lineBytes.
func (e *entityWriter) lines(b []byte) error {
	for len(b) > 0 {
		n := min(lineBytes, len(b))
		line := base64.StdEncoding.AppendEncode(e.w.AvailableBuffer(), b[:n])
		if _, err := e.w.Write(append(line, lineEnd...)); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// sum adds a part to SHA256SUMS, and gives its digest as it stands there.
func (e *entityWriter) sum(name string, sum [sha256.Size]byte) string {
	text := digestText(sum)
	e.sums = appendSum(e.sums, text, name)
	return text
}

// appendSum adds one line as sha256sum writes it.
func appendSum(sums []byte, digest, name string) []byte {
	sums = append(append(sums, digest...), "  "...)
	return append(append(sums, name...), '\n')
}

// finish writes SHA256SUMS when asked, and the closing delimiter. It returns
// the digest of SHA256SUMS: content_sha256.
func (e *entityWriter) finish(withSums bool) (string, error) {
	var content string
	if withSums {
		var err error
		if content, err = e.bytes(PartSums, typeSums, e.sums); err != nil {
			return "", err
		}
	}
	if e.err != nil {
		return "", e.err
	}
	e.w.WriteString(delimiter + "--" + lineEnd)
	err := e.w.Flush()
	e.w.Reset(nil)
	pool.Put(e.buffers)
	e.buffers, e.err = nil, errFinished
	return content, err
}

var errFinished = errors.New("broker: the entity is finished")
