package httpapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"vaguemestre/broker"
)

// The secret of a token is "vmt_" and 32 random bytes in base64url (RFC 4648
// section 5, no padding): 43 characters. The prefix lets a scanner of source
// code know what it has found.
const (
	tokenPrefix = "vmt_"
	tokenBytes  = 32
)

// ErrToken says that a text has not the form of a token. It never holds it.
var ErrToken = errors.New("httpapi: not a token")

// NewToken draws the secret of a token, to be shown once, and what the broker
// keeps of it: its digest and its first characters.
func NewToken(random io.Reader) (secret, digest, hint string, err error) {
	var b [tokenBytes]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", "", "", fmt.Errorf("drawing a token: %w", err)
	}
	secret = tokenPrefix + base64.RawURLEncoding.EncodeToString(b[:])
	return secret, broker.Digest([]byte(secret)), secret[:broker.HintLength], nil
}

// ParseToken checks the form of a secret and gives the digest under which the
// broker knows it. It returns ErrToken.
func ParseToken(secret string) (digest string, err error) {
	text, ok := strings.CutPrefix(secret, tokenPrefix)
	if !ok || len(text) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return "", ErrToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != tokenBytes {
		return "", ErrToken
	}
	return broker.Digest([]byte(secret)), nil
}

// bearer finds the secret of an Authorization header (RFC 6750 section 2.1).
func bearer(header []string) (secret string, given bool) {
	if len(header) != 1 {
		return "", len(header) > 1
	}
	scheme, secret, _ := strings.Cut(header[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true
	}
	return strings.TrimLeft(secret, " "), true
}
