package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// description is openapi.json, read.
type description struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema // guarded by mu
}

var described1 = sync.OnceValues(func() (*description, error) {
	text, err := os.ReadFile("openapi.json")
	if err != nil {
		return nil, err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("urn:openapi", v); err != nil {
		return nil, err
	}
	return &description{doc: v.(map[string]any), compiler: c, compiled: map[string]*jsonschema.Schema{}}, nil
})

func theDescription(t testing.TB) *description {
	t.Helper()
	d, err := described1()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// schema compiles the schema at a JSON pointer.
func (d *description) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s, ok := d.compiled[pointer]; ok {
		return s, nil
	}
	s, err := d.compiler.Compile("urn:openapi#" + pointer)
	if err == nil {
		d.compiled[pointer] = s
	}
	return s, err
}

func escape(token string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(token)
}

// at walks members, following references.
func (d *description) at(node any, names ...string) (any, bool) {
	for _, n := range names {
		m, ok := d.follow(node).(map[string]any)
		if !ok {
			return nil, false
		}
		if node, ok = m[n]; !ok {
			return nil, false
		}
	}
	return d.follow(node), true
}

func (d *description) follow(node any) any {
	m, ok := node.(map[string]any)
	if !ok {
		return node
	}
	to, ok := m["$ref"].(string)
	if !ok {
		return node
	}
	var target any = d.doc
	for _, n := range strings.Split(strings.TrimPrefix(to, "#/"), "/") {
		target = target.(map[string]any)[n]
	}
	return target
}

// template finds the described path of a request.
func (d *description) template(path string) string {
	path, _, _ = strings.Cut(path, "?")
	want := strings.Split(path, "/")
	for p := range d.doc["paths"].(map[string]any) {
		have := strings.Split(p, "/")
		if len(have) == len(want) && !slices.ContainsFunc(want, func(s string) bool { return s == "" && path[0] != '/' }) {
			same := true
			for i := range have {
				same = same && (have[i] == want[i] || strings.HasPrefix(have[i], "{"))
			}
			if same {
				return p
			}
		}
	}
	return ""
}

// described holds an answer to the description: its status, its type, its body.
func described(t testing.TB, method, path string, a answer) {
	t.Helper()
	d := theDescription(t)
	if a.header.Get(httpapi.HeaderRequest) == "" || a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Server") != "" {
		t.Errorf("%s: the headers that every answer has: %v", method, a.header)
	}
	if strings.HasPrefix(path, "/admin/") && a.status != 404 {
		return // the operator's: docs/api.md describes them
	}
	p := d.template(path)
	if a.status == http.StatusMethodNotAllowed {
		p = "" // of no operation
	}
	op, ok := d.at(d.doc, "paths", p, strings.ToLower(method))
	if p == "" || !ok {
		if a.status != 404 && a.status != 405 {
			t.Errorf("%s of a route that is not described: %d", method, a.status)
		}
		return
	}
	response, ok := d.at(op, "responses", fmt.Sprint(a.status))
	if !ok {
		t.Errorf("%s %s: status %d is not described: %s", method, p, a.status, a.body)
		return
	}
	ctype, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	content, ok := d.at(response, "content")
	if !ok {
		if len(a.body) > 0 {
			t.Errorf("%s %s %d: a body is not described", method, p, a.status)
		}
		return
	}
	if _, ok := d.at(content, ctype); !ok {
		t.Errorf("%s %s %d: type %q is not described", method, p, a.status, ctype)
		return
	}
	if !strings.HasSuffix(ctype, "json") {
		return
	}
	pointer := fmt.Sprintf("/paths/%s/%s/responses/%d/content/%s/schema", escape(p), strings.ToLower(method), a.status, escape(ctype))
	if ctype == "application/problem+json" {
		pointer = "/components/schemas/Problem"
	}
	s, err := d.schema(pointer)
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(a.body))
	if err != nil {
		t.Fatalf("%s %s %d: %v", method, p, a.status, err)
	}
	if err := s.Validate(v); err != nil {
		t.Errorf("%s %s %d: not as described: %v", method, p, a.status, err)
	}
}

// The table of routes and the description are the same list, both ways, with
// the same right on each, and the same codes.
func TestDescriptionHoldsTheRoutes(t *testing.T) {
	d := theDescription(t)
	served := map[string]string{}
	for _, r := range httpapi.PublicRoutes() {
		served[strings.ToLower(r.Method)+" "+r.Path] = r.Right
	}
	told := map[string]string{}
	for p, methods := range d.doc["paths"].(map[string]any) {
		for m := range methods.(map[string]any) {
			right := ""
			security, ok := d.at(d.doc, "paths", p, m, "security")
			if !ok {
				t.Errorf("%s %s: says nothing of who may call", m, p)
			}
			if list := security.([]any); len(list) > 0 {
				right = list[0].(map[string]any)["token"].([]any)[0].(string)
			}
			told[m+" "+p] = right
			if id, _ := d.at(d.doc, "paths", p, m, "operationId"); id == nil {
				t.Errorf("%s %s: no operationId", m, p)
			}
			if body, ok := d.at(d.doc, "paths", p, m, "requestBody", "content"); ok && len(body.(map[string]any)) != 1 {
				t.Errorf("%s %s: generators keep one form of a body, and choose it", m, p)
			}
		}
	}
	if fmt.Sprint(served) != fmt.Sprint(told) {
		t.Errorf("served: %v\ndescribed: %v", served, told)
	}
	codes, _ := d.at(d.doc, "components", "schemas", "Problem", "properties", "code", "enum")
	var listed []string
	for _, c := range codes.([]any) {
		listed = append(listed, c.(string))
	}
	want := httpapi.Codes()
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("codes described: %v\nserved: %v", listed, want)
	}
	rights, _ := d.at(d.doc, "components", "securitySchemes", "token", "description")
	for _, r := range broker.Rights() {
		if !strings.Contains(rights.(string), string(r)) {
			t.Errorf("the right %s is not described", r)
		}
	}
	events, _ := d.at(d.doc, "components", "schemas", "Event", "enum")
	if len(events.([]any)) != len(broker.EventTable()) {
		t.Errorf("%d events described, %d in the table", len(events.([]any)), len(broker.EventTable()))
	}
}

// Every schema of the description is one by the meta-schema of its draft, and
// the frame around them has the shape of OpenAPI 3.1.
func TestDescriptionIsOpenAPI(t *testing.T) {
	d := theDescription(t)
	meta, err := jsonschema.NewCompiler().Compile("https://json-schema.org/draft/2020-12/schema")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	var walk func(node any, path string)
	walk = func(node any, path string) {
		switch n := node.(type) {
		case []any:
			for i, e := range n {
				walk(e, fmt.Sprintf("%s/%d", path, i))
			}
		case map[string]any:
			if to, ok := n["$ref"].(string); ok {
				if target := d.follow(n); target == nil || !strings.HasPrefix(to, "#/components/") {
					t.Errorf("%s: leads nowhere", path)
				}
			}
			for name, e := range n {
				if name == "schema" || path == "/components/schemas" {
					count++
					if err := meta.Validate(e); err != nil {
						t.Errorf("%s/%s: not a schema: %v", path, name, err)
					}
				}
				walk(e, path+"/"+name)
			}
		}
	}
	walk(d.doc, "")
	if count < 50 {
		t.Errorf("only %d schemas were looked at", count)
	}
	frame, err := os.ReadFile("testdata/openapi-frame.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(frame))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:frame", v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:frame")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(d.doc); err != nil {
		t.Errorf("the frame: %v", err)
	}
}

// The served document is the file, and its schemas are compiled as they stand.
func TestDescriptionIsServed(t *testing.T) {
	tn := newTown(t, nil)
	a := call(t, tn.servers[nord], request{method: "GET", path: "/openapi.json"})
	file, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if a.status != 200 || !bytes.Equal(a.body, file) || !json.Valid(a.body) {
		t.Errorf("status %d, %d bytes", a.status, len(a.body))
	}
	call(t, tn.servers[nord], request{method: "GET", path: "/v1/kinds"}).into(t, 200, nil)
	call(t, tn.servers[nord], request{method: "GET", path: "/v1/kinds/signalement/schema"}).into(t, 200, nil)
	if a := call(t, tn.servers[nord], request{method: "GET", path: "/v1/kinds/inconnu/schema"}); a.code(t) != httpapi.CodeKind {
		t.Errorf("an unknown kind: %d", a.status)
	}
}
