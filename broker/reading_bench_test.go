package broker

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"testing"
	"time"

	"vaguemestre/schemas"
)

// plainBody is an opened body of which only the plaintext exists.
type plainBody []byte

func (plainBody) Signer() string      { return "signer" }
func (plainBody) SignedAt() time.Time { return time.Time{} }
func (plainBody) SessionKey() string  { return "" }
func (p plainBody) Size() int64       { return int64(len(p)) }

func (p plainBody) Reader(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(p)), nil
}

// someContent is a document with one piece, as a submission and as a header.
func someContent(t testing.TB) (*submission, []byte) {
	t.Helper()
	const document = `{"enfants":[{"nom":"EXEMPLE","prenoms":"Camille","sexe":"feminin","date_naissance":"2019-05-03"}],` +
		`"autorite_parentale":[{"nom":"EXEMPLE","prenoms":"Claude","lien":"mere"}],` +
		`"condition":"danger_grave_immediat","danger":["sante"],"faits":{"date":"2026-11-20","constates":"Faits fictifs."},` +
		`"demande":["opp"],"auteur":{"nom":"MODÈLE Alix","telephone":"03 00 00 00 01"},"signataire":{"nom":"SPÉCIMEN Dominique"},` +
		`"pieces":[{"titre":"Rapport fictif","type_mime":"application/pdf","role":"rapport","communication":"communicable"}]}`
	doc, err := schemas.Parse(schemas.Signalement, schemas.NewPlain([]byte(document)))
	if err != nil {
		t.Fatal(err)
	}
	row, _ := schemas.Lookup(schemas.Signalement)
	s := &submission{doc: doc, row: row, thread: someID}
	s.Kind, s.Actor, s.Basis = schemas.Signalement, Actor{Name: "MODÈLE Alix", Function: "cadre"}, Declared
	return s, bytes.Repeat([]byte("%PDF-1.4 fictif\n"), 192)
}

func BenchmarkCompose(b *testing.B) {
	s, piece := someContent(b)
	br := &Broker{maxBody: 1 << 20, rand: rand.Reader}
	b.ReportAllocs()
	for b.Loop() {
		h := someHeader()
		s.Pieces = []io.Reader{bytes.NewReader(piece)}
		if _, err := br.compose(io.Discard, s, &h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadBody(b *testing.B) {
	s, piece := someContent(b)
	br := &Broker{maxBody: 1 << 20, rand: rand.Reader}
	h := someHeader()
	s.Pieces = []io.Reader{bytes.NewReader(piece)}
	var out bytes.Buffer
	if _, err := br.compose(&out, s, &h); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readBody(context.Background(), plainBody(out.Bytes()), h); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsers(b *testing.B) {
	for _, name := range []string{"header", "inner", "acte", "evidence"} {
		parse, in := parsers()[name], samples()[name][0]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCopyExactly(b *testing.B) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 700)
	digest := Digest(body)
	b.ReportAllocs()
	for b.Loop() {
		var dst bytes.Buffer
		if err := copyExactly(&dst, bytes.NewReader(body), int64(len(body)), digest); err != nil {
			b.Fatal(err)
		}
	}
}
