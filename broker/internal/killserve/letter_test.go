package killserve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"slices"
	"strings"

	"vaguemestre/broker/internal/served"
)

// letter is one submission, made out of its number only: a repetition is the
// same to the byte.
type letter struct {
	number   int
	from     string
	to, cc   []string
	kind     string
	urgency  string
	document []byte
	pieces   [][]byte
	acts     map[string][]act // by recipient, in the order in which they are said
}

// act is what a recipient says, in the JSON of the API.
type act struct {
	Event      string `json:"event"`
	Actor      person `json:"actor"`
	DoneAt     string `json:"done_at,omitempty"`
	Number     string `json:"number,omitempty"`
	ReasonCode string `json:"reason_code,omitempty"`
	Reason     string `json:"reason,omitempty"`
}

type person struct {
	Name     string `json:"name"`
	Function string `json:"function,omitempty"`
}

var sender = person{"MODÈLE Alix", "cadre d'astreinte"}

// Sizes of pieces, in bytes: one that stays in the journal file, one that does
// not, one that takes many writes.
const (
	smallPiece = 300
	largePiece = 90 << 10
	hugePiece  = 1200 << 10
)

// newLetter goes through kinds, directions, numbers of pieces, both places of a
// body, and acts.
func newLetter(number int) letter {
	l := letter{number: number, kind: "transmission", acts: map[string][]act{}}
	switch number % 5 {
	case 0:
		l.from, l.to, l.cc, l.kind, l.urgency = served.ASE, []string{served.Parquet}, []string{served.Juge}, "signalement", "U0"
	case 1:
		l.from, l.to, l.urgency = served.Parquet, []string{served.ASE}, "U1"
	case 2:
		l.from, l.to, l.cc, l.urgency = served.ASE, []string{served.Juge}, []string{served.Parquet}, "U2"
	case 3:
		l.from, l.to, l.cc, l.urgency = served.Parquet, []string{served.Juge}, []string{served.ASE}, "U0"
	case 4:
		l.from, l.to = served.Juge, []string{served.ASE, served.Parquet}
	}
	pieces := number % 4 // none goes as JSON, more as a form
	if l.kind == "signalement" {
		pieces = 1
	}
	for i := range pieces {
		size := smallPiece
		switch {
		case number%29 == 0:
			size = hugePiece
		case (number+i)%6 == 0:
			size = largePiece
		}
		text := fmt.Appendf(nil, "%%PDF-1.4 pièce fictive %d de l'envoi %d\n", i+1, number)
		l.pieces = append(l.pieces, append(text, bytes.Repeat([]byte("blanc "), size/6)...))
	}
	l.document = l.paper()
	for i, p := range l.to {
		l.acts[p] = l.said(number + i)
	}
	return l
}

// paper writes the document, with one entry for each piece.
func (l *letter) paper() []byte {
	var listed []string
	for i := range l.pieces {
		listed = append(listed, fmt.Sprintf(`{"titre": "Pièce fictive %d", "type_mime": "application/pdf", "role": "rapport", "communication": "communicable"}`, i+1))
	}
	auteur := `"auteur": {"nom": "MODÈLE Alix", "telephone": "03 00 00 00 01"}`
	pieces := `"pieces": [` + strings.Join(listed, ", ") + `]`
	if l.kind == "signalement" {
		return []byte(`{"enfants": [{"identite_inconnue": true, "age_apparent": "environ 4 ans", "sexe": "feminin", "lieu_actuel": {"libelle": "Gare de Ville-Exemple"}}], ` +
			`"condition": "danger_grave_immediat", "demande": ["opp"], "signataire": {"nom": "SPÉCIMEN Dominique"}, ` + auteur + ", " + pieces + "}")
	}
	return []byte(fmt.Sprintf(`{"objet": "Complément fictif %d", "texte": "Rien de vrai.\n\nRien du tout.", `, l.number) + auteur + ", " + pieces + "}")
}

// said is a course of acts that a recipient takes.
func (l *letter) said(n int) []act {
	actor := person{"GABARIT Sacha", "greffière"}
	registered := act{Event: "registered", Actor: actor, Number: fmt.Sprintf("26-FICTIF-%d", l.number), DoneAt: "2026-01-05T09:30:00Z"}
	taken := act{Event: "taken_in_charge", Actor: actor, Reason: "suivi"}
	switch n % 4 {
	case 0:
		return []act{{Event: "opened", Actor: actor}, registered}
	case 1:
		return []act{registered, taken}
	case 2:
		return []act{taken, {Event: "executed", Actor: actor, DoneAt: "2026-01-06T10:00:00Z"}}
	}
	return []act{{Event: "returned", Actor: actor, ReasonCode: "double_emploi", Reason: "déjà reçu"}}
}

// key is the idempotency key of a letter.
func (l *letter) key() string { return fmt.Sprintf("envoi-%d", l.number) }

func (l *letter) recipients() []string { return slices.Concat(l.to, l.cc) }

// message is the JSON around the document, whose very bytes it keeps.
func (l *letter) message() []byte {
	frame, err := json.Marshal(struct {
		Kind    string   `json:"kind"`
		To      []string `json:"to"`
		Cc      []string `json:"cc,omitempty"`
		Urgency string   `json:"urgency,omitempty"`
		Actor   person   `json:"actor"`
	}{l.kind, l.to, l.cc, l.urgency, sender})
	if err != nil {
		return nil // strings always encode
	}
	return slices.Concat(frame[:len(frame)-1], []byte(`,"document":`), l.document, []byte("}"))
}

// body is the submission as it goes over HTTP.
func (l *letter) body() (body []byte, ctype string) {
	if len(l.pieces) == 0 {
		return l.message(), "application/json"
	}
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	put := func(name string, text []byte) {
		if w, err := m.CreateFormField(name); err == nil { // a buffer takes everything
			_, _ = w.Write(text)
		}
	}
	put("message", l.message())
	for _, p := range l.pieces {
		put("piece", p)
	}
	_ = m.Close()
	return b.Bytes(), m.FormDataContentType()
}
