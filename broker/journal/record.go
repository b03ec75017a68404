package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"time"
)

// ErrRecord says that bytes are not a record as the package comment describes
// it.
var ErrRecord = errors.New("journal: not a record")

const recordVersion = 1

// Record is what the bytes of a record say: the event with objects and blobs
// named, their bytes left out.
type Record struct {
	Event
	Objects [][32]byte // SHA-256 of each object
	Inline  []bool     // for each blob, whether its bytes are in the journal file
}

// Entry is an event made ready for one place in a log.
type Entry struct {
	Event   Event // as written
	Objects [][32]byte
	Record  []byte
	Leaf    []byte
	Hash    [32]byte // of the leaf
}

// NewEntry checks e and makes leaf n and its record, with 16 fresh random
// bytes of salt. The error is an *InvalidError.
func NewEntry(n uint64, e Event, salt [16]byte) (Entry, error) {
	if err := e.Check(); err != nil {
		return Entry{}, err
	}
	en := Entry{Event: e.canonical()}
	if len(e.Objects) > 0 {
		en.Objects = make([][32]byte, len(e.Objects))
		for i, o := range e.Objects {
			en.Objects[i] = sha256.Sum256(o)
		}
	}
	inline := make([]bool, len(e.Blobs))
	for i := range e.Blobs {
		inline[i] = e.Blobs[i].Bytes != nil
	}
	r := Record{Event: en.Event, Objects: en.Objects, Inline: inline}
	en.Record = r.Append(make([]byte, 0, 256))
	en.Leaf = r.Leaf(n, salt, en.Record).Append(make([]byte, 0, 320))
	en.Hash = LeafHash(en.Leaf)
	return en, nil
}

// Leaf is the one leaf n that binds the record: bytes are r.Append(nil).
func (r *Record) Leaf(n uint64, salt [16]byte, bytes []byte) Leaf {
	h := sha256.New()
	h.Write(salt[:])
	h.Write(bytes)
	var sum [32]byte
	return Leaf{N: n, At: r.At, Type: r.Type, Nonce: hex.EncodeToString(h.Sum(sum[:0])), ID: r.ID, Digest: r.Digest}
}

// Append writes the one encoding of r after b. Its values must be valid.
func (r *Record) Append(b []byte) []byte {
	b = append(b, recordVersion)
	b = appendTime(b, r.At)
	b = appendString(b, r.Type)
	b = appendString(b, r.ID)
	b = binary.AppendUvarint(b, uint64(len(r.Digest)/2))
	b = appendHex(b, r.Digest)
	b = binary.AppendUvarint(b, uint64(len(r.Objects)))
	for i := range r.Objects {
		b = append(b, r.Objects[i][:]...)
	}
	b = r.appendBlobs(b)
	b = binary.AppendUvarint(b, uint64(len(r.Puts)))
	for i := range r.Puts {
		p := &r.Puts[i]
		b = appendString(b, p.Space)
		b = appendString(b, p.Key)
		b = appendBool(b, p.Value != nil)
		if p.Value != nil {
			b = appendBytes(b, p.Value)
		}
	}
	return r.appendWork(b)
}

func (r *Record) appendBlobs(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.Blobs)))
	for i := range r.Blobs {
		bl := &r.Blobs[i]
		b = appendString(b, bl.Name)
		b = appendHex(b, bl.SHA256)
		b = binary.AppendUvarint(b, uint64(bl.Size))
		b = appendBool(b, r.Inline[i])
	}
	b = binary.AppendUvarint(b, uint64(len(r.Erase)))
	for _, name := range r.Erase {
		b = appendString(b, name)
	}
	return b
}

func (r *Record) appendWork(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(r.Enqueue)))
	for i := range r.Enqueue {
		it := &r.Enqueue[i]
		b = appendString(b, it.Topic)
		b = appendString(b, it.Dest)
		b = appendString(b, it.Lane)
		b = appendBool(b, it.Urgent)
		b = appendBytes(b, it.Payload)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Settle)))
	for i := range r.Settle {
		s := &r.Settle[i]
		b = binary.AppendUvarint(b, s.Seq)
		b = append(b, outcomeCode(s.Outcome))
		if s.Outcome == Retry {
			b = appendTime(b, s.At)
		}
		b = appendString(b, s.Reason)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Timers)))
	for i := range r.Timers {
		t := &r.Timers[i]
		b = appendString(b, t.Key)
		b = appendTime(b, t.Due)
		b = appendBytes(b, t.Payload)
	}
	return b
}

// ParseRecord reads the bytes of a record. Whatever Append would not write, or
// Check would refuse, is ErrRecord. Blobs come without bytes.
func ParseRecord(b []byte) (Record, error) {
	s := scanner{rest: b}
	r := s.record()
	if s.bad || len(s.rest) != 0 || r.Check() != nil {
		return Record{}, ErrRecord
	}
	if !bytes.Equal(r.Append(make([]byte, 0, len(b))), b) {
		return Record{}, ErrRecord
	}
	return r, nil
}

func (s *scanner) record() (r Record) {
	s.bad = s.byte() != recordVersion
	r.At = s.time()
	r.Type = s.string()
	r.ID = s.string()
	r.Digest = hex.EncodeToString(s.bytes())
	for range s.count() {
		r.Objects = append(r.Objects, [32]byte(s.take(32)))
	}
	for range s.count() {
		bl := Blob{Name: s.string(), SHA256: hex.EncodeToString(s.take(32)), Size: int64(s.uvarint())}
		r.Blobs, r.Inline = append(r.Blobs, bl), append(r.Inline, s.bool())
	}
	for range s.count() {
		r.Erase = append(r.Erase, s.string())
	}
	for range s.count() {
		p := Put{Space: s.string(), Key: s.string()}
		if s.bool() {
			p.Value = append([]byte{}, s.bytes()...)
		}
		r.Puts = append(r.Puts, p)
	}
	for range s.count() {
		r.Enqueue = append(r.Enqueue, Item{Topic: s.string(), Dest: s.string(), Lane: s.string(),
			Urgent: s.bool(), Payload: append([]byte(nil), s.bytes()...)})
	}
	for range s.count() {
		st := Settlement{Seq: s.uvarint(), Outcome: outcomeOf(s.byte())}
		if st.Outcome == Retry {
			st.At = s.time()
		}
		st.Reason = s.string()
		r.Settle = append(r.Settle, st)
	}
	for range s.count() {
		r.Timers = append(r.Timers, Timer{Key: s.string(), Due: s.time(), Payload: append([]byte(nil), s.bytes()...)})
	}
	return r
}

// scanner reads the primitives. After a fault everything is zero and bad set.
type scanner struct {
	rest []byte
	bad  bool
}

func (s *scanner) take(n int) []byte {
	if s.bad || n < 0 || n > len(s.rest) {
		s.bad, s.rest = true, nil
		return make([]byte, min(max(n, 0), 32))
	}
	out := s.rest[:n]
	s.rest = s.rest[n:]
	return out
}

func (s *scanner) uvarint() uint64 {
	v, n := binary.Uvarint(s.rest)
	if s.bad || n <= 0 {
		s.bad, s.rest = true, nil
		return 0
	}
	s.rest = s.rest[n:]
	return v
}

// count bounds a list by what the bytes left could hold.
func (s *scanner) count() int {
	n := s.uvarint()
	if n > uint64(len(s.rest)) {
		s.bad = true
		return 0
	}
	return int(n)
}

func (s *scanner) bytes() []byte {
	n := s.uvarint()
	if n > uint64(len(s.rest)) {
		s.bad = true
		return nil
	}
	return s.take(int(n))
}

func (s *scanner) string() string { return string(s.bytes()) }

func (s *scanner) byte() byte { return s.take(1)[0] }

func (s *scanner) bool() bool {
	b := s.byte()
	s.bad = s.bad || b > 1
	return b == 1
}

func (s *scanner) time() time.Time {
	ms := int64(binary.BigEndian.Uint64(s.take(8)))
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return binary.BigEndian.AppendUint64(b, uint64(t.UnixMilli()))
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBytes(b, s []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendHex writes what valid hex digits say.
func appendHex(b []byte, digits string) []byte {
	out, _ := hex.AppendDecode(b, []byte(digits)) // checked before
	return out
}

func outcomeCode(o Outcome) byte {
	switch o {
	case Done:
		return 1
	case Retry:
		return 2
	case Dead:
		return 3
	case Requeue:
		return 4
	}
	return 0
}

func outcomeOf(code byte) Outcome {
	switch code {
	case 1:
		return Done
	case 2:
		return Retry
	case 3:
		return Dead
	case 4:
		return Requeue
	}
	return ""
}
