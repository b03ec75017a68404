package broker

import (
	"fmt"
	"slices"
	"time"

	"vaguemestre/broker/directory"
)

// PartyID and BrokerID name a function mailbox and a running broker.
type (
	PartyID  = directory.PartyID
	BrokerID = directory.BrokerID
)

// Urgency is how soon an act is expected: U0 within minutes, U1 the same
// working day, U2 within three working days.
type Urgency string

// The urgencies.
const (
	U0 Urgency = "U0"
	U1 Urgency = "U1"
	U2 Urgency = "U2"
)

// MaxRecipients bounds `to` and `cc` together.
const MaxRecipients = 15

// Header is what travels in clear with a pli: nothing personal, no kind, no
// thread. Its bytes are signed by the sending party; their digest names the
// pli in every evidence.
type Header struct {
	V       int
	Notice  string
	ID      string // UUIDv7
	From    PartyID
	To      []PartyID
	Cc      []PartyID
	Urgency Urgency
	SentAt  string // shown, never used in a check

	ContentSHA256 string // of SHA256SUMS
	BodySHA256    string // of body.pgp
	BodySize      int64  // bytes of body.pgp
}

// Encode writes header.json.
func (h Header) Encode() []byte {
	o := newObject(640)
	h.common(o)
	o.str("content_sha256", h.ContentSHA256)
	o.str("body_sha256", h.BodySHA256)
	o.num("body_size", h.BodySize)
	return o.bytes()
}

// common writes the members that header.json and inner.json share.
func (h Header) common(o *object) {
	o.num("v", int64(h.V))
	o.opt("notice", h.Notice)
	o.str("id", h.ID)
	o.str("from", string(h.From))
	strs(o, "to", h.To)
	strs(o, "cc", h.Cc)
	o.str("urgency", string(h.Urgency))
	o.str("sent_at", h.SentAt)
}

// ParseHeader reads header.json. It returns ErrFormat, wrapped, when the bytes
// are not the one way to write such a header.
func ParseHeader(b []byte) (Header, error) {
	var h Header
	if len(b) > 8<<10 || !plainASCII(b) {
		return h, fmt.Errorf("%w: header.json", ErrFormat)
	}
	p := &scanner{s: string(b)}
	h.read(p)
	h.ContentSHA256 = str[string](p, "content_sha256")
	h.BodySHA256 = str[string](p, "body_sha256")
	h.BodySize = int64(p.num("body_size"))
	if err := p.done(); err != nil {
		return h, fmt.Errorf("header.json: %w", err)
	}
	if err := h.check(); err != nil {
		return h, fmt.Errorf("header.json: %w", err)
	}
	if err := same(b, h.Encode()); err != nil {
		return h, fmt.Errorf("header.json: %w", err)
	}
	return h, nil
}

// read reads the members that header.json and inner.json share.
func (h *Header) read(p *scanner) {
	h.V = int(p.num("v"))
	h.Notice = opt[string](p, "notice")
	h.ID = str[string](p, "id")
	h.From = str[PartyID](p, "from")
	h.To = list[PartyID](p, "to")
	h.Cc = list[PartyID](p, "cc")
	h.Urgency = str[Urgency](p, "urgency")
	h.SentAt = str[string](p, "sent_at")
}

func (h Header) check() error {
	if err := h.checkCommon(); err != nil {
		return err
	}
	switch {
	case !isDigest(h.ContentSHA256):
		return fmt.Errorf("%w: content_sha256", ErrFormat)
	case !isDigest(h.BodySHA256):
		return fmt.Errorf("%w: body_sha256", ErrFormat)
	case h.BodySize <= 0:
		return fmt.Errorf("%w: body_size", ErrFormat)
	}
	return nil
}

func (h Header) checkCommon() error {
	switch {
	case h.V != version:
		return fmt.Errorf("%w: v", ErrFormat)
	case !isNotice(h.Notice):
		return fmt.Errorf("%w: notice", ErrFormat)
	case !isUUIDv7(h.ID):
		return fmt.Errorf("%w: id", ErrFormat)
	case !isUrgency(h.Urgency):
		return fmt.Errorf("%w: urgency", ErrFormat)
	}
	if _, err := parseTime(h.SentAt); err != nil {
		return fmt.Errorf("sent_at: %w", err)
	}
	return checkRecipients(h.From, h.To, h.Cc)
}

// checkRecipients holds the form of the addresses: at least one `to`, at most
// MaxRecipients in all, each list sorted, nobody twice, not the sender.
func checkRecipients(from PartyID, to, cc []PartyID) error {
	if _, err := directory.ParsePartyID(string(from)); err != nil {
		return fmt.Errorf("%w: from", ErrFormat)
	}
	if len(to) == 0 || len(to)+len(cc) > MaxRecipients {
		return fmt.Errorf("%w: to", ErrFormat)
	}
	seen := map[PartyID]bool{from: true}
	for _, list := range [][]PartyID{to, cc} {
		if !slices.IsSorted(list) {
			return fmt.Errorf("%w: recipients are not sorted", ErrFormat)
		}
		for _, p := range list {
			if _, err := directory.ParsePartyID(string(p)); err != nil || seen[p] {
				return fmt.Errorf("%w: recipients", ErrFormat)
			}
			seen[p] = true
		}
	}
	return nil
}

// Recipients lists `to` then `cc`.
func (h Header) Recipients() []PartyID { return slices.Concat(h.To, h.Cc) }

// Addresses says whether the pli is for a party.
func (h Header) Addresses(p PartyID) bool {
	return slices.Contains(h.To, p) || slices.Contains(h.Cc, p)
}

// Sent is the declared time of sending.
func (h Header) Sent() time.Time {
	t, _ := parseTime(h.SentAt)
	return t
}

// The notices: what everybody must see of how a broker is run.
const (
	NoticeShared = "hebergement_commun"
	NoticeDemo   = "demonstration"
)

func isNotice(s string) bool { return s == "" || s == NoticeShared || s == NoticeDemo }

func isUrgency(u Urgency) bool { return u == U0 || u == U1 || u == U2 }

// isUUIDv7 checks the text form of RFC 9562 section 5.7, lower-case.
func isUUIDv7(s string) bool {
	if len(s) != 36 || s[14] != '7' || (s[19] != '8' && s[19] != '9' && s[19] != 'a' && s[19] != 'b') {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}
