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
// of the route.
func (a *API) judgeToken(x *exchange, r route) error {
	if r.right == "" {
		return a.count("")
	}
	secret, given := bearer(x.r.Header.Values("Authorization"))
	if !given {
		return newProblem(CodeTokenMissing)
	}
	digest, err := ParseToken(secret)
	if err != nil {
		return newProblem(CodeTokenInvalid)
	}
	t, err := a.o.Tokens.Token(digest)
	if errors.Is(err, broker.ErrNotFound) {
		return newProblem(CodeTokenInvalid)
	}
	if err != nil {
		return err
	}
	now := a.o.Now()
	if !t.Valid(now) || !a.atHome(t.Party) {
		return newProblem(CodeTokenInvalid)
	}
	x.caller = caller{application: t.Application, party: t.Party, token: digest}
	if err := a.count(digest); err != nil {
		return err
	}
	if !t.Allows(r.right, now) {
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

func (a *API) count(who string) error {
	if wait, ok := a.limits.take(who); !ok {
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
