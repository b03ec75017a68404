package httpapi

import (
	_ "embed"
	"net/http"

	"vaguemestre/broker"
	"vaguemestre/schemas"
)

// openapi.json describes every route that applications have; a test holds it
// to the table of routes.
//
//go:embed openapi.json
var openapiDocument []byte

func (a *API) openAPI(x *exchange) error {
	return x.bytes(typeJSON, broker.Digest(openapiDocument), openapiDocument)
}

// kindView is one kind of document: who may send it to whom, by which text.
type kindView struct {
	Kind     schemas.Kind   `json:"kind"`
	Schema   string         `json:"schema"`
	Label    string         `json:"label"` // French
	Urgency  string         `json:"urgency"`
	Routes   []kindRoute    `json:"routes"`
	Answers  []schemas.Kind `json:"answers"`
	ClosedBy []string       `json:"closed_by"`
}

type kindRoute struct {
	From    schemas.Role `json:"from"`
	To      schemas.Role `json:"to"`
	Copy    bool         `json:"copy"`
	Article string       `json:"article"`
}

func (a *API) kinds(x *exchange) error {
	out := struct {
		Items []kindView `json:"items"`
	}{[]kindView{}}
	for _, k := range schemas.Kinds() {
		v := kindView{Kind: k.Kind, Schema: k.Schema, Label: k.Label, Urgency: k.Urgency, Routes: []kindRoute{}, Answers: list(k.Answers), ClosedBy: list(k.ClosedBy)}
		for _, r := range k.Routes {
			v.Routes = append(v.Routes, kindRoute{r.From, r.To, r.Copy, r.Article})
		}
		out.Items = append(out.Items, v)
	}
	return x.answer(http.StatusOK, out)
}

func (a *API) kindSchema(x *exchange) error {
	text := schemas.JSONSchema(schemas.Kind(x.r.PathValue("kind")))
	if text == nil {
		return newProblem(CodeKind)
	}
	return x.bytes("application/schema+json", broker.Digest(text), text)
}
