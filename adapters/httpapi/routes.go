package httpapi

import (
	"net/http"
	"path"
	"slices"
	"strings"

	"vaguemestre/broker"
)

// route is one row of the table of routes.
type route struct {
	method, path string
	right        broker.Right // "" is open to all
	local        bool         // the operator's, on Local only
	alone        bool         // no party is concerned
	serve        func(*API, *exchange) error
}

// routes is the only list of them. It is built afresh so that nobody can
// change it.
func routes() []route {
	return []route{
		{method: "POST", path: "/v1/messages", right: broker.RightSend, serve: (*API).submit},
		{method: "GET", path: "/v1/messages", right: broker.RightRead, serve: (*API).list},
		{method: "GET", path: "/v1/messages/{id}", right: broker.RightRead, serve: (*API).message},
		{method: "GET", path: "/v1/messages/{id}/summary", right: broker.RightRead, serve: (*API).summary},
		{method: "GET", path: "/v1/messages/{id}/document", right: broker.RightRead, serve: (*API).document},
		{method: "GET", path: "/v1/messages/{id}/pieces/{n}", right: broker.RightRead, serve: (*API).piece},
		{method: "GET", path: "/v1/messages/{id}/evidences", right: broker.RightRead, serve: (*API).evidences},
		{method: "POST", path: "/v1/messages/{id}/acts", right: broker.RightAct, serve: (*API).act},
		{method: "GET", path: "/v1/messages/{id}/export", right: broker.RightExport, serve: (*API).export},

		{method: "GET", path: "/v1/journal/head", right: broker.RightAudit, alone: true, serve: (*API).journalHead},
		{method: "GET", path: "/v1/journal/entries", right: broker.RightAudit, alone: true, serve: (*API).journalEntries},
		{method: "GET", path: "/v1/journal/proofs", right: broker.RightAudit, alone: true, serve: (*API).journalProof},
		{method: "GET", path: "/v1/journal/consistency", right: broker.RightAudit, alone: true, serve: (*API).journalConsistency},

		{method: "GET", path: "/v1/kinds", alone: true, serve: (*API).kinds},
		{method: "GET", path: "/v1/kinds/{kind}/schema", alone: true, serve: (*API).kindSchema},
		{method: "GET", path: "/openapi.json", alone: true, serve: (*API).openAPI},

		{method: "GET", path: "/admin/v1/messages/{id}/parts", local: true, serve: (*API).parts},
		{method: "POST", path: "/admin/v1/messages/{id}/release", local: true, serve: (*API).release},
		{method: "GET", path: "/admin/v1/tokens", local: true, alone: true, serve: (*API).listTokens},
		{method: "POST", path: "/admin/v1/tokens", local: true, alone: true, serve: (*API).createToken},
		{method: "DELETE", path: "/admin/v1/tokens/{hint}", local: true, alone: true, serve: (*API).revokeToken},
	}
}

// mux serves the table, and answers in our form for whatever is not in it.
func (a *API) mux(local bool) http.Handler {
	mux := http.NewServeMux()
	byPath := map[string][]route{}
	for _, r := range routes() {
		if !r.local || local {
			byPath[r.path] = append(byPath[r.path], r)
		}
	}
	for p, list := range byPath {
		mux.Handle(p, a.around(func(x *exchange) error { return a.dispatch(x, list, local) }))
	}
	if local && a.o.Operator != nil {
		mux.Handle("/admin/v1/", a.o.Operator)
	}
	nowhere := a.around(func(*exchange) error { return newProblem(CodeRoute) })
	mux.Handle("/", nowhere)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p == "" || p[0] != '/' || path.Clean(p) != p {
			nowhere.ServeHTTP(w, r) // no redirection: it would quote what was sent
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// dispatch finds the route of the method, then judges everything that can be
// judged before the body is read.
func (a *API) dispatch(x *exchange, list []route, local bool) error {
	i := slices.IndexFunc(list, func(r route) bool { return r.method == x.r.Method })
	if i < 0 {
		p := newProblem(CodeMethod)
		methods := []string{}
		for _, r := range list {
			methods = append(methods, r.method)
		}
		p.allow = strings.Join(methods, ", ")
		return p
	}
	r := list[i]
	judge := a.judgeToken
	if local {
		judge = a.judgeLocal
	}
	if err := judge(x, r); err != nil {
		return err
	}
	leave, ok := a.courses.enter(x.caller.token)
	if !ok {
		return newProblem(CodeRate).hint("this token has as many requests in course as one may have: wait for their answers").retry(retryCourse)
	}
	defer leave()
	if r.method != http.MethodPost && x.r.ContentLength != 0 {
		return newProblem(CodeRequest).hint("this method takes no body")
	}
	if r.method == http.MethodPost && a.draining.Load() && !r.local {
		return newProblem(CodeDraining).retry(retrySpace)
	}
	return r.serve(a, x)
}
