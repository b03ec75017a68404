package canary

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/schemas"
)

// nursery makes marks, all different, from a seed.
type nursery struct {
	draw  *rand.Rand
	seen  map[string]bool
	marks []mark
}

func newNursery(seed uint64) *nursery {
	return &nursery{draw: rand.New(rand.NewPCG(seed, seed)), seen: map[string]bool{}}
}

// fresh repeats a draw until it was never drawn.
func (n *nursery) fresh(draw func() string) string {
	s := draw()
	for range 10_000 {
		if !n.seen[s] {
			break
		}
		s = draw()
	}
	// What is drawn from is too small if this was seen: marks then share a
	// text, and are still found.
	n.seen[s] = true
	return s
}

func (n *nursery) pick(from ...string) string { return from[n.draw.IntN(len(from))] }

// drawWord is a word of seven syllables with four accents, as no language has.
func (n *nursery) drawWord() string {
	consonant := func() string { return n.pick("z", "q", "x", "j", "v", "k", "w", "bl", "dr", "gn", "pf") }
	s := n.pick("Z", "X", "Q", "K", "W") + n.pick("a", "o", "u")
	for i := range 6 {
		vowel := n.pick("a", "o", "u", "i")
		if i%2 == 0 {
			vowel = n.pick("é", "è", "ê", "ë", "à", "â", "î", "ï", "ô", "ù", "û", "ü")
		}
		s += consonant() + vowel
	}
	return s + n.pick("ç", "x") + "ç"
}

// word plants a word.
func (n *nursery) word(where string) string {
	s := n.fresh(n.drawWord)
	n.keep(where, s)
	return s
}

// keep notes what was planted.
func (n *nursery) keep(where string, texts ...string) {
	n.marks = append(n.marks, mark{where, texts})
}

// candidates draw what may stand in a field, the most telling first: a word, one
// without accents, a telephone number (of those that are given to no one), a
// date, one to come, an instant, the id of a pli. The first of what each gives
// is the text for the field, all are ways to write it.
func (n *nursery) candidates() []func() []string {
	return []func() []string{
		func() []string { return []string{n.fresh(n.drawWord)} },
		func() []string {
			return []string{n.fresh(func() string { return strings.ToUpper(unaccented(n.drawWord())) })}
		},
		func() []string {
			phone := n.fresh(func() string { return fmt.Sprintf("03 53 01 %02d %02d", n.draw.IntN(100), n.draw.IntN(100)) })
			compact := strings.ReplaceAll(phone, " ", "")
			return []string{phone, compact, "+33" + compact[1:]}
		},
		func() []string { return n.date(2008, 12) },
		func() []string { return n.date(2027, 3) },
		func() []string {
			instant := n.fresh(func() string {
				return fmt.Sprintf("2025-%02d-%02dT%02d:%02d:%02d+01:00", 1+n.draw.IntN(12), 1+n.draw.IntN(28), n.draw.IntN(24), n.draw.IntN(60), n.draw.IntN(60))
			})
			return []string{instant, instant[:19]}
		},
		func() []string {
			id := n.fresh(n.uuid)
			return []string{id, strings.ReplaceAll(id, "-", "")}
		},
	}
}

// date is one of some years, as the document and as a reader write it.
func (n *nursery) date(from, years int) []string {
	d := n.fresh(func() string {
		return fmt.Sprintf("%d-%02d-%02d", from+n.draw.IntN(years), 1+n.draw.IntN(12), 1+n.draw.IntN(28))
	})
	return []string{d, d[8:] + "/" + d[5:7] + "/" + d[:4]}
}

// uuid is the id of a pli that nobody sent.
func (n *nursery) uuid() string {
	x := fmt.Sprintf("01890a5d%04x7%03x8%03x%012x", n.draw.IntN(1<<16), n.draw.IntN(1<<12), n.draw.IntN(1<<12), n.draw.Uint64()>>16)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// planted is a good document full of marks.
type planted struct {
	name  string // of the example
	kind  schemas.Kind
	bytes []byte
	doc   *schemas.Document
}

// goodDocuments fills every good example.
func goodDocuments(t *testing.T, n *nursery) []planted {
	t.Helper()
	var out []planted
	for _, path := range examples(t, "good") {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		out = append(out, n.fill(t, name, kindOf(t, name), readFile(t, path)))
	}
	return out
}

// kindOf gives the kind that begins the name of an example.
func kindOf(t *testing.T, name string) schemas.Kind {
	t.Helper()
	for _, row := range schemas.Kinds() {
		if strings.HasPrefix(name, string(row.Kind)+"_") {
			return row.Kind
		}
	}
	t.Fatalf("%s: no kind begins its name", name)
	return ""
}

// address is a lawful direction for a kind: from the sender of its first row of
// the policy, to and with a copy to all whom that sender may address so.
func address(k schemas.Kind) (from broker.PartyID, to, cc []broker.PartyID) {
	people := map[schemas.Role]broker.PartyID{schemas.RoleASE: ase, schemas.RoleParquet: parquet, schemas.RoleJuge: juge}
	row, _ := schemas.Lookup(k)
	for i, r := range row.Routes {
		if i == 0 {
			from = people[r.From]
		}
		switch p, here := people[r.To]; {
		case !here || people[r.From] != from || p == from:
		case r.Copy:
			cc = append(cc, p)
		default:
			to = append(to, p)
		}
	}
	return from, to, cc
}

// way is a lawful direction for a document, good or not.
func (d planted) way() (from broker.PartyID, to, cc []broker.PartyID) {
	if d.doc != nil && d.doc.CheckSender(schemas.RoleParquet) != nil { // that of a service gardien
		return ase, []broker.PartyID{juge}, []broker.PartyID{parquet}
	}
	return address(d.kind)
}

// piece has a mark in clear and one compressed, as a PDF has; a large one does
// not fit in the journal file.
func (n *nursery) piece(where string, large bool) *bytes.Buffer {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%%PDF-1.4\n(%s) Tj\nstream\n", n.word(where))
	w := zlib.NewWriter(&b)
	fmt.Fprintf(w, "BT (%s) Tj ET", n.word(where+", compressed"))
	w.Close()
	if large {
		b.WriteString("\n" + strings.Repeat("blanc ", 20<<10) + n.word(where+", its end"))
	}
	return &b
}

func examples(t *testing.T, folder string) []string {
	t.Helper()
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(root, "schemas", "testdata", folder, "*.json"))
	if err != nil || len(list) == 0 {
		t.Fatalf("no %s example: %v", folder, err)
	}
	return list
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill replaces every text that stays valid.
func (n *nursery) fill(t *testing.T, name string, kind schemas.Kind, text []byte) planted {
	t.Helper()
	var tree any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	p := planted{name: name, kind: kind}
	valid := func() bool {
		p.bytes = encode(tree)
		doc, err := schemas.Parse(kind, schemas.NewPlain(p.bytes))
		if err == nil {
			p.doc = doc
		}
		return err == nil
	}
	if !valid() {
		t.Fatalf("%s: not valid as it is", name)
	}
	walk(tree, "", func(path, old string, set func(string)) {
		for _, draw := range n.candidates() {
			texts := draw()
			if set(texts[0]); valid() {
				n.keep(name+" "+path, texts...)
				return
			}
		}
		set(old)
	})
	if !valid() {
		t.Fatalf("%s: not valid in the end", name)
	}
	return p
}

func encode(tree any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(tree) // it was decoded from JSON
	return bytes.TrimSpace(b.Bytes())
}

// walk visits every text of a tree, in a fixed order.
func walk(tree any, path string, visit func(path, old string, set func(string))) {
	switch v := tree.(type) {
	case map[string]any:
		var names []string
		for k := range v {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			if s, ok := v[k].(string); ok {
				visit(path+"."+k, s, func(x string) { v[k] = x })
			} else {
				walk(v[k], path+"."+k, visit)
			}
		}
	case []any:
		for i := range v {
			if s, ok := v[i].(string); ok {
				visit(fmt.Sprintf("%s[%d]", path, i), s, func(x string) { v[i] = x })
			} else {
				walk(v[i], fmt.Sprintf("%s[%d]", path, i), visit)
			}
		}
	}
}

var textValue = regexp.MustCompile(`(:\s*|\[\s*|,\s*)"(?:[^"\\]|\\.)*"(\s*[,\]}\n])`)

// badDocument replaces every text of a bad example, by its letters since it
// may be no JSON, and adds a member whose name is a mark.
func (n *nursery) badDocument(name string, text []byte) [][]byte {
	marked := textValue.ReplaceAllFunc(text, func(m []byte) []byte {
		sub := textValue.FindSubmatch(m)
		return fmt.Appendf(nil, `%s"%s"%s`, sub[1], n.word("bad "+name), sub[2])
	})
	out := [][]byte{marked}
	if i := bytes.IndexByte(text, '{'); i >= 0 {
		out = append(out, slices.Concat(text[:i+1], fmt.Appendf(nil, `"%s":1,`, n.word("name of a member, bad "+name)), text[i+1:]))
	}
	return out
}
