package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
)

// Token is the right of one application to act for one party. The secret
// itself is nowhere here: whoever brings it is found by its digest. It is an
// entry of the journal like any other, so a grant and its end are dated by the
// tree, and a copy of the journal lets nobody in.
type Token struct {
	Digest      string // SHA-256 of the secret, 64 lower-case hex digits: it has 256 random bits
	Hint        string // the first characters of the secret, by which people tell tokens apart
	Application string // a word of the form of a party id: never a person
	Party       PartyID
	Rights      []Right // sorted
	Created     string  // as FormatTime writes it
	Expires     string
	Revoked     string
}

// Right is one thing that a token allows. The list is closed.
type Right string

// The rights.
const (
	RightSend   Right = "send"   // deposit a pli
	RightRead   Right = "read"   // list, open, see states and evidences
	RightAct    Right = "act"    // say what becomes of a pli, in the name of a person
	RightExport Right = "export" // take the proof of a pli away
	RightAudit  Right = "audit"  // read the leaves of the journal and their proofs
)

// Rights lists every right, sorted.
func Rights() []Right { return []Right{RightAct, RightAudit, RightExport, RightRead, RightSend} }

// HintLength is the length of Token.Hint, in characters of base64url.
const HintLength = 8

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// spaceToken lists the tokens: <digest of the secret>.
const spaceToken = "token"

// ErrTokenFormat says that a token cannot be kept as it is: a party that does
// not live here, an unknown right, an application that is no word.
var ErrTokenFormat = errors.New("broker: not a token that can be kept")

// Allows says whether the token gives a right at a time.
func (t Token) Allows(r Right, now time.Time) bool {
	return t.Valid(now) && slices.Contains(t.Rights, r)
}

// Valid says whether the token serves at all at a time.
func (t Token) Valid(now time.Time) bool {
	if t.Revoked != "" {
		return false
	}
	if t.Expires == "" {
		return true
	}
	end, err := parseTime(t.Expires)
	return err == nil && now.Before(end)
}

// AddToken journals a token. Created is set here. It returns ErrTokenFormat,
// ErrAlready when that digest is known, or ErrTemporary.
func (b *Broker) AddToken(ctx context.Context, t Token) (Token, error) {
	t.Created, t.Revoked = FormatTime(b.now()), ""
	t.Rights = slices.Compact(slices.Sorted(slices.Values(t.Rights)))
	if err := b.checkToken(t); err != nil {
		return Token{}, err
	}
	if err := b.commit(ctx, &tokenInput{token: t}); err != nil {
		return Token{}, tokenError(err)
	}
	return t, nil
}

func (b *Broker) checkToken(t Token) error {
	_, err := directory.ParsePartyID(t.Application)
	switch {
	case !isDigest(t.Digest) || len(t.Hint) != HintLength || strings.ContainsFunc(t.Hint, func(r rune) bool { return !strings.ContainsRune(base64url, r) }):
		return fmt.Errorf("%w: digest", ErrTokenFormat)
	case err != nil:
		return fmt.Errorf("%w: application", ErrTokenFormat)
	case !b.atHome(t.Party):
		return fmt.Errorf("%w: party", ErrTokenFormat)
	case len(t.Rights) == 0 || slices.ContainsFunc(t.Rights, func(r Right) bool { return !slices.Contains(Rights(), r) }):
		return fmt.Errorf("%w: rights", ErrTokenFormat)
	}
	if t.Expires != "" {
		if end, err := parseTime(t.Expires); err != nil || !end.After(b.now()) {
			return fmt.Errorf("%w: expires", ErrTokenFormat)
		}
	}
	return nil
}

// RevokeToken ends a token, for good. It returns ErrNotFound, ErrAlready when
// it was revoked before, or ErrTemporary.
func (b *Broker) RevokeToken(ctx context.Context, digest string) error {
	return tokenError(b.commit(ctx, &tokenInput{token: Token{Digest: digest}, revoke: true}))
}

// Token finds a token by the digest of its secret, valid or not. It returns
// ErrNotFound, or ErrTemporary.
func (b *Broker) Token(digest string) (t Token, err error) {
	err = b.journal.View(func(v journal.View) error {
		var known bool
		if t, known = get[Token](v, spaceToken, digest); !known {
			return ErrNotFound
		}
		return nil
	})
	return t, tokenError(err)
}

// Tokens lists every token, revoked ones too, in the order of their creation.
func (b *Broker) Tokens() (all []Token, err error) {
	err = b.journal.View(func(v journal.View) error {
		v.Scan(spaceToken, "", "", func(_ string, value []byte) bool {
			var t Token
			if t.decode(value) == nil {
				all = append(all, t)
			}
			return true
		})
		return nil
	})
	slices.SortStableFunc(all, func(a, b Token) int {
		switch {
		case a.Created < b.Created:
			return -1
		case a.Created > b.Created:
			return 1
		}
		return 0
	})
	return all, tokenError(err)
}

// tokenError keeps the decisions, and makes of anything else what a caller
// comes back after.
func tokenError(err error) error {
	if err == nil || errors.Is(err, ErrNotFound) || errors.Is(err, ErrAlready) {
		return err
	}
	return temporary("tokens", err)
}

func (t Token) encode() []byte {
	o := newObject(320)
	o.str("d", t.Digest)
	o.str("h", t.Hint)
	o.str("a", t.Application)
	o.str("p", string(t.Party))
	strs(o, "r", t.Rights)
	o.str("c", t.Created)
	o.opt("e", t.Expires)
	o.opt("x", t.Revoked)
	return o.bytes()
}

func (t *Token) decode(b []byte) error {
	p := rowScanner{scanner{s: string(b)}}
	t.Digest = str[string](&p.scanner, "d")
	t.Hint = str[string](&p.scanner, "h")
	t.Application = str[string](&p.scanner, "a")
	t.Party = str[PartyID](&p.scanner, "p")
	t.Rights = list[Right](&p.scanner, "r")
	t.Created = str[string](&p.scanner, "c")
	t.Expires = opt[string](&p.scanner, "e")
	t.Revoked = opt[string](&p.scanner, "x")
	return p.finish(b, t)
}

// tokenInput is a token given or ended by whoever runs this broker.
type tokenInput struct {
	token  Token
	revoke bool
}

func (in *tokenInput) step(s reader, now time.Time) (journal.Batch, error) {
	held, known := get[Token](s, spaceToken, in.token.Digest)
	next := in.token
	switch {
	case in.revoke && !known:
		return journal.Batch{}, ErrNotFound
	case in.revoke && held.Revoked != "", !in.revoke && known:
		return journal.Batch{}, ErrAlready
	case in.revoke:
		next = held
		next.Revoked = FormatTime(now)
	}
	ev := journal.Event{Type: journal.TypeNoted, At: now}
	ev.Puts = []journal.Put{put(spaceToken, next.Digest, next)}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}
