package httpapi

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

// box is one of the two lists of a party.
type box string

const (
	boxReceived box = "received"
	boxSent     box = "sent"
)

// errCursor says that a text is not a cursor of ours for that box.
var errCursor = errors.New("httpapi: not a cursor")

// cursor names the last id that a page looked at. It is opaque to callers and
// proves nothing: it only says where to begin in the caller's own box.
func cursor(b box, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("1 " + string(b) + " " + id))
}

// parseCursor reads what cursor wrote, for the same box.
func parseCursor(s string, b box) (id string, err error) {
	if len(s) > 128 {
		return "", errCursor
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return "", errCursor
	}
	id, ok := strings.CutPrefix(string(text), "1 "+string(b)+" ")
	if !ok || !isID(id) || cursor(b, id) != s {
		return "", errCursor
	}
	return id, nil
}

// isID checks the text form of a UUIDv7 (RFC 9562 section 5.7), lower-case.
func isID(s string) bool {
	if len(s) != 36 || s[14] != '7' || strings.IndexByte("89ab", s[19]) < 0 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch hyphen := i == 8 || i == 13 || i == 18 || i == 23; {
		case hyphen != (c == '-'):
			return false
		case !hyphen && (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return true
}

// firstID is before every id drawn at a time or later, and after those drawn
// before: a UUIDv7 begins with the milliseconds since 1970.
func firstID(at time.Time) string {
	ms := max(at.UnixMilli(), 0)
	var b [6]byte
	for i := range b {
		b[i] = byte(ms >> (40 - 8*i))
	}
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-7000-8000-000000000000"
}
