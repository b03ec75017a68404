package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"slices"
)

// outgoing is a message as it leaves: the JSON, and the files that stream
// after it. A file is read twice, once for its digest; see sendKey.
type outgoing struct {
	party   string
	message []byte
	pieces  []*attached

	fault error // why the body was cut by us; read once it is sent
}

// attached is the file of one piece.
type attached struct {
	rank   int // from 1; the name of a file may be that of a child
	file   *os.File
	size   int64
	digest [sha256.Size]byte
}

// maxDocFile is more than any document has, in bytes.
const maxDocFile = 2 << 20

// newOutgoing reads the document and opens the pieces. What they hold is
// judged by the broker.
func newOutgoing(f sendFlags, path string) (*outgoing, error) {
	doc, err := readDocument(path)
	if err != nil {
		return nil, err
	}
	frame, err := json.Marshal(struct {
		Kind    string   `json:"kind"`
		To      []string `json:"to"`
		Cc      []string `json:"cc,omitempty"`
		Urgency string   `json:"urgency,omitempty"`
		Thread  string   `json:"thread,omitempty"`
		ReplyTo string   `json:"in_reply_to,omitempty"`
		Actor   person   `json:"actor"`
	}{f.kind, f.to, f.cc, f.urgency, f.thread, f.replyTo, person{f.actor, f.function}})
	if err != nil {
		return nil, fmt.Errorf("sending: %w", err)
	}
	// The very bytes of the document: encoded again they would be others.
	s := &outgoing{party: f.as, message: slices.Concat(frame[:len(frame)-1], []byte(`,"document":`), doc, []byte("}"))}
	for i, name := range f.attach {
		a, err := attach(i+1, name)
		if err != nil {
			s.close()
			return nil, err
		}
		s.pieces = append(s.pieces, a)
	}
	return s, nil
}

// person is who acts, in the calls of the API.
type person struct {
	Name     string `json:"name"`
	Function string `json:"function,omitempty"`
}

// readDocument reads DOC.json. Its path is not in the errors: people name
// files after children.
func readDocument(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &hinted{fmt.Errorf("DOC.json: %w", nameless(err)), "give the path of the document"}
	}
	defer f.Close()
	doc, err := io.ReadAll(io.LimitReader(f, maxDocFile+1))
	if err != nil {
		return nil, fmt.Errorf("DOC.json: %w", nameless(err))
	}
	if len(doc) > maxDocFile {
		return nil, &hinted{errors.New("DOC.json: larger than any document"), "papers go as pieces, by --attach"}
	}
	if !json.Valid(doc) || !bytes.HasPrefix(bytes.TrimLeft(doc, " \t\r\n"), []byte("{")) {
		return nil, &hinted{errors.New("DOC.json: not a JSON object in UTF-8"), "vaguemestre schema KIND prints the form of a document"}
	}
	return bytes.TrimSpace(doc), nil
}

// nameless takes the path out of an error of a file.
func nameless(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func attach(rank int, path string) (*attached, error) {
	wrong := func(err error) error { return fmt.Errorf("--attach number %d: %w", rank, nameless(err)) }
	info, err := os.Stat(path)
	if err != nil {
		return nil, wrong(err)
	}
	if !info.Mode().IsRegular() {
		return nil, wrong(errors.New("not a file"))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, wrong(err)
	}
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return nil, errors.Join(wrong(err), f.Close())
	}
	a := &attached{rank: rank, file: f, size: n}
	h.Sum(a.digest[:0])
	return a, nil
}

func (s *outgoing) close() {
	for _, a := range s.pieces {
		a.file.Close() // it was only read
	}
}

// fields is all that makes two submissions the same.
func (s *outgoing) fields() [][]byte {
	out := [][]byte{[]byte(s.party), s.message}
	for _, a := range s.pieces {
		out = append(out, a.digest[:])
	}
	return out
}

// size is what is to be sent beside the frame, in bytes.
func (s *outgoing) size() int64 {
	n := int64(len(s.message))
	for _, a := range s.pieces {
		n += a.size
	}
	return n
}

// body is the request: JSON where there are no pieces, else a form whose length
// is known before it is sent. seen sees all that leaves.
func (s *outgoing) body(seen io.Writer) (r io.ReadCloser, size int64, ctype string) {
	if len(s.pieces) == 0 {
		return io.NopCloser(bytes.NewReader(s.message)), int64(len(s.message)), "application/json"
	}
	boundary := rand.Text() // 128 bits: it is in no piece
	var parts []io.Reader
	text := func(t string) {
		size += int64(len(t))
		parts = append(parts, bytes.NewReader([]byte(t)))
	}
	text("--" + boundary + "\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n")
	text(string(s.message))
	for _, a := range s.pieces {
		text("\r\n--" + boundary + "\r\nContent-Disposition: form-data; name=\"piece\"; filename=\"piece\"\r\nContent-Type: application/octet-stream\r\n\r\n")
		size += a.size
		parts = append(parts, &again{s: s, a: a, hash: sha256.New()})
	}
	text("\r\n--" + boundary + "--\r\n")
	return io.NopCloser(io.TeeReader(io.MultiReader(parts...), seen)), size, "multipart/form-data; boundary=" + boundary
}

// again reads a file the second time, and cuts the body where it is no longer
// what was read first: else a repetition would not be known again.
type again struct {
	s    *outgoing
	a    *attached
	hash hash.Hash
	at   int64
}

func (r *again) Read(b []byte) (int, error) {
	if left := r.a.size - r.at; int64(len(b)) > left {
		b = b[:left]
	}
	if len(b) == 0 {
		return 0, r.end()
	}
	n, err := r.a.file.ReadAt(b, r.at)
	r.hash.Write(b[:n])
	r.at += int64(n)
	if n > 0 {
		return n, nil
	}
	if err == io.EOF {
		return 0, r.cut(errors.New("the file became shorter while it was sent"))
	}
	return 0, r.cut(nameless(err))
}

func (r *again) end() error {
	if [sha256.Size]byte(r.hash.Sum(nil)) != r.a.digest {
		return r.cut(errors.New("the file changed while it was sent"))
	}
	return io.EOF
}

func (r *again) cut(err error) error {
	r.s.fault = fmt.Errorf("--attach number %d: %w", r.a.rank, err)
	return r.s.fault
}

// errChanged: nothing was deposited, because of a file.
var errChanged error = &passingError{text: "nothing was deposited"}

// changed is why the body was cut here, if it was: nothing was deposited.
func (s *outgoing) changed() error {
	if s.fault == nil {
		return nil
	}
	return &hinted{fmt.Errorf("%w: %w", errChanged, s.fault), "wait until nobody writes that file, then give the same command again"}
}
