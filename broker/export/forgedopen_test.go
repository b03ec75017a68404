package export_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

// seal seals a message as its author would, at another time, and gives its
// session key.
func (f *forger) seal(name string, entity []byte, by string, at time.Time, to ...string) (sessionKey string) {
	f.t.Helper()
	ctx := context.Background()
	var out bytes.Buffer
	w, err := f.keys.Seal(ctx, &out, by, to, at)
	if err == nil {
		_, err = w.Write(entity)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	o, err := f.keys.Open(ctx, bytes.NewReader(out.Bytes()), int64(out.Len()), by, by)
	if err != nil {
		f.t.Fatal(err)
	}
	f.files[name] = out.Bytes()
	return o.SessionKey()
}

// remake signs again everything that follows from another body.pgp.
func (f *forger) remake(sessionKey string, content []byte) {
	f.t.Helper()
	h := f.header()
	h.BodySHA256, h.BodySize, h.ContentSHA256 = broker.Digest(f.files["body.pgp"]), int64(len(f.files["body.pgp"])), broker.Digest(content)
	f.files["header.json"] = h.Encode()
	f.sign("header.json", string(ase), h.Sent())
	for name := range f.files { // acts name the header inside their seal: left out
		if strings.Contains(name, "04-opened") || strings.Contains(name, "05-taken") || name == "leaf/04.json" || name == "leaf/05.json" {
			delete(f.files, name)
		}
	}
	delete(f.place, 4)
	delete(f.place, 5)
	for _, name := range f.facts()[1:] {
		f.edit(name, "", func(e *broker.Evidence) { e.HeaderSHA256 = broker.Digest(f.files["header.json"]) })
	}
	f.files["open/session-key.txt"] = []byte(sessionKey + "\n")
	f.inscribe()
}

func TestForgedOpenings(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{Open: true})
	const act = "04-opened-parquet-lille"
	all := []string{string(parquet), string(juge)}
	// altered seals message.eml anew after a change in one of its parts.
	altered := func(part, old, new string) func(f *forger) {
		return func(f *forger) {
			entity, parts := reseal(f, part, old, new)
			f.files["open/message.eml"] = entity
			f.remake(f.seal("body.pgp", entity, string(ase), f.header().Sent(), all...), parts)
		}
	}
	cases := []forgery{
		{"a body sealed by another", "body.pgp", "not signed by the one", func(f *forger) {
			f.remake(f.seal("body.pgp", f.files["open/message.eml"], string(juge), f.header().Sent(), string(parquet), string(ase)), f.files["open/parts/SHA256SUMS"])
		}},
		{"a body sealed an hour before", "body.pgp", "date of its signature", func(f *forger) {
			f.remake(f.seal("body.pgp", f.files["open/message.eml"], string(ase), f.header().Sent().Add(-time.Hour), all...), f.files["open/parts/SHA256SUMS"])
		}},
		{"another content than the header names", "body.pgp", broker.ReasonAltered, func(f *forger) {
			f.remake(f.seal("body.pgp", f.files["open/message.eml"], string(ase), f.header().Sent(), all...), []byte("other"))
		}},
		{"an inner header that differs", "body.pgp", broker.ReasonHeaderDiffers, altered("inner.json", `"urgency":"U0"`, `"urgency":"U2"`)},
		{"an inner header with other recipients", "body.pgp", broker.ReasonHeaderDiffers, altered("inner.json", `"cc":["je-lille"]`, `"cc":[]`)},
		{"an acte of another kind", "body.pgp", broker.ReasonActe, altered("acte.json", `"kind":"signalement"`, `"kind":"suites"`)},
		{"an acte for other recipients", "body.pgp", broker.ReasonActe, altered("acte.json", `"cc":["je-lille"]`, `"cc":[]`)},
		{"a passkey without its assertion", "body.pgp", broker.ReasonActe, altered("acte.json", `"basis":"declared"`, `"basis":"passkey"`)},
		{"nobody who sends", "body.pgp", broker.ReasonActe, altered("acte.json", `"name":"Claude MODÈLE"`, `"name":""`)},
		{"an act sealed an hour later", act + ".detail.pgp", "date of its signature", func(f *forger) {
			name := "evidence/" + act + ".detail.pgp"
			o, err := f.keys.Open(context.Background(), bytes.NewReader(f.files[name]), int64(len(f.files[name])), string(parquet), string(parquet))
			if err != nil {
				f.t.Fatal(err)
			}
			r, err := o.Reader(context.Background())
			if err != nil {
				f.t.Fatal(err)
			}
			entity, err := io.ReadAll(r)
			if err != nil {
				f.t.Fatal(err)
			}
			key := f.seal(name, entity, string(parquet), o.SignedAt().Add(time.Hour), string(ase))
			f.files["open/evidence/"+act+"/session-key.txt"] = []byte(key + "\n")
			f.inscribe()
		}},
		{"an act that seals another signature", act + ".detail.pgp", "this evidence and its signature", func(f *forger) {
			e, err := broker.ParseEvidence(f.files["evidence/"+act+".json"])
			if err != nil {
				f.t.Fatal(err)
			}
			f.sign("evidence/"+act+".json", string(parquet), e.SignedAt().Add(3*time.Second))
			f.inscribe()
		}},
	}
	runForgeries(t, w, dir, slow(), cases)
}

// reseal makes the entity again with one part altered and SHA256SUMS honest.
func reseal(f *forger, part, old, new string) (entity, sums []byte) {
	f.t.Helper()
	b := f.files["open/parts/"+part]
	if !bytes.Contains(b, []byte(old)) {
		f.t.Fatalf("%s holds no %q", part, old)
	}
	f.files["open/parts/"+part] = bytes.Replace(b, []byte(old), []byte(new), 1)
	var out, list strings.Builder
	out.WriteString("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_vaguemestre_1\"\r\n\r\n")
	for _, p := range []struct{ name, kind string }{
		{"document.txt", "text/plain; charset=utf-8"}, {"inner.json", "application/json"}, {"document.json", "application/json"},
		{"piece-01.pdf", "application/pdf"}, {"acte.json", "application/json"}, {"SHA256SUMS", "text/plain; charset=us-ascii"},
	} {
		if p.name == "SHA256SUMS" {
			f.files["open/parts/SHA256SUMS"] = []byte(list.String())
		}
		content := f.files["open/parts/"+p.name]
		fmt.Fprintf(&list, "%s  %s\n", broker.Digest(content), p.name)
		fmt.Fprintf(&out, "--=_vaguemestre_1\r\nContent-Type: %s\r\nContent-Disposition: attachment; filename=\"%s\"\r\nContent-Transfer-Encoding: base64\r\n\r\n", p.kind, p.name)
		for text := base64.StdEncoding.EncodeToString(content); text != ""; {
			n := min(76, len(text))
			out.WriteString(text[:n] + "\r\n")
			text = text[n:]
		}
	}
	out.WriteString("--=_vaguemestre_1--\r\n")
	return []byte(out.String()), f.files["open/parts/SHA256SUMS"]
}
