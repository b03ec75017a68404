package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/clock"
)

// Notice is the first line of everything that a demonstration shows.
const Notice = "DÉMONSTRATION : personnes, papiers et clés fictifs."

// noSubstitute is said of every view of an order or a decision (DESIGN
// section 11).
const noSubstitute = "Ce pli transmet l'ordonnance ; il n'en tient pas lieu."

// WriteTimeline prints the story in French, one line per evidence, in the
// order of time, then what was verified.
func WriteTimeline(w io.Writer, v View, r Result) error {
	var b strings.Builder
	fmt.Fprintln(&b, Notice)
	if len(v.Plis) == 0 {
		_, err := io.WriteString(w, b.String())
		return err
	}
	first := v.Plis[0].Facts[0].At
	fmt.Fprintf(&b, "%s, heure de Paris\n\n", firstUpper(clock.Long(first, clock.Metropole)))
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HEURE\tPLI\tTYPE\tFAIT\tPOUR\tSIGNÉ PAR")
	for _, l := range lines(v) {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", l.hour, l.pli.Number, l.pli.Label, l.fact.Label, l.to, l.fact.By)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	writePlis(&b, v)
	writeProofs(&b, r)
	_, err := io.WriteString(w, b.String())
	return err
}

type line struct {
	hour string
	pli  PliView
	fact FactView
	to   string
}

// lines puts every evidence of every pli in the order of time.
func lines(v View) []line {
	var out []line
	for _, p := range v.Plis {
		for _, f := range p.Facts {
			to := string(f.Recipient)
			if to == "" {
				to = recipients(p)
			}
			out = append(out, line{instant(f.At), p, f, to})
		}
	}
	slices.SortStableFunc(out, func(a, b line) int { return a.fact.At.Compare(b.fact.At) })
	return out
}

func recipients(p PliView) string {
	s := joined(p.To)
	if len(p.Cc) > 0 {
		s += " ; copie " + joined(p.Cc)
	}
	return s
}

func joined(list []broker.PartyID) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// instant is the hour as people read it, to the millisecond: two facts of a
// demonstration are often of the same second.
func instant(t time.Time) string {
	local := t.In(clock.Metropole.Location())
	return local.Format("15 h 04 min 05") + strings.Replace(local.Format(".000"), ".", ",", 1) + " s"
}

func firstUpper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:] // the names of days begin in ASCII
}

func writePlis(b *strings.Builder, v View) {
	fmt.Fprintln(b)
	for _, p := range v.Plis {
		fmt.Fprintf(b, "Pli %d  %s  %s, %s, de %s\n", p.Number, p.ID, p.Label, p.Urgency, p.From)
		if p.Order {
			fmt.Fprintln(b, "       "+noSubstitute)
		}
	}
}

func writeProofs(b *strings.Builder, r Result) {
	evidences := 0
	for _, m := range r.Messages {
		evidences += len(m.Evidences)
	}
	fmt.Fprintln(b)
	for _, k := range r.Brokers {
		fmt.Fprintf(b, "Journal de %s : %d feuilles, racine %s, vérifié\n", k.Name, k.Journal.Size, k.Journal.Root)
	}
	fmt.Fprintf(b, "%d plis exportés et vérifiés, %d preuves signées, %d empreintes distinctes\n", len(r.Messages), evidences, r.Fingerprints())
}
