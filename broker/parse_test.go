package broker

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"vaguemestre/schemas"
)

const (
	someID     = "01939f3c-7a00-7aaa-8bbb-0123456789ab"
	someDigest = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	someTime   = "2026-11-20T22:41:07.123Z"
)

func someHeader() Header {
	return Header{
		V: 1, Notice: NoticeDemo, ID: someID, From: "ase-59", To: []PartyID{"parquet-lille"}, Cc: []PartyID{"je-lille"}, Urgency: U0, SentAt: someTime,
		ContentSHA256: someDigest, BodySHA256: someDigest, BodySize: 12,
	}
}

func someEvidence(e Event) Evidence {
	row, _ := LookupEvent(e)
	out := Evidence{
		V: 1, Event: e, ID: someID, Recipient: "parquet-lille", At: someTime, By: "parquet-lille", Home: "courrier-justice-lille",
		HeaderSHA256: someDigest, Prev: []string{someDigest},
		Log: LogHead{Broker: "courrier-justice-lille", Origin: "courrier-justice-lille/log/" + someDigest[:32], Size: 7, Root: someDigest},
	}
	if row.ForAll {
		out.Recipient = ""
	}
	if len(row.Reasons) > 0 {
		out.ReasonCode = row.Reasons[0]
	}
	if row.Detail {
		out.DetailSHA256 = someDigest
	}
	if row.Date {
		out.DoneAt = someTime
	}
	return out
}

func someInner() Inner {
	return Inner{Header: someHeader(), Kind: schemas.Signalement, Schema: "signalement/1", Thread: someID, ReplyTo: someID, Salt: someDigest}
}

func someActe() Acte {
	return Acte{
		V: 1, Salt: someDigest, ID: someID, To: []PartyID{"parquet-lille"}, Kind: schemas.Signalement, Basis: Declared,
		Actor: Actor{Name: "MODÈLE \"Alix\" \\ \n", Function: "cadre"}, DocumentSHA256: someDigest, PiecesSHA256: []string{someDigest},
	}
}

func someDetail() Detail {
	return Detail{V: 1, Salt: someDigest, Event: Opened, ID: someID, Recipient: "parquet-lille", HeaderSHA256: someDigest, Actor: Actor{Name: "SPÉCIMEN\tDominique"}, Basis: Declared, Reason: "\x01\u2028é"}
}

// parsers are all that read signed JSON, with how it is written again.
func parsers() map[string]func([]byte) ([]byte, error) {
	return map[string]func([]byte) ([]byte, error){
		"header":   func(b []byte) ([]byte, error) { v, err := ParseHeader(b); return v.Encode(), err },
		"evidence": func(b []byte) ([]byte, error) { v, err := ParseEvidence(b); return v.Encode(), err },
		"inner":    func(b []byte) ([]byte, error) { v, err := ParseInner(b); return v.Encode(), err },
		"acte":     func(b []byte) ([]byte, error) { v, err := ParseActe(b); return v.Encode(), err },
		"detail":   func(b []byte) ([]byte, error) { v, err := ParseDetail(b); return v.Encode(), err },
	}
}

func samples() map[string][][]byte {
	out := map[string][][]byte{
		"header": {someHeader().Encode()}, "inner": {someInner().Encode()}, "acte": {someActe().Encode()}, "detail": {someDetail().Encode()},
	}
	for _, row := range EventTable() {
		out["evidence"] = append(out["evidence"], someEvidence(row.Event).Encode())
	}
	return out
}

// There is one way to write each value, and it is read.
func TestOneFormOnly(t *testing.T) {
	for name, parse := range parsers() {
		for _, b := range samples()[name] {
			if again, err := parse(b); err != nil || !bytes.Equal(again, b) {
				t.Errorf("%s: %v\n%s\n%s", name, err, b, again)
			}
			for what, bad := range otherForms(b) {
				if _, err := parse(bad); !errors.Is(err, ErrFormat) {
					t.Errorf("%s, %s: %v\n%s", name, what, err, bad)
				}
			}
		}
	}
}

// otherForms are what a lenient reader would take for the same, or for
// something near.
func otherForms(b []byte) map[string][]byte {
	s := string(b)
	once := func(from, to string) []byte { return []byte(strings.Replace(s, from, to, 1)) }
	return map[string][]byte{
		"white space":            once(`,`, `, `),
		"final newline":          []byte(s + "\n"),
		"bytes after":            []byte(s + "x"),
		"another value after":    []byte(s + s),
		"member twice":           once(`{"v":1`, `{"v":1,"v":1`),
		"member in another case": once(`"id"`, `"ID"`),
		"unknown member":         once(`{"v":1`, `{"v":1,"w":1`),
		"null":                   once(`"id":"`+someID+`"`, `"id":null`),
		"escaped ASCII":          once(`"id":"0`, `"id":"\u0030`),
		"escaped solidus":        once(`"id":"`, `"id":"\/`),
		"number as float":        once(`"v":1`, `"v":1.0`),
		"number as exponent":     once(`"v":1`, `"v":1e0`),
		"number as text":         once(`"v":1`, `"v":"1"`),
		"leading zero":           once(`"v":1`, `"v":01`),
		"another version":        once(`"v":1`, `"v":2`),
		"id in upper case":       once(someID, strings.ToUpper(someID)),
		"id of another version":  once("-7aaa-", "-4aaa-"),
		"digest in upper case":   once(someDigest, strings.ToUpper(someDigest)),
		"digest cut":             once(someDigest, someDigest[1:]),
		"invalid UTF-8":          once(`"id":"0`, "\"id\":\"\xff"),
		"NUL":                    once(`"id":"0`, "\"id\":\"\x00"),
		"byte order mark":        []byte("\ufeff" + s),
		"an array":               []byte("[" + s + "]"),
		"cut":                    b[:len(b)-1],
		"nothing":                nil,
		"depth":                  bytes.Repeat([]byte("["), 20_000),
	}
}

// What stands in clear has no byte that a shell could mistake.
func TestClearValuesAreASCII(t *testing.T) {
	for name, b := range map[string][]byte{"header": someHeader().Encode(), "evidence": someEvidence(Opened).Encode()} {
		for _, bad := range []string{`é`, `\\`, `\"`, "\x7f", "\t"} {
			c := bytes.Replace(b, []byte("lille"), []byte("lill"+bad), 1)
			if _, err := parsers()[name](c); !errors.Is(err, ErrFormat) {
				t.Errorf("%s with %q: %v", name, bad, err)
			}
		}
	}
}

func TestRecipientsOfAHeader(t *testing.T) {
	many := func(n int) (list []PartyID) {
		for i := range n {
			list = append(list, PartyID("p-"+string(rune('a'+i))))
		}
		return list
	}
	for name, h := range map[string]Header{
		"none":                {From: "ase-59"},
		"sixteen":             {From: "ase-59", To: many(16)},
		"fifteen and a copy":  {From: "ase-59", To: many(15), Cc: []PartyID{"q"}},
		"not sorted":          {From: "ase-59", To: []PartyID{"b", "a"}},
		"twice":               {From: "ase-59", To: []PartyID{"a", "a"}},
		"in both lists":       {From: "ase-59", To: []PartyID{"a"}, Cc: []PartyID{"a"}},
		"the sender":          {From: "ase-59", To: []PartyID{"ase-59"}},
		"the sender, as copy": {From: "ase-59", To: []PartyID{"a"}, Cc: []PartyID{"ase-59"}},
		"no sender":           {To: []PartyID{"a"}},
		"no id":               {From: "ase-59", To: []PartyID{"../a"}},
	} {
		if err := checkRecipients(h.From, h.To, h.Cc); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := checkRecipients("ase-59", many(14), []PartyID{"q"}); err != nil {
		t.Errorf("fifteen: %v", err)
	}
}

func fuzzJSON(f *testing.F, name string) {
	parse := parsers()[name]
	for _, b := range samples()[name] {
		f.Add(b)
		for _, c := range otherForms(b) {
			f.Add(c)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := parse(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Errorf("read, and written otherwise:\n%q\n%q", b, again)
		}
		if err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("refused as %v", err)
		}
	})
}

func FuzzParseHeader(f *testing.F)   { fuzzJSON(f, "header") }
func FuzzParseEvidence(f *testing.F) { fuzzJSON(f, "evidence") }
func FuzzParseInner(f *testing.F)    { fuzzJSON(f, "inner") }
func FuzzParseActe(f *testing.F)     { fuzzJSON(f, "acte") }
func FuzzParseDetail(f *testing.F)   { fuzzJSON(f, "detail") }
