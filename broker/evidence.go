package broker

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
)

// Evidence is one signed fact about a pli. It names the pli by the digest of
// its header, and carries no personal data: what a person says is in Detail.
type Evidence struct {
	V            int
	Event        Event
	ID           string
	Recipient    PartyID  // "" where it holds for all
	At           string   // time of signature
	DoneAt       string   // date of the act itself
	By           string   // the signer, party or broker
	Home         BrokerID // the broker where it was made
	Notice       string
	ReasonCode   string
	HeaderSHA256 string
	DetailSHA256 string
	Prev         []string // latest evidences of the pair that the signer knew
	Log          LogHead  // last durable head of the journal where it was made
}

// LogHead is a journal head as evidences witness it.
type LogHead struct {
	Broker BrokerID
	Origin string
	Size   uint64
	Root   string // hex
}

func logHead(h journal.Head) LogHead {
	return LogHead{Broker: BrokerID(h.Broker), Origin: h.Origin, Size: h.Size, Root: hex.EncodeToString(h.Root[:])}
}

// Encode writes evidence.json.
func (e Evidence) Encode() []byte {
	o := newObject(768)
	o.num("v", int64(e.V))
	o.str("event", string(e.Event))
	o.str("id", e.ID)
	o.str("recipient", string(e.Recipient))
	o.str("at", e.At)
	o.opt("done_at", e.DoneAt)
	o.str("by", e.By)
	o.str("home", string(e.Home))
	o.opt("notice", e.Notice)
	o.opt("reason_code", e.ReasonCode)
	o.str("header_sha256", e.HeaderSHA256)
	o.opt("detail_sha256", e.DetailSHA256)
	strs(o, "prev", e.Prev)
	l := newObject(224)
	l.str("broker", string(e.Log.Broker))
	l.str("origin", e.Log.Origin)
	l.num("size", int64(e.Log.Size))
	l.str("root", e.Log.Root)
	o.raw("log", l.bytes())
	return o.bytes()
}

// ParseEvidence reads evidence.json, strictly, and checks what the table says
// of the event's form: reason code, detail, date, recipient.
func ParseEvidence(b []byte) (Evidence, error) {
	var e Evidence
	if len(b) > 16<<10 || !plainASCII(b) {
		return e, fmt.Errorf("%w: evidence.json", ErrFormat)
	}
	if err := e.read(b); err != nil {
		return e, fmt.Errorf("evidence.json: %w", err)
	}
	if err := e.check(); err != nil {
		return e, fmt.Errorf("evidence.json: %w", err)
	}
	return e, same(b, e.Encode())
}

func (e *Evidence) read(b []byte) error {
	p := &scanner{s: string(b)}
	e.V = int(p.num("v"))
	e.Event = str[Event](p, "event")
	e.ID = str[string](p, "id")
	e.Recipient = str[PartyID](p, "recipient")
	e.At = str[string](p, "at")
	e.DoneAt = opt[string](p, "done_at")
	e.By = str[string](p, "by")
	e.Home = str[BrokerID](p, "home")
	e.Notice = opt[string](p, "notice")
	e.ReasonCode = opt[string](p, "reason_code")
	e.HeaderSHA256 = str[string](p, "header_sha256")
	e.DetailSHA256 = opt[string](p, "detail_sha256")
	e.Prev = list[string](p, "prev")
	p.object("log", func(p *scanner) {
		e.Log.Broker = str[BrokerID](p, "broker")
		e.Log.Origin = str[string](p, "origin")
		e.Log.Size = p.num("size")
		e.Log.Root = str[string](p, "root")
	})
	return p.done()
}

func (e Evidence) check() error {
	row, known := LookupEvent(e.Event)
	_, homeErr := directory.ParseBrokerID(string(e.Home))
	_, byErr := directory.ParsePartyID(e.By)
	_, atErr := parseTime(e.At)
	switch {
	case e.V != version:
		return fmt.Errorf("%w: v", ErrFormat)
	case !known:
		return fmt.Errorf("%w: event", ErrFormat)
	case !isUUIDv7(e.ID):
		return fmt.Errorf("%w: id", ErrFormat)
	case !row.Either && row.ForAll != (e.Recipient == ""), e.Recipient != "" && !isParty(e.Recipient):
		return fmt.Errorf("%w: recipient", ErrFormat)
	case atErr != nil:
		return fmt.Errorf("%w: at", ErrFormat)
	case byErr != nil || homeErr != nil:
		return fmt.Errorf("%w: by, home", ErrFormat)
	case !isNotice(e.Notice):
		return fmt.Errorf("%w: notice", ErrFormat)
	case !row.AllowsReason(e.ReasonCode):
		return fmt.Errorf("%w: reason_code", ErrFormat)
	case !isDigest(e.HeaderSHA256):
		return fmt.Errorf("%w: header_sha256", ErrFormat)
	case row.Detail != (e.DetailSHA256 != "") || e.DetailSHA256 != "" && !isDigest(e.DetailSHA256):
		return fmt.Errorf("%w: detail_sha256", ErrFormat)
	}
	if err := e.checkDone(row); err != nil {
		return err
	}
	return e.checkLinks()
}

func (e Evidence) checkDone(row EventRow) error {
	if e.DoneAt == "" {
		if row.Date {
			return fmt.Errorf("%w: done_at", ErrFormat)
		}
		return nil
	}
	if _, err := parseTime(e.DoneAt); err != nil || !row.Detail {
		return fmt.Errorf("%w: done_at", ErrFormat)
	}
	return nil
}

func (e Evidence) checkLinks() error {
	for i, p := range e.Prev {
		if !isDigest(p) || slices.Contains(e.Prev[:i], p) {
			return fmt.Errorf("%w: prev", ErrFormat)
		}
	}
	if e.Log.Broker != e.Home || e.Log.Size == 0 || !isDigest(e.Log.Root) || !validOrigin(e.Log.Origin, e.Home) {
		return fmt.Errorf("%w: log", ErrFormat)
	}
	return nil
}

// validOrigin holds the form <broker>/log/<32 hex>.
func validOrigin(origin string, b BrokerID) bool {
	prefix := string(b) + "/log/"
	if len(origin) != len(prefix)+32 || origin[:len(prefix)] != prefix {
		return false
	}
	return isDigest(origin[len(prefix):] + origin[len(prefix):])
}

// SignedAt is the time of signature that the evidence states.
func (e Evidence) SignedAt() time.Time {
	t, _ := parseTime(e.At)
	return t
}

// Detail is what a person says with an act; it travels sealed, and only its
// salted digest is in the evidence.
type Detail struct {
	V            int     `json:"v"`
	Salt         string  `json:"salt"`
	Event        Event   `json:"event"`
	ID           string  `json:"id"`
	Recipient    PartyID `json:"recipient"`
	HeaderSHA256 string  `json:"header_sha256"`
	DoneAt       string  `json:"done_at"`
	ReasonCode   string  `json:"reason_code"`
	Actor        Actor   `json:"actor"`
	Basis        Basis   `json:"basis"`
	Number       string  `json:"number"`
	Reason       string  `json:"reason"`
	Place        string  `json:"place"`
	RedirectedTo PartyID `json:"redirected_to"`
	RedirectedID string  `json:"redirected_id"`
}

// Encode writes detail.json.
func (d Detail) Encode() []byte {
	o := newObject(640)
	o.num("v", int64(d.V))
	o.str("salt", d.Salt)
	o.str("event", string(d.Event))
	o.str("id", d.ID)
	o.str("recipient", string(d.Recipient))
	o.str("header_sha256", d.HeaderSHA256)
	o.opt("done_at", d.DoneAt)
	o.opt("reason_code", d.ReasonCode)
	o.raw("actor", d.Actor.encode())
	o.str("basis", string(d.Basis))
	o.opt("number", d.Number)
	o.opt("reason", d.Reason)
	o.opt("place", d.Place)
	o.opt("redirected_to", string(d.RedirectedTo))
	o.opt("redirected_id", d.RedirectedID)
	return o.bytes()
}

// ParseDetail reads detail.json, strictly.
func ParseDetail(b []byte) (Detail, error) {
	var d Detail
	if len(b) > 64<<10 {
		return d, fmt.Errorf("%w: detail.json", ErrFormat)
	}
	if err := decodeStrict(b, &d); err != nil {
		return d, fmt.Errorf("detail.json: %w", err)
	}
	_, known := LookupEvent(d.Event)
	if d.V != version || !known || !isUUIDv7(d.ID) || !isDigest(d.Salt) || !isDigest(d.HeaderSHA256) || !isBasis(d.Basis) || d.Actor.Name == "" {
		return d, fmt.Errorf("%w: detail.json", ErrFormat)
	}
	if !isParty(d.Recipient) {
		return d, fmt.Errorf("%w: recipient", ErrFormat)
	}
	if redirected := d.Event == Redirected; redirected != (d.RedirectedTo != "") || redirected != (d.RedirectedID != "") || redirected && !(isParty(d.RedirectedTo) && isUUIDv7(d.RedirectedID)) {
		return d, fmt.Errorf("%w: redirected_to, redirected_id", ErrFormat)
	}
	return d, same(b, d.Encode())
}

func isParty(p PartyID) bool {
	_, err := directory.ParsePartyID(string(p))
	return err == nil
}

// Matches says whether a detail is the one that an evidence names: same fact,
// same pair, same date and reason, and the mandatory members of the event.
func (d Detail) Matches(e Evidence) bool {
	row, ok := LookupEvent(e.Event)
	return ok && d.Event == e.Event && d.ID == e.ID && d.Recipient == e.Recipient &&
		d.HeaderSHA256 == e.HeaderSHA256 && d.DoneAt == e.DoneAt && d.ReasonCode == e.ReasonCode &&
		(!row.Number || d.Number != "") &&
		(d.Event != Redirected || d.RedirectedTo != "" && isUUIDv7(d.RedirectedID))
}
