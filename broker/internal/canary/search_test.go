package canary

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
)

// mark is one thing that must not be found.
type mark struct {
	Where string   `json:"where"` // what it was planted in
	Texts []string `json:"texts"` // the ways to write it
}

// hit is a mark that was found.
type hit struct {
	mark, form, path string
	at               int
}

func (h hit) String() string {
	return fmt.Sprintf("FOUND: %s, as %s, in %s at %d", h.mark, h.form, h.path, h.at)
}

// minPattern is the shortest pattern that chance does not write, in bytes.
const minPattern = 8

// pattern is one form of one mark.
type pattern struct {
	bytes []byte
	mark  int
	form  string
}

// hunter searches all forms of all marks at once.
type hunter struct {
	marks    []mark
	patterns map[uint64][]pattern // by their first eight bytes
	filter   [1 << 16]uint64      // bits of hashed first four bytes
	searched int                  // bytes
}

func newHunter(marks []mark) *hunter {
	h := &hunter{marks: marks, patterns: map[uint64][]pattern{}}
	for i, m := range marks {
		for _, text := range m.Texts {
			for _, f := range forms(text) {
				h.add(i, f)
			}
		}
	}
	return h
}

func (h *hunter) add(i int, f form) {
	if len(f.bytes) < minPattern {
		return
	}
	key := binary.BigEndian.Uint64(f.bytes)
	for _, p := range h.patterns[key] {
		if bytes.Equal(p.bytes, f.bytes) {
			return
		}
	}
	h.patterns[key] = append(h.patterns[key], pattern{f.bytes, i, f.name})
	b := spread(binary.BigEndian.Uint32(f.bytes))
	h.filter[b>>6] |= 1 << (b & 63)
}

// spread hashes four bytes to a bit of the filter.
func spread(v uint32) uint32 { return v * 2654435761 >> 10 }

// form is one way to write a text.
type form struct {
	name  string
	bytes []byte
}

// forms lists every way in which a text is searched.
func forms(text string) []form {
	var out []form
	seen := map[string]bool{}
	for _, v := range []form{
		{"plain", []byte(text)}, {"capitals", []byte(strings.ToUpper(text))}, {"small letters", []byte(strings.ToLower(text))},
		{"no accents", []byte(unaccented(text))}, {"capitals without accents", []byte(strings.ToUpper(unaccented(text)))},
		{"small letters without accents", []byte(strings.ToLower(unaccented(text)))},
		{"decomposed", []byte(decomposed(text))}, {"Latin-1", latin1(text)},
	} {
		if seen[string(v.bytes)] {
			continue
		}
		seen[string(v.bytes)] = true
		out = append(out, v)
		if v.name != "Latin-1" {
			out = append(out, encodings(v)...)
		}
	}
	return out
}

// encodings lists what a program may make of a text on its way to a file.
func encodings(v form) []form {
	s := string(v.bytes)
	out := []form{
		{"UTF-16LE", units(s, binary.LittleEndian)}, {"UTF-16BE", units(s, binary.BigEndian)},
		{"hexadecimal", []byte(hex.EncodeToString(v.bytes))}, {"hexadecimal in capitals", []byte(strings.ToUpper(hex.EncodeToString(v.bytes)))},
		{"\\u escapes", escape(s, false, `\u%04x`)}, {"\\u escapes in capitals", escape(s, false, `\u%04X`)}, {"\\u escapes throughout", escape(s, true, `\u%04x`)},
		{"HTML decimal", escape(s, false, "&#%d;")}, {"HTML hexadecimal", escape(s, false, "&#x%x;")},
		{"percent", escapeBytes(v.bytes, false, "%%%02X")}, {"percent in small letters", escapeBytes(v.bytes, false, "%%%02x")}, {"percent throughout", escapeBytes(v.bytes, true, "%%%02X")},
		{"quoted-printable", escapeBytes(v.bytes, false, "=%02X")}, {"\\x escapes", escapeBytes(v.bytes, false, `\x%02x`)},
		{"decimal bytes", decimals(v.bytes, " ")}, {"decimal bytes with commas", decimals(v.bytes, ",")},
	}
	for offset := range 3 {
		out = append(out, form{fmt.Sprintf("base64 at %d", offset), inBase64(base64.RawStdEncoding, v.bytes, offset)},
			form{fmt.Sprintf("base64url at %d", offset), inBase64(base64.RawURLEncoding, v.bytes, offset)})
	}
	for i := range out {
		out[i].name = v.name + ", " + out[i].name
	}
	return out
}

// inBase64 is what base64 shows of b whatever stands around it, when b begins
// at that place of a group of three.
func inBase64(e *base64.Encoding, b []byte, offset int) []byte {
	all := e.EncodeToString(append(make([]byte, offset), b...))
	return []byte(all[(offset*8+5)/6 : (offset+len(b))*8/6])
}

func units(s string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, u)
	}
	return out
}

func escape(s string, all bool, verb string) []byte {
	var out []byte
	for _, r := range s {
		if r < 0x80 && !all {
			out = append(out, byte(r))
		} else {
			out = fmt.Appendf(out, verb, r)
		}
	}
	return out
}

func escapeBytes(b []byte, all bool, verb string) []byte {
	var out []byte
	for _, c := range b {
		if c < 0x80 && !all {
			out = append(out, c)
		} else {
			out = fmt.Appendf(out, verb, c)
		}
	}
	return out
}

func decimals(b []byte, between string) []byte {
	var out []byte
	for i, c := range b {
		if i > 0 {
			out = append(out, between...)
		}
		out = fmt.Append(out, c)
	}
	return out
}

// accents are those of the marks: letter, bare letter, combining accent.
var accents = [][3]string{
	{"é", "e", "\u0301"}, {"è", "e", "\u0300"}, {"ê", "e", "\u0302"}, {"ë", "e", "\u0308"}, {"à", "a", "\u0300"}, {"â", "a", "\u0302"},
	{"î", "i", "\u0302"}, {"ï", "i", "\u0308"}, {"ô", "o", "\u0302"}, {"ù", "u", "\u0300"}, {"û", "u", "\u0302"}, {"ü", "u", "\u0308"}, {"ç", "c", "\u0327"},
}

func unaccented(s string) string {
	for _, a := range accents {
		s = strings.ReplaceAll(s, a[0], a[1])
	}
	return s
}

func decomposed(s string) string {
	for _, a := range accents {
		s = strings.ReplaceAll(s, a[0], a[1]+a[2])
	}
	return s
}

func latin1(s string) []byte {
	var out []byte
	for _, r := range s {
		out = append(out, byte(r)) // the marks hold nothing above U+00FF
	}
	return out
}

const (
	maxDepth  = 3
	maxInside = 16 << 20 // bytes read of one compressed member
	minRun    = 24       // characters of base64 or hexadecimal worth decoding
)

// search looks for every mark in b, and in what b holds.
func (h *hunter) search(path string, b []byte) []hit { return h.deeper(path, b, 0) }

func (h *hunter) deeper(path string, b []byte, depth int) []hit {
	hits := h.scan(path, b)
	if joined := unwrapped(b); len(joined) < len(b) {
		hits = append(hits, h.scan(path+" (lines joined)", joined)...)
		if depth < maxDepth {
			hits = append(hits, h.runs(path, joined, depth)...)
		}
	}
	if depth == maxDepth {
		return hits
	}
	return append(append(hits, h.runs(path, b, depth)...), h.members(path, b, depth)...)
}

// unwrapped is b without line ends, also those that JSON or Go escaped.
func unwrapped(b []byte) []byte {
	for _, end := range []string{"\r", "\n", `\r`, `\n`} {
		b = bytes.ReplaceAll(b, []byte(end), nil)
	}
	return b
}

// scan looks for every pattern in b as it is.
func (h *hunter) scan(path string, b []byte) (hits []hit) {
	h.searched += len(b)
	for i := 0; i+minPattern <= len(b); i++ {
		bit := spread(binary.BigEndian.Uint32(b[i:]))
		if h.filter[bit>>6]&(1<<(bit&63)) == 0 {
			continue
		}
		for _, p := range h.patterns[binary.BigEndian.Uint64(b[i:])] {
			if bytes.HasPrefix(b[i:], p.bytes) {
				hits = append(hits, hit{h.marks[p.mark].Where, p.form, path, i})
			}
		}
	}
	return hits
}

// runs decodes what looks like base64 or hexadecimal, at every alignment.
func (h *hunter) runs(path string, b []byte, depth int) (hits []hit) {
	for i := 0; i < len(b); i++ {
		n := 0
		for i+n < len(b) && base64Char(b[i+n]) {
			n++
		}
		if n >= minRun {
			for shift := range 4 {
				hits = append(hits, h.deeper(path+" (base64)", fromBase64(b[i+shift:i+n]), depth+1)...)
			}
			for shift := range 2 {
				if got := fromHex(b[i+shift : i+n]); len(got) > minRun/2 {
					hits = append(hits, h.deeper(path+" (hexadecimal)", got, depth+1)...)
				}
			}
		}
		i += n
	}
	return hits
}

func base64Char(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || strings.IndexByte("+/-_", c) >= 0
}

// fromBase64 decodes either alphabet, without padding, what is whole of it.
func fromBase64(run []byte) []byte {
	if len(run)%4 == 1 {
		run = run[:len(run)-1] // a character alone is less than a byte
	}
	s := strings.NewReplacer("-", "+", "_", "/").Replace(string(run))
	got, _ := base64.RawStdEncoding.DecodeString(s) // the run holds nothing else
	return got
}

// fromHex decodes as far as it is hexadecimal.
func fromHex(run []byte) []byte {
	got := make([]byte, len(run)/2)
	n, _ := hex.Decode(got, run[:len(run)-len(run)%2]) // what is no digit ends it
	return got[:n]
}

// members opens what begins like gzip, zlib or a member of a zip.
func (h *hunter) members(path string, b []byte, depth int) (hits []hit) {
	for i := 0; i+2 < len(b); i++ {
		var inside io.Reader
		var name string
		switch {
		case b[i] == 0x1f && b[i+1] == 0x8b:
			name = "gzip"
			if r, err := gzip.NewReader(bytes.NewReader(b[i:])); err == nil {
				inside = r
			}
		case b[i] == 0x78 && (int(b[i])<<8|int(b[i+1]))%31 == 0:
			name = "zlib"
			if r, err := zlib.NewReader(bytes.NewReader(b[i:])); err == nil {
				inside = r
			}
		case bytes.HasPrefix(b[i:], []byte("PK\x03\x04")) && len(b)-i > 30 && binary.LittleEndian.Uint16(b[i+8:]) == zip.Deflate:
			name = "zip"
			start := i + 30 + int(binary.LittleEndian.Uint16(b[i+26:])) + int(binary.LittleEndian.Uint16(b[i+28:]))
			if start < len(b) {
				inside = flate.NewReader(bytes.NewReader(b[start:]))
			}
		}
		if inside == nil {
			continue
		}
		// Chance writes these magics: what cannot be read is what it was.
		got, _ := io.ReadAll(io.LimitReader(inside, maxInside))
		if len(got) >= minPattern {
			hits = append(hits, h.deeper(path+" ("+name+")", got, depth+1)...)
		}
	}
	return hits
}
