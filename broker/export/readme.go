package export

import (
	"bytes"
	_ "embed"
	"fmt"
	"text/template"

	"vaguemestre/broker"
)

//go:embed LISEZMOI.txt
var readMeText string

// readMeData fills LISEZMOI.txt.
type readMeData struct {
	Notice string // its first line
	Purged string // the evidence that tells why there is no body.pgp
}

// readMe writes the page for the clerk.
func (e *exporting) readMe() ([]byte, error) {
	data := readMeData{Notice: noticeLine(e.notice())}
	if !e.sum.Body {
		data.Purged = dirEvidence + e.names[e.purge()] + ".json"
	}
	return readMe(data)
}

func readMe(data readMeData) ([]byte, error) {
	t, err := template.New(fileRead).Parse(readMeText)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileRead, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("%s: %w", fileRead, err)
	}
	return out.Bytes(), nil
}

// notice is that of this broker, or else the pli's. A demonstration prevails.
func (e *exporting) notice() string {
	own := e.b.Directory().Notice()
	if own == "" || e.d.Header.Notice == broker.NoticeDemo {
		return e.d.Header.Notice
	}
	return own
}

// noticeLine is what any reader must know first (DESIGN section 2).
func noticeLine(notice string) string {
	switch notice {
	case broker.NoticeDemo:
		return "DÉMONSTRATION : données fictives, sans aucune valeur."
	case broker.NoticeShared:
		return "HÉBERGEMENT COMMUN : un même opérateur tient les clés de plusieurs institutions."
	}
	return ""
}
