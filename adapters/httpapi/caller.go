package httpapi

import (
	"errors"

	"vaguemestre/broker"
)

// caller is who asks, once it is known.
type caller struct {
	application string
	party       broker.PartyID
	token       string // digest of its token, "" on Local
	local       bool
}

// HeaderParty names, on Local, the party for which a request is made.
const HeaderParty = "Vaguemestre-Party"

// LocalApplication is the application that requests of Local are made by.
const LocalApplication = "cli"

// judgeToken finds whose token it is, counts the request, and checks the right
// of the route. Who shows no valid token is counted by address, so that guessing
// is slow; who shows one never pays for others behind the same address.
//
// A token is looked up by its digest: how long that takes says nothing of a
// secret, since nobody can choose a digest.
func (a *API) judgeToken(x *exchange, r route) error {
	if r.right == "" {
		return count(a.strangers, Remote(x.r.RemoteAddr))
	}
	t, digest, err := a.token(x)
	var p *problem
	if errors.As(err, &p) {
		if err := count(a.strangers, Remote(x.r.RemoteAddr)); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	x.caller = caller{application: t.Application, party: t.Party, token: digest}
	if err := count(a.limits, digest); err != nil {
		return err
	}
	if !t.Allows(r.right, a.o.Now()) {
		return newProblem(CodeRight)
	}
	return nil
}

// still finds, once the body of a request has come, whether its token serves yet.
// An upload may take hours; whoever stole a token must not deposit after its end.
func (a *API) still(x *exchange) error {
	if x.caller.local {
		return nil
	}
	t, err := a.o.Tokens.Token(x.caller.token)
	if err == nil && !t.Valid(a.o.Now()) {
		err = newProblem(CodeTokenInvalid)
	}
	return err
}

// token finds the token of a request: a problem when it shows none that is
// valid.
func (a *API) token(x *exchange) (t broker.Token, digest string, err error) {
	secret, given := bearer(x.r.Header.Values("Authorization"))
	if !given {
		return t, "", newProblem(CodeTokenMissing)
	}
	if digest, err = ParseToken(secret); err != nil {
		return t, "", newProblem(CodeTokenInvalid)
	}
	t, err = a.o.Tokens.Token(digest)
	if errors.Is(err, broker.ErrNotFound) || err == nil && (!t.Valid(a.o.Now()) || !a.atHome(t.Party)) {
		return t, "", newProblem(CodeTokenInvalid)
	}
	return t, digest, err
}

func count(l *limiter, who string) error {
	if wait, ok := l.take(who); !ok {
		return newProblem(CodeRate).retry(wait)
	}
	return nil
}

// judgeLocal finds for which party the owner of the broker asks.
func (a *API) judgeLocal(x *exchange, r route) error {
	x.caller = caller{application: LocalApplication, local: true}
	if r.alone {
		return nil
	}
	named := x.r.Header.Values(HeaderParty)
	if len(named) != 1 || !a.atHome(broker.PartyID(named[0])) {
		return newProblem(CodeRequest).hint("the header " + HeaderParty + " names one party that lives here")
	}
	x.caller.party = broker.PartyID(named[0])
	return nil
}

func (a *API) atHome(p broker.PartyID) bool {
	home, ok := a.o.Broker.Directory().Home(p)
	return ok && home.ID == a.o.Broker.ID()
}
