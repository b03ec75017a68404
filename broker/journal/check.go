package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Limits of one event. They keep positions (number << 8 | index) unique and a
// transaction in memory.
const (
	maxList    = 256     // objects, blobs, or enqueued and settled items of an event
	maxName    = 200     // bytes of a name, key, id, topic, destination or lane
	maxPayload = 1 << 20 // bytes of a payload, a value or an object
	maxYear    = 9999    // four digits in a leaf
	maxBlob    = 1 << 40 // bytes of a blob in the body store
)

// InvalidError says which member of an event cannot be written, never its
// value.
type InvalidError struct {
	Field  string // e.g. "Puts.Key"
	Reason string
}

// Error implements error.
func (e *InvalidError) Error() string { return "journal: " + e.Field + ": " + e.Reason }

func invalid(field, reason string) error { return &InvalidError{Field: field, Reason: reason} }

// Check says whether the event can be written whatever the state: an
// *InvalidError names the first member that cannot.
func (e *Event) Check() error {
	if !isType(e.Type) {
		return invalid("Type", "lower-case ASCII letters and _ only, 1 to 40")
	}
	if err := checkTime("At", e.At); err != nil {
		return err
	}
	if err := checkText("ID", e.ID, maxName); err != nil {
		return err
	}
	if e.Digest != "" && !isHex64(e.Digest) {
		return invalid("Digest", "not 64 lower-case hex digits")
	}
	if err := e.checkContents(); err != nil {
		return err
	}
	if err := e.checkPuts(); err != nil {
		return err
	}
	if err := e.checkWork(); err != nil {
		return err
	}
	return e.checkTimers()
}

func (c *Changes) checkContents() error {
	if len(c.Objects) > maxList || len(c.Blobs) > maxList || len(c.Erase) > maxList {
		return invalid("Objects, Blobs, Erase", "at most 256 each")
	}
	for _, o := range c.Objects {
		if len(o) == 0 || len(o) > maxPayload {
			return invalid("Objects", "1 byte to 1 MiB")
		}
	}
	for i := range c.Blobs {
		if err := c.Blobs[i].check(); err != nil {
			return err
		}
	}
	for _, name := range c.Erase {
		if err := checkName("Erase", name); err != nil {
			return err
		}
	}
	return nil
}

func (b *Blob) check() error {
	if err := checkName("Blobs.Name", b.Name); err != nil {
		return err
	}
	if !isHex64(b.SHA256) {
		return invalid("Blobs.SHA256", "not 64 lower-case hex digits")
	}
	if b.Size < 0 || b.Size > maxBlob {
		return invalid("Blobs.Size", "out of range")
	}
	if b.Bytes == nil {
		return nil
	}
	if int64(len(b.Bytes)) != b.Size || len(b.Bytes) > maxPayload {
		return invalid("Blobs.Size", "not the length of Bytes, or over 1 MiB")
	}
	if b.made.holds(b) {
		return nil
	}
	if sum := sha256.Sum256(b.Bytes); hex.EncodeToString(sum[:]) != b.SHA256 {
		return invalid("Blobs.SHA256", "not the digest of Bytes")
	}
	return nil
}

// NewBlob is the blob of a small body, under its BodyName. The bytes must not
// change any more: they are digested here, and not again.
func NewBlob(body []byte) Blob {
	if body == nil {
		body = []byte{}
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	b := Blob{Name: BodyName(digest), SHA256: digest, Size: int64(len(body)), Bytes: body}
	b.made = made{digest: digest, body: body}
	return b
}

// made is what NewBlob digested.
type made struct {
	digest string
	body   []byte
}

// holds says whether b still is what was digested.
func (m made) holds(b *Blob) bool {
	return len(m.body) > 0 && len(m.body) == len(b.Bytes) && &m.body[0] == &b.Bytes[0] && m.digest == b.SHA256
}

func (c *Changes) checkPuts() error {
	for i := range c.Puts {
		p := &c.Puts[i]
		if !isSpace(p.Space) {
			return invalid("Puts.Space", "lower-case ASCII letters, digits, - and _ only, 1 to 40")
		}
		if err := checkName("Puts.Key", p.Key); err != nil {
			return err
		}
		if len(p.Value) > maxPayload {
			return invalid("Puts.Value", "over 1 MiB")
		}
	}
	return nil
}

func (c *Changes) checkWork() error {
	if len(c.Enqueue)+len(c.Settle) > maxList {
		return invalid("Enqueue, Settle", "at most 256 together")
	}
	for i := range c.Enqueue {
		it := &c.Enqueue[i]
		if err := checkName("Enqueue.Topic", it.Topic); err != nil {
			return err
		}
		if err := checkText("Enqueue.Dest", it.Dest, maxName); err != nil {
			return err
		}
		if err := checkText("Enqueue.Lane", it.Lane, maxName); err != nil {
			return err
		}
		if len(it.Payload) > maxPayload {
			return invalid("Enqueue.Payload", "over 1 MiB")
		}
	}
	for i := range c.Settle {
		if err := c.checkSettle(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *Changes) checkSettle(i int) error {
	s := &c.Settle[i]
	if outcomeCode(s.Outcome) == 0 {
		return invalid("Settle.Outcome", "unknown")
	}
	if s.Outcome == Retry {
		if err := checkTime("Settle.At", s.At); err != nil {
			return err
		}
	}
	if err := checkText("Settle.Reason", s.Reason, maxName); err != nil {
		return err
	}
	for _, before := range c.Settle[:i] {
		if before.Seq == s.Seq {
			return invalid("Settle.Seq", "twice in one event")
		}
	}
	return nil
}

func (c *Changes) checkTimers() error {
	for i := range c.Timers {
		t := &c.Timers[i]
		if err := checkName("Timers.Key", t.Key); err != nil {
			return err
		}
		if !t.Due.IsZero() {
			if err := checkTime("Timers.Due", t.Due); err != nil {
				return err
			}
		}
		if len(t.Payload) > maxPayload {
			return invalid("Timers.Payload", "over 1 MiB")
		}
	}
	return nil
}

// canonical is the event as it is written: times at the millisecond, what an
// outcome does not use left out.
func (e Event) canonical() Event {
	e.At = floor(e.At)
	if len(e.Settle) > 0 {
		settle := make([]Settlement, len(e.Settle))
		for i, s := range e.Settle {
			if s.Outcome == Retry {
				s.At = ceil(s.At)
			} else {
				s.At = time.Time{}
			}
			settle[i] = s
		}
		e.Settle = settle
	}
	if len(e.Timers) > 0 {
		timers := make([]Timer, len(e.Timers))
		for i, t := range e.Timers {
			if t.Due.IsZero() {
				t.Payload = nil
			} else {
				t.Due = ceil(t.Due)
			}
			timers[i] = t
		}
		e.Timers = timers
	}
	return e
}

func floor(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// ceil never makes something due before its time.
func ceil(t time.Time) time.Time {
	f := floor(t)
	if f.Before(t) {
		f = f.Add(time.Millisecond)
	}
	return f
}

func checkTime(field string, t time.Time) error {
	if t.UnixMilli() <= 0 || t.UTC().Year() > maxYear {
		return invalid(field, "not between 1970 and 9999")
	}
	return nil
}

func checkName(field, s string) error {
	if s == "" {
		return invalid(field, "empty")
	}
	return checkText(field, s, maxName)
}

// checkText wants printable ASCII without what JSON must escape: a plain sh
// reads it, and NUL separates keys.
func checkText(field, s string, limit int) error {
	if len(s) > limit {
		return invalid(field, fmt.Sprintf("over %d bytes", limit))
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e || s[i] == '"' || s[i] == '\\' {
			return invalid(field, "not printable ASCII without quote and backslash")
		}
	}
	return nil
}

func isType(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		if (s[i] < 'a' || s[i] > 'z') && s[i] != '_' {
			return false
		}
	}
	return true
}

func isSpace(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isHex64(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'a' || s[i] > 'f') {
			return false
		}
	}
	return true
}
