package httpapi

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"vaguemestre/broker"
)

// tokenView is a token as the operator sees it: never its secret, but once.
type tokenView struct {
	Secret      string         `json:"token,omitempty"` // in the answer to its creation only
	Hint        string         `json:"hint"`
	Digest      string         `json:"digest"`
	Application string         `json:"application"`
	Party       broker.PartyID `json:"party"`
	Rights      []broker.Right `json:"rights"`
	Created     string         `json:"created"`
	Expires     string         `json:"expires,omitempty"`
	Revoked     string         `json:"revoked,omitempty"`
}

func newTokenView(t broker.Token) tokenView {
	return tokenView{Hint: t.Hint, Digest: t.Digest, Application: t.Application, Party: t.Party, Rights: t.Rights, Created: t.Created, Expires: t.Expires, Revoked: t.Revoked}
}

func (a *API) listTokens(x *exchange) error {
	all, err := a.o.Tokens.Tokens()
	if err != nil {
		return err
	}
	out := struct {
		Items []tokenView `json:"items"`
	}{[]tokenView{}}
	for _, t := range all {
		out.Items = append(out.Items, newTokenView(t))
	}
	return x.answer(http.StatusOK, out)
}

func (a *API) createToken(x *exchange) error {
	if _, _, err := mediaType(x.r, typeJSON); err != nil {
		return err
	}
	text, err := readAll(x.r.Body, maxAct)
	if err != nil {
		return err
	}
	q, faults := parseAsked(text)
	if len(faults) > 0 {
		return newProblem(CodeInvalid).with(faults...)
	}
	secret, digest, hint, err := NewToken(a.o.Rand)
	if err != nil {
		return err
	}
	t := broker.Token{Digest: digest, Hint: hint, Application: q.application, Party: q.party, Rights: q.rights}
	if !q.expires.IsZero() {
		t.Expires = broker.FormatTime(q.expires)
	}
	kept, err := a.o.Tokens.AddToken(x.r.Context(), t)
	if errors.Is(err, broker.ErrTokenFormat) {
		return newProblem(CodeRefused).because(err).hint("application: lower-case letters, digits and hyphens; party: one that lives here; rights: " + rightsList() + "; expires: in the future")
	}
	if err != nil {
		return err
	}
	v := newTokenView(kept)
	v.Secret = secret
	return x.answer(http.StatusCreated, v)
}

func rightsList() string {
	var words []string
	for _, r := range broker.Rights() {
		words = append(words, string(r))
	}
	return strings.Join(words, ", ")
}

// revokeToken ends the token whose hint or digest begins so. Two that begin
// alike must be told apart by the digest.
func (a *API) revokeToken(x *exchange) error {
	named := x.r.PathValue("hint")
	all, err := a.o.Tokens.Tokens()
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(t broker.Token) bool { return t.Hint != named && t.Digest != named })
	if len(all) != 1 {
		return newProblem(CodeToken)
	}
	err = a.o.Tokens.RevokeToken(x.r.Context(), all[0].Digest)
	if err != nil && !errors.Is(err, broker.ErrAlready) {
		return err
	}
	x.w.WriteHeader(http.StatusNoContent)
	return nil
}
