package schemas

import (
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// formNames says in French what was expected; never a value of a document.
var formNames = [...]string{
	formObject:  "un objet",
	formArray:   "une liste",
	formText:    "un texte",
	formBool:    "vrai ou faux (true, false)",
	formInteger: "un nombre entier",
}

func (d *decoder) textValue(s *shape, into reflect.Value) bool {
	text, ok := d.text()
	if !ok || s == nil {
		return ok
	}
	if text == "" {
		d.fault(codeVide, "")
	}
	into.SetString(text)
	return true
}

// text reads a string. Faults of its content are noted and reading goes on.
func (d *decoder) text() (string, bool) {
	start := d.pos + 1
	for i := start; i < len(d.data); i++ {
		switch c := d.data[i]; {
		case c == '"':
			d.pos = i + 1
			text := d.data[start:i]
			if !d.valid && !utf8.ValidString(text) {
				d.fault(codeUTF8, "")
			}
			return text, true
		case c == '\\':
			return d.escaped(start, i)
		case c < ' ':
			d.rawControl(c)
		}
	}
	return "", d.stop(codeSyntaxe)
}

// escaped reads the rest of a string that has at least one escape, at i.
func (d *decoder) escaped(start, i int) (string, bool) {
	text := append(make([]byte, 0, i-start+64), d.data[start:i]...)
	for i < len(d.data) {
		c := d.data[i]
		switch {
		case c == '"':
			d.pos = i + 1
			if !d.valid && !utf8.Valid(text) {
				d.fault(codeUTF8, "")
			}
			return string(text), true
		case c == '\\':
			r, size := d.escape(i)
			if size == 0 {
				return "", d.stop(codeSyntaxe)
			}
			text = utf8.AppendRune(text, r)
			i += size
			continue
		case c < ' ':
			d.rawControl(c)
		}
		text = append(text, c)
		i++
	}
	return "", d.stop(codeSyntaxe)
}

func (d *decoder) rawControl(c byte) {
	if c == 0 {
		d.fault(codeNul, "")
	} else {
		d.fault(codeControle, "") // RFC 8259 §7
	}
}

// escape reads the escape at i and gives its rune and length, 0 if it is none.
func (d *decoder) escape(i int) (r rune, size int) {
	if i+1 >= len(d.data) {
		return 0, 0
	}
	switch c := d.data[i+1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return d.codeUnit(i)
	}
	return 0, 0
}

// codeUnit reads \uXXXX, or a pair of them for a character beyond the first
// plane. A half of a pair alone is no character (RFC 8259 §8.2).
func (d *decoder) codeUnit(i int) (r rune, size int) {
	r, ok := d.hex4(i)
	switch {
	case !ok:
		return 0, 0
	case r == 0:
		d.fault(codeNul, "")
	case utf16.IsSurrogate(r):
		low, ok := d.hex4(i + 6)
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			return pair, 12
		}
		d.fault(codeUTF8, "")
		return utf8.RuneError, 6
	}
	return r, 6
}

// hex4 reads the four digits of a \uXXXX at i.
func (d *decoder) hex4(i int) (rune, bool) {
	if i+6 > len(d.data) || d.data[i] != '\\' || d.data[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range []byte(d.data[i+2 : i+6]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if '0' <= c && c <= '9' {
			digit = int(c - '0')
		} else if digit < 10 {
			return 0, false
		}
		r = r<<4 | rune(digit)
	}
	return r, true
}

// number reads a number by the grammar of RFC 8259 §6. Only integers of at
// most nine digits are of any use here; the rule of the field bounds them.
func (d *decoder) number(s *shape, into reflect.Value) bool {
	start := d.pos
	if d.data[d.pos] == '-' {
		d.pos++
	}
	whole := d.digits()
	lead := d.pos - whole
	if whole == 0 || whole > 1 && d.data[lead] == '0' {
		return d.stop(codeSyntaxe)
	}
	end := d.pos
	if d.at('.') {
		if d.pos++; d.digits() == 0 {
			return d.stop(codeSyntaxe)
		}
	}
	if d.at('e') || d.at('E') {
		if d.pos++; d.at('+') || d.at('-') {
			d.pos++
		}
		if d.digits() == 0 {
			return d.stop(codeSyntaxe)
		}
	}
	if s == nil {
		return true
	}
	n, err := strconv.Atoi(d.data[start:end])
	if err != nil || end != d.pos || whole > 9 || n < 1 {
		d.fault(codeNombre, "")
		return true
	}
	into.SetInt(int64(n))
	return true
}

func (d *decoder) at(c byte) bool { return d.pos < len(d.data) && d.data[d.pos] == c }

// digits skips digits and counts them.
func (d *decoder) digits() int {
	start := d.pos
	for d.pos < len(d.data) && '0' <= d.data[d.pos] && d.data[d.pos] <= '9' {
		d.pos++
	}
	return d.pos - start
}

func (d *decoder) boolean(s *shape, into reflect.Value, word string) bool {
	if !d.literal(word) {
		return false
	}
	if s != nil {
		into.SetBool(word == "true")
	}
	return true
}

func (d *decoder) literal(word string) bool {
	if !strings.HasPrefix(d.data[d.pos:], word) {
		return d.stop(codeSyntaxe)
	}
	d.pos += len(word)
	return true
}

// nearest gives the known name that an unknown one most looks like, if one is
// close (at most two changes).
func nearest(s *shape, name string) string {
	best, near := "", 3
	if len(name) > 40 {
		return best
	}
	for _, m := range s.members {
		if n := distance(m.name, name); n < near {
			best, near = m.name, n
		}
	}
	return best
}

// distance counts the letters to add, drop or change (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
