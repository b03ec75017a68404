package broker

import (
	"strconv"
	"strings"

	"vaguemestre/broker/journal"
)

// The rows of the projections are small objects in the JSON of the wire (see
// wirejson.go): anybody can read them in a copy of a journal, each has one
// spelling, and a rebuilt one is equal byte for byte. The names of the members
// are beside the fields, in state.go and idem.go; what is empty is left out
// where they say omitempty. They are written in the write transaction and read
// for every evidence, so without reflection.

// row is one value of a projection.
type row interface {
	encode() []byte
}

// readable is a pointer to a row, which reads itself strictly: what encode
// would not have written is ErrFormat, wrapped.
type readable[T any] interface {
	*T
	decode(b []byte) error
}

// get reads one row; false when there is none, or none that can be read.
func get[T any, P readable[T]](v reader, space, key string) (T, bool) {
	var out T
	b, ok := v.Get(space, key)
	if !ok || P(&out).decode(b) != nil {
		var none T
		return none, false
	}
	return out, true
}

func put(space, key string, value row) journal.Put {
	return journal.Put{Space: space, Key: key, Value: value.encode()}
}

func (s State) encode() []byte {
	o := newObject(160 + 67*(len(s.Heads)+len(s.Named)))
	o.opt("p", string(s.Progress))
	o.opt("c", string(s.Closure))
	o.opt("t", s.ClosedAt)
	optNum(o, "f", uint64(s.Flags))
	optTrue(o, "a", s.Acted)
	optTrue(o, "j", s.Judged)
	optStrs(o, "h", s.Heads)
	optStrs(o, "n", s.Named)
	return o.bytes()
}

func (s *State) decode(b []byte) error {
	p := rowScanner{scanner{s: string(b)}}
	s.Progress = opt[Event](&p.scanner, "p")
	s.Closure = opt[Event](&p.scanner, "c")
	s.ClosedAt = opt[string](&p.scanner, "t")
	s.Flags = Flag(p.optNum("f"))
	s.Acted = p.optTrue("a")
	s.Judged = p.optTrue("j")
	s.Heads = p.optList("h")
	s.Named = p.optList("n")
	return p.finish(b, s)
}

func (r pliRecord) encode() []byte {
	o := newObject(768)
	o.str("h", r.Header)
	o.str("hs", r.HeaderSig)
	o.opt("d", r.Deposit)
	o.opt("ds", r.DepositSig)
	o.str("b", r.Body)
	optTrue(o, "s", r.Sent)
	o.num("n", int64(r.Pos))
	optNum(o, "dn", r.DepositPos)
	o.str("fc", r.FromCert)
	o.opt("dc", r.DepositCert)
	o.opt("dir", r.Directory)
	return o.bytes()
}

func (r *pliRecord) decode(b []byte) error {
	p := rowScanner{scanner{s: string(b)}}
	r.Header = str[string](&p.scanner, "h")
	r.HeaderSig = str[string](&p.scanner, "hs")
	r.Deposit = opt[string](&p.scanner, "d")
	r.DepositSig = opt[string](&p.scanner, "ds")
	r.Body = str[string](&p.scanner, "b")
	r.Sent = p.optTrue("s")
	r.Pos = p.num("n")
	r.DepositPos = p.optNum("dn")
	r.FromCert = str[string](&p.scanner, "fc")
	r.DepositCert = opt[string](&p.scanner, "dc")
	r.Directory = opt[string](&p.scanner, "dir")
	return p.finish(b, r)
}

func (r evidenceRecord) encode() []byte {
	o := newObject(320)
	o.str("d", r.Digest)
	o.str("s", r.Sig)
	o.str("c", r.Cert)
	o.opt("x", r.Sealed)
	return o.bytes()
}

func (r *evidenceRecord) decode(b []byte) error {
	p := rowScanner{scanner{s: string(b)}}
	r.Digest = str[string](&p.scanner, "d")
	r.Sig = str[string](&p.scanner, "s")
	r.Cert = str[string](&p.scanner, "c")
	r.Sealed = opt[string](&p.scanner, "x")
	return p.finish(b, r)
}

func (r idemRecord) encode() []byte {
	o := newObject(128)
	o.str("m", r.MAC)
	o.str("i", r.ID)
	return o.bytes()
}

func (r *idemRecord) decode(b []byte) error {
	p := rowScanner{scanner{s: string(b)}}
	r.MAC = str[string](&p.scanner, "m")
	r.ID = str[string](&p.scanner, "i")
	return p.finish(b, r)
}

func optNum(o *object, k string, n uint64) {
	if n != 0 {
		o.num(k, int64(n))
	}
}

func optTrue(o *object, k string, v bool) {
	if v {
		o.key(k)
		o.b = strconv.AppendBool(o.b, v)
	}
}

func optStrs(o *object, k string, list []string) {
	if len(list) > 0 {
		strs(o, k, list)
	}
}

// rowScanner adds to the scanner what only rows have.
type rowScanner struct{ scanner }

// next says whether a member comes, and stays before it.
func (p *rowScanner) next(name string) bool {
	ahead := p.scanner
	return !p.bad && ahead.member(name)
}

func (p *rowScanner) optNum(name string) uint64 {
	if !p.next(name) {
		return 0
	}
	return p.num(name)
}

func (p *rowScanner) optTrue(name string) bool {
	if p.bad || !p.member(name) {
		return false
	}
	rest, ok := strings.CutPrefix(p.s, "true")
	p.s, p.bad = rest, !ok
	return ok
}

func (p *rowScanner) optList(name string) []string {
	if !p.next(name) {
		return nil
	}
	return list[string](&p.scanner, name)
}

// finish ends the reading of r, which b must spell.
func (p *rowScanner) finish(b []byte, r row) error {
	if !p.some {
		p.s = strings.TrimPrefix(p.s, "{")
	}
	if err := p.done(); err != nil {
		return err
	}
	return same(b, r.encode())
}
