package broker

import (
	"fmt"
	"strconv"
	"strings"
)

// scanner reads the objects of the wire that are read several times in the
// life of a pli (header, inner, acte, evidence), whose members stand in one
// order. Their strings hold no escape, but for those of a person (text). Each
// time they are read strictly: what the scanner accepts is written again and
// compared.
type scanner struct {
	s    string
	bad  bool
	some bool // a member was read
}

// member moves past `"name":` if it is next.
func (p *scanner) member(name string) bool {
	rest, ok := strings.CutPrefix(p.s, "{")
	if p.some {
		rest, ok = strings.CutPrefix(p.s, ",")
	}
	if !ok || len(rest) < len(name)+3 || rest[0] != '"' || rest[1:1+len(name)] != name || rest[1+len(name):3+len(name)] != `":` {
		return false
	}
	p.s, p.some = rest[3+len(name):], true
	return true
}

func (p *scanner) need(name string) bool {
	if !p.bad && !p.member(name) {
		p.bad = true
	}
	return !p.bad
}

func (p *scanner) value() string {
	rest, ok := strings.CutPrefix(p.s, `"`)
	i := strings.IndexByte(rest, '"')
	if !ok || i < 0 {
		p.bad = true
		return ""
	}
	p.s = rest[i+1:]
	return rest[:i]
}

// str reads a mandatory string.
func str[S ~string](p *scanner, name string) S {
	if !p.need(name) {
		return ""
	}
	return S(p.value())
}

// opt reads a string that may be absent; an empty one is refused when the
// object is written again.
func opt[S ~string](p *scanner, name string) S {
	if p.bad || !p.member(name) {
		return ""
	}
	return S(p.value())
}

// text reads a mandatory string that may hold escapes: what a person wrote.
func (p *scanner) text(name string) string {
	if !p.need(name) {
		return ""
	}
	rest, ok := strings.CutPrefix(p.s, `"`)
	end := textEnd(rest)
	if !ok || end < 0 {
		p.bad = true
		return ""
	}
	p.s = rest[end+1:]
	s, ok := unescape(rest[:end])
	p.bad = !ok
	return s
}

// textEnd finds the quote that ends a string, or gives -1.
func textEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// unescape undoes appendString. It may read more than that writes: the object
// is written again and compared.
func unescape(s string) (string, bool) {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for ; i >= 0; i = strings.IndexByte(s, '\\') {
		b = append(b, s[:i]...)
		s = s[i+1:] // textEnd left no backslash alone
		if short := strings.IndexByte(escapes, s[0]); short >= 0 {
			b, s = append(b, escaped[short]), s[1:]
			continue
		}
		if len(s) < 5 || s[0] != 'u' {
			return "", false
		}
		n, err := strconv.ParseUint(s[1:5], 16, 5) // a control
		if err != nil {
			return "", false
		}
		b, s = append(b, byte(n)), s[5:]
	}
	return string(append(b, s...)), true
}

// num reads a mandatory non-negative integer.
func (p *scanner) num(name string) uint64 {
	if !p.need(name) {
		return 0
	}
	end := 0
	for end < len(p.s) && p.s[end] >= '0' && p.s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseUint(p.s[:end], 10, 63)
	if err != nil || end > 15 { // a shell counts no further with certainty
		p.bad = true
	}
	p.s = p.s[end:]
	return n
}

// list reads a mandatory array of strings.
func list[S ~string](p *scanner, name string) []S {
	if !p.need(name) {
		return nil
	}
	rest, ok := strings.CutPrefix(p.s, "[")
	p.s, p.bad = rest, !ok
	out := []S{}
	for !p.bad && !strings.HasPrefix(p.s, "]") {
		if len(out) > 0 {
			p.s, ok = strings.CutPrefix(p.s, ",")
			p.bad = !ok
		}
		out = append(out, S(p.value()))
	}
	p.s = strings.TrimPrefix(p.s, "]")
	return out
}

// object reads a member that is an object itself.
func (p *scanner) object(name string, read func(*scanner)) {
	if !p.need(name) {
		return
	}
	in := &scanner{s: p.s}
	read(in)
	rest := in.end()
	p.s, p.bad = rest, in.bad
}

// end moves past the closing brace and gives what follows.
func (p *scanner) end() string {
	rest, ok := strings.CutPrefix(p.s, "}")
	p.bad = p.bad || !ok
	return rest
}

// done says whether the object was whole and nothing follows.
func (p *scanner) done() error {
	if rest := p.end(); p.bad || rest != "" {
		return fmt.Errorf("%w: not such an object", ErrFormat)
	}
	return nil
}
