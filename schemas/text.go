package schemas

import (
	"bytes"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	columns = 78 // of document.txt: fits a terminal and an A4 page
	step    = 2  // spaces of one level
)

// transmet is said wherever an order of a magistrate is shown.
const transmet = "Ce pli transmet l'ordonnance ; il n'en tient pas lieu."

// notices are the first line of a document made on an installation that is not
// three institutions apart.
var notices = map[string]string{
	"demonstration":      "DÉMONSTRATION - DONNÉES FICTIVES, SANS VALEUR",
	"hebergement_commun": "HÉBERGEMENT COMMUN - UN MÊME EXPLOITANT DÉTIENT LES CLÉS DES INSTITUTIONS",
}

// Text gives document.txt: the document in readable French, UTF-8, lines
// ended by LF and of at most 78 characters, with the labels of the paper forms
// and the réserves. The notice of the installation ("demonstration",
// "hebergement_commun" or none), if any, is the first line.
//
// A value can neither imitate a label nor disturb a terminal: values are
// indented under their label, line breaks in a short value become spaces, and
// control, bidirectional and invisible characters are shown by their code.
func (d *Document) Text(notice string) []byte {
	w := &writer{out: make([]byte, 0, 2<<10+2*d.bytes.Len())}
	if notice != "" {
		line, ok := notices[notice]
		if !ok {
			line = "AVERTISSEMENT : " + oneLine(notice)
		}
		w.wrap(line, 0, 0)
		w.blank()
	}
	title := strings.ToUpper(d.plan.title)
	w.wrap(title, 0, 0)
	w.line(strings.Repeat("=", min(columns, utf8.RuneCountInString(title))))
	if d.TransmitsOrder() {
		w.line(transmet)
	}
	w.object(d.plan.shape, reflect.ValueOf(d.content).Elem(), 0)
	w.reserves(d)
	return w.out
}

// writer lays out lines.
type writer struct {
	out []byte
}

func (w *writer) line(s string) { w.out = append(append(w.out, s...), '\n') }

// blank separates, never twice.
func (w *writer) blank() {
	if n := len(w.out); n > 1 && (w.out[n-1] != '\n' || w.out[n-2] != '\n') {
		w.out = append(w.out, '\n')
	}
}

// object writes the members that are there, in the order of the struct. At the
// top level each block is a section.
func (w *writer) object(s *shape, v reflect.Value, indent int) {
	for _, m := range s.members {
		value := v.FieldByIndex(m.index)
		if value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0 {
			continue
		}
		if value.Kind() == reflect.Pointer {
			value = value.Elem()
		}
		if indent == 0 && (m.shape.form == formObject || m.shape.form == formArray) {
			w.blank()
			w.wrap(m.title, 0, 0)
			w.inside(m, value, step)
			continue
		}
		if indent == 0 && !w.follows() {
			w.blank()
		}
		w.member(m, value, indent)
	}
}

// follows tells whether the last line is a simple one of the top level, so
// that simple members keep together.
func (w *writer) follows() bool {
	text := bytes.TrimSuffix(w.out, []byte("\n"))
	last := text[bytes.LastIndexByte(text, '\n')+1:]
	return bytes.Contains(last, []byte(" : ")) && !bytes.HasPrefix(last, []byte(" "))
}

// member writes one member below the top level, or a simple one at it.
func (w *writer) member(m *member, value reflect.Value, indent int) {
	switch m.shape.form {
	case formObject, formArray:
		w.wrap(m.label+" :", indent, indent)
		w.inside(m, value, indent+step)
	case formBool:
		if m.name == "lieu_confidentiel" {
			w.wrap("LIEU CONFIDENTIEL : à ne communiquer ni aux parents ni à un tiers (C. civ. 375-7)", indent, indent)
			return
		}
		w.pair(m.label, "oui", indent)
	case formInteger:
		w.pair(m.label, strconv.FormatInt(value.Int(), 10), indent)
	default:
		w.text(m.label, m.show.text(value.String()), indent)
	}
}

// inside writes the content of a block: an object, or the elements of a list.
func (w *writer) inside(m *member, value reflect.Value, indent int) {
	if m.shape.form == formObject {
		w.object(m.shape, value, indent)
		return
	}
	for i := range value.Len() {
		elem := value.Index(i)
		if m.shape.elem.form != formObject {
			w.wrap("- "+showWords.text(elem.String()), indent, indent+step)
			continue
		}
		w.indent(indent)
		w.line(strconv.Itoa(i+1) + ".")
		w.object(m.shape.elem, elem, indent+step)
	}
}

// text writes a label and its value, on one line if it is short and below if
// it has paragraphs.
func (w *writer) text(label, value string, indent int) {
	visible := isVisible(value)
	if len(value) < 200 && (visible || !strings.ContainsAny(value, "\r\n\u2028\u2029")) {
		w.pair(label, neutral(value), indent)
		return
	}
	w.wrap(label+" :", indent, indent)
	for paragraph := range strings.SplitSeq(paragraphs.Replace(value), "\n") {
		if strings.TrimSpace(paragraph) != "" {
			w.wrap(neutral(paragraph), indent+step, indent+step)
		}
	}
}

var paragraphs = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n")

// reserves lists what is missing, so that the reader knows it too.
func (w *writer) reserves(d *Document) {
	missing := d.reserves()
	if len(missing) == 0 {
		return
	}
	w.blank()
	w.line("RÉSERVES (pli accepté ; un complément est demandé)")
	for _, f := range missing {
		w.wrap("- "+f.Path+" : "+f.Message, step, 2*step)
	}
}

// wrap writes s in lines of at most 78 characters, its words one space apart,
// cutting at spaces, and within a word only when the word alone is too long.
func (w *writer) wrap(s string, first, rest int) {
	if !tidy(s) {
		s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' }), " ")
	}
	for indent := first; s != ""; indent = rest {
		n, next := lineOf(s, columns-indent)
		w.indent(indent)
		w.line(s[:n])
		s = s[next:]
	}
}

// tidy tells whether words stand one space apart and no space is around them.
func tidy(s string) bool {
	return !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ") && !strings.Contains(s, "  ")
}

// lineOf gives how many bytes of s, a tidy text, a line of so many characters
// takes, and where the next line begins.
func lineOf(s string, width int) (n, next int) {
	space, count := 0, 0
	for i, r := range s {
		switch {
		case count == width && r == ' ':
			return i, i + 1
		case count == width && space > 0:
			return space, space + 1
		case count == width:
			return i, i
		case r == ' ':
			space = i
		}
		count++
	}
	return len(s), len(s)
}

// pair writes a label and a short value, in place when one line holds them.
func (w *writer) pair(label, value string, indent int) {
	const between = " : "
	if !tidy(value) || indent+utf8.RuneCountInString(label)+len(between)+utf8.RuneCountInString(value) > columns {
		w.wrap(label+between+value, indent, indent+step)
		return
	}
	w.indent(indent)
	w.out = append(append(w.out, label...), between...)
	w.line(value)
}

const spaces = "                                        "

func (w *writer) indent(n int) { w.out = append(w.out, spaces[:n]...) }

// showing is how a text is shown, found once from its rules.
type showing int

const (
	showAsIs    showing = iota
	showWords           // words for the values of a list
	showDay             // 20/11/2026
	showInstant         // 20/11/2026 à 22 h 41 (UTC+01:00)
)

func showingOf(rules string) showing {
	switch {
	case strings.Contains(rules, "oneof"):
		return showWords
	case strings.Contains(rules, "jour"):
		return showDay
	case strings.Contains(rules, "instant"):
		return showInstant
	}
	return showAsIs
}

// text gives a value as it is read in French.
func (s showing) text(value string) string {
	switch s {
	case showWords:
		if words, ok := words[value]; ok {
			return words
		}
	case showDay:
		if isJour(value) { // only a year, or a month, is shown as written
			return value[8:] + "/" + value[5:7] + "/" + value[:4]
		}
	case showInstant:
		if at, err := time.Parse(time.RFC3339, value); err == nil {
			return at.Format("02/01/2006 à 15 h 04 (UTC-07:00)")
		}
	}
	return value
}
