package broker

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"
)

// entityReader reads an entity of exactly that form; anything else is
// ErrFormat.
type entityReader struct {
	*buffers
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
	for _, want := range [...]string{"MIME-Version: 1.0", entityType, "", delimiter} {
		l, err := e.line()
		if err != nil {
			return nil, err
		}
		if string(l) != want {
			return nil, fmt.Errorf("%w: head of the entity", ErrFormat)
		}
	}
	return e, nil
}

// line reads one CRLF line; it holds until the next one is read.
func (e *entityReader) line() ([]byte, error) {
	b, err := e.r.ReadSlice('\n')
	if err != nil {
		if err == io.EOF || err == bufio.ErrBufferFull {
			err = fmt.Errorf("%w: line", ErrFormat)
		}
		return nil, err
	}
	if len(b) < 2 || b[len(b)-2] != '\r' || len(b) > maxHeaders {
		return nil, fmt.Errorf("%w: line", ErrFormat)
	}
	return b[:len(b)-2], nil
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
	var values [len(partHead)]string
	ok := true
	for i, form := range partHead {
		l, err := e.line()
		if err != nil {
			return entityPart{}, err
		}
		value, before := strings.CutPrefix(string(l), form.before)
		value, after := strings.CutSuffix(value, form.after)
		ok = ok && before && after && (form.value || value == "")
		values[i] = value
	}
	p := entityPart{Type: values[0], Name: values[1]}
	if !ok || !validPartName(p.Name) || !validType(p.Name, p.Type) {
		return p, fmt.Errorf("%w: part header", ErrFormat)
	}
	e.cur = &partReader{e: e}
	p.Body = e.cur
	return p, nil
}

// partHead is the form of the lines before the base64 of a part.
var partHead = [...]struct {
	before, after string
	value         bool // something stands between
}{
	{before: "Content-Type: ", value: true},
	{before: `Content-Disposition: attachment; filename="`, after: `"`, value: true},
	{before: "Content-Transfer-Encoding: base64"},
	{},
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
// until a delimiter. Its bytes are in the block of the entity.
type partReader struct {
	e     *entityReader
	rest  []byte
	some  bool // a line came: no part is empty
	short bool // the last line was not full: only a delimiter may follow
	end   bool
}

func (p *partReader) Read(b []byte) (int, error) {
	for len(p.rest) == 0 && !p.end {
		if err := p.fill(); err != nil {
			return 0, err
		}
	}
	if len(p.rest) == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// WriteTo spares io.Copy a buffer.
func (p *partReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if len(p.rest) > 0 {
			n, err := w.Write(p.rest)
			total += int64(n)
			if err != nil {
				return total, err
			}
			p.rest = nil
		}
		if p.end {
			return total, nil
		}
		if err := p.fill(); err != nil {
			return total, err
		}
	}
}

// all reads the part to its end, into one slice; more than most bytes is
// ErrFormat.
func (p *partReader) all(most int) ([]byte, error) {
	var b []byte
	for !p.end {
		if err := p.fill(); err != nil {
			return nil, err
		}
		if b == nil {
			b = make([]byte, 0, len(p.rest)+lineBytes) // small parts need no more
		}
		b = append(b, p.rest...)
		p.rest = nil
		if len(b) > most {
			return nil, fmt.Errorf("%w: part too large", ErrFormat)
		}
	}
	return b, nil
}

// fill decodes the full lines that are at hand, as many as a block holds, or
// else reads and judges one line.
func (p *partReader) fill() error {
	if !p.short {
		ahead, _ := p.e.r.Peek(p.e.r.Buffered())
		n := fullLines(p.e.block[:], ahead)
		if n > 0 {
			p.e.r.Discard(n * (columns + len(lineEnd)))
			p.some, p.rest = true, p.e.block[:n*lineBytes]
			return nil
		}
	}
	return p.fillLine()
}

// fullLines decodes lines of exactly 76 columns of base64 until the first
// other one, which is left to whoever judges it, and says how many they were.
func fullLines(dst, src []byte) int {
	n := 0
	for ; len(dst) >= lineBytes && len(src) >= columns+len(lineEnd); n++ {
		if src[columns] != '\r' || src[columns+1] != '\n' {
			break
		}
		if size, err := strictBase64.Decode(dst, src[:columns]); err != nil || size != lineBytes {
			break // the decoder skips line ends: fewer bytes came then
		}
		dst, src = dst[lineBytes:], src[columns+len(lineEnd):]
	}
	return n
}

func (p *partReader) fillLine() error {
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
	if bytes.HasPrefix(l, []byte("--")) {
		return p.delimiter(l)
	}
	if p.short || len(l) == 0 || len(l) > columns {
		return fmt.Errorf("%w: base64 line", ErrFormat)
	}
	n, err := strictBase64.Decode(p.e.block[:], l)
	if err != nil || bytes.IndexByte(l, '\r') >= 0 {
		return fmt.Errorf("%w: base64", ErrFormat)
	}
	p.some, p.short = true, n < lineBytes
	p.rest = p.e.block[:n]
	return nil
}

func (p *partReader) delimiter(l []byte) error {
	p.end = true
	if !p.some {
		return fmt.Errorf("%w: empty part", ErrFormat)
	}
	switch string(l) {
	case delimiter:
		return nil
	case delimiter + "--":
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
