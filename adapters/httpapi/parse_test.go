package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"vaguemestre/adapters/httpapi"
)

const goodMessage = `{"kind":"suites","to":["ase-59"],"cc":[],"urgency":"U2","thread":"01981c0e-1111-7222-8333-444444444444","actor":{"name":"GABARIT Sacha","function":"greffière"},"document":{"a": 1}}`

// The JSON around a document has one reading: whatever two readers could take
// for two messages is refused, and its place named, never its value.
func TestMessageIsReadStrictly(t *testing.T) {
	kind, document, faults := httpapi.ParseMessage([]byte(goodMessage))
	if kind != "suites" || string(document) != `{"a": 1}` || len(faults) != 0 {
		t.Fatalf("%q %q %v", kind, document, faults)
	}
	for text, want := range map[string]string{
		``:                                 " syntaxe",
		`[]`:                               " syntaxe",
		`{"kind":"a"} {}`:                  " syntaxe",
		`{"kind":"a",}`:                    " syntaxe",
		"{\"kind\":\"\xff\"}":              " utf8",
		`{"kind":"a","kind":"b"}`:          "kind doublon",
		`{"Kind":"a"}`:                     "kind casse",
		`{"\u004bind":"a"}`:                "kind casse",
		`{"kind":null}`:                    "kind null",
		`{"kind":1}`:                       "kind type",
		`{"kind":""}`:                      "kind vide",
		`{"kind":"a","Camille EXEMPLE":1}`: "?2 inconnu",
		`{"kind":"\ud800"}`:                "kind utf8",
		`{"kind":"\udc00\ud800"}`:          "kind utf8",
		`{"kind":"a","to":"ase-59"}`:       "to type",
		`{"kind":"a","to":[1]}`:            "to[0] type",
		`{"kind":"a","to":[null]}`:         "to[0] type",
		`{"kind":"a"}`:                     "document obligatoire",
		`{"kind":"a","actor":[]}`:          "actor type",
		`{"kind":"a","actor":{"nom":"x"}}`: "actor.?1 inconnu",
		`{"kind":"a","actor":{}}`:          "actor.name obligatoire",
		`{"kind":"a","document":"{}"}`:     "document type",
		`{"kind":"a","document":null}`:     "document null",
		`{"kind":"a","to":[` + strings.Repeat(`"x",`, 64) + `"x"]}`: "to trop",
	} {
		_, _, faults := httpapi.ParseMessage([]byte(text))
		if !slices.Contains(faults, want) {
			t.Errorf("%.60s: %v, want %q", text, faults, want)
		}
		if strings.Contains(strings.Join(faults, " "), "Camille") {
			t.Error("a name was repeated")
		}
	}
	if _, _, faults := httpapi.ParseMessage([]byte(`{"kind":"\ud83d\ude00"}`)); slices.Contains(faults, "kind utf8") {
		t.Error("a whole pair was refused")
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte(goodMessage))
	f.Add([]byte(`{"kind":"\ud800","actor":{"name":"a","name":"b"}}`))
	f.Add([]byte(`{"document":{"document":{}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		kind, document, faults := httpapi.ParseMessage(text)
		if len(faults) > 0 {
			return
		}
		if !utf8.Valid(text) || !json.Valid(text) || !json.Valid(document) || kind == "" {
			t.Error("accepted what is no message")
		}
		if !bytes.Contains(text, document) {
			t.Error("the document is not as it came")
		}
	})
}

func FuzzAct(f *testing.F) {
	f.Add([]byte(`{"event":"registered","actor":{"name":"GABARIT Sacha"},"done_at":"2026-11-20T10:00:00+01:00","number":"1"}`))
	f.Add([]byte(`{"event":"returned","done_at":"2026-13-20T10:00:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if a, faults := httpapi.ParseAct(text); len(faults) == 0 && (a.Event == "" || a.Actor.Name == "" || a.Basis != "declared") {
			t.Error("accepted what is no act")
		}
	})
}

func FuzzRelease(f *testing.F) {
	f.Add([]byte(`{"actor":{"name":"GABARIT Sacha"},"reason":"confirmé"}`))
	f.Add([]byte(`{"actor":{"name":"a"},"reason":"b","event":"consigned"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, faults := httpapi.ParseRelease(text); len(faults) == 0 && (r.Reason == "" || r.Actor.Name == "" || r.Basis != "declared") {
			t.Error("accepted what is no release")
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(httpapi.Cursor("received", "01981c0e-1111-7222-8333-444444444444"), "received")
	f.Add("AAAA", "sent")
	f.Fuzz(func(t *testing.T, s, box string) {
		id, err := httpapi.ParseCursor(s, box)
		if err == nil && (!httpapi.IsID(id) || httpapi.Cursor(box, id) != s) {
			t.Error("two spellings of one cursor")
		}
	})
}

func FuzzToken(f *testing.F) {
	secret, _, _, err := httpapi.NewToken(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(secret)
	f.Add("vmt_" + strings.Repeat("_", 43))
	f.Add(secret[:46] + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		digest, err := httpapi.ParseToken(s)
		if err == nil && (len(s) != 47 || len(digest) != 64 || strings.ContainsAny(s, " \r\n=+/")) {
			t.Errorf("accepted %d characters", len(s))
		}
	})
}

// FuzzUpload gives a handler any body as a form: it answers, keeps nothing that
// is not whole, and never panics.
func FuzzUpload(f *testing.F) {
	tn := newTown(f, nil)
	h := tn.apis[nord].Public()
	e, pdf := alert(f)
	body, ctype := form(f, e, pdf)
	boundary := strings.TrimPrefix(ctype, "multipart/form-data; boundary=")
	good := strings.ReplaceAll(body.String(), boundary, "x")
	f.Add([]byte(good))
	f.Add([]byte(good[:len(good)/2]))
	f.Add([]byte(strings.Replace(good, "Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64", 1)))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := httptest.NewRequest("POST", "/v1/messages", io.NopCloser(bytes.NewReader(text)))
		r.ContentLength = int64(len(text))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		r.Header.Set("Idempotency-Key", "k")
		r.Header.Set("Authorization", "Bearer "+tn.secrets[ase])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 500 || w.Code == 201 && !bytes.Contains(text, []byte("--x--")) {
			t.Errorf("status %d", w.Code)
		}
	})
}

// What a caller accepts is chosen as RFC 9110 says.
func TestNegotiate(t *testing.T) {
	offers := []string{"application/json", "text/plain"}
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "text/plain": "text/plain", "text/*": "text/plain",
		"text/plain, application/json": "application/json", "text/plain;q=0.9, application/json;q=0.1": "text/plain",
		"application/json;q=0, */*": "text/plain", "image/png": "", "text/html;level=1": "", "application/json;q=0": "", ";;": "",
	} {
		got, err := httpapi.Negotiate([]string{accept}, offers...)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: %q, %v", accept, got, err)
		}
	}
}
