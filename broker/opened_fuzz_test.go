package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"vaguemestre/schemas"
)

// opened is a plaintext as if seal had opened it.
type opened struct{ b []byte }

func (opened) Signer() string      { return strings.Repeat("a", 40) }
func (opened) SignedAt() time.Time { return time.Time{} }
func (opened) SessionKey() string  { return "9:00" }
func (o opened) Size() int64       { return int64(len(o.b)) }
func (o opened) Reader(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(o.b)), nil
}

// smallBody is a whole body without pieces, and with one.
func smallBody(t testing.TB, pieces bool) []byte {
	t.Helper()
	document, err := os.ReadFile("../schemas/testdata/good/transmission_correction.json")
	if err != nil {
		t.Fatal(err)
	}
	in, acte := someInner(), someActe()
	in.Kind, in.Schema = schemas.Transmission, "transmission/1"
	acte.Kind, acte.DocumentSHA256, acte.PiecesSHA256 = in.Kind, Digest(document), []string{}
	acte.To, acte.Cc, acte.ID = in.To, in.Cc, in.ID
	type named struct {
		name, ctype string
		b           []byte
	}
	list := []named{{PartText, typeText, []byte("bonjour")}, {PartInner, typeJSON, in.Encode()}, {PartDocument, typeJSON, document}}
	if pieces {
		list = append(list, named{"piece-01.pdf", "application/pdf", []byte("%PDF-")})
		acte.PiecesSHA256 = []string{Digest([]byte("%PDF-"))}
	}
	list = append(list, named{PartActe, typeJSON, acte.Encode()})
	var out bytes.Buffer
	w := newEntityWriter(&out)
	for _, p := range list {
		if _, err := w.bytes(p.name, p.ctype, p.b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.finish(true); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// headerFor is the header that would fit a body, as far as it has any: so that
// the fuzzer passes beyond the first comparison.
func headerFor(names []string, parts [][]byte) Header {
	h := someHeader()
	for i, n := range names {
		switch name, _, _ := strings.Cut(n, " "); name {
		case PartSums:
			h.ContentSHA256 = Digest(parts[i])
		case PartInner:
			if in, err := ParseInner(parts[i]); err == nil {
				content := h.ContentSHA256
				h = in.Header
				h.ContentSHA256, h.BodySHA256, h.BodySize = content, someDigest, 12
			}
		}
	}
	return h
}

// FuzzReadOpened: a body that is read is in the one form, its digest list is
// that of its parts, and its acte is that of its document.
func FuzzReadOpened(f *testing.F) {
	f.Add(smallBody(f, false))
	f.Add(smallBody(f, true))
	f.Add(someEntity(f, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		names, parts, wrong := walk(bytes.NewReader(b))
		c, err := ReadOpened(context.Background(), opened{b}, headerFor(names, parts))
		var r *Refusal
		if err != nil && !errors.As(err, &r) {
			t.Fatalf("refused as %v", err)
		}
		if err != nil && r.Code != ReasonInvalid {
			return
		}
		if wrong != nil || !bytes.Equal(rewrite(names, parts), b) {
			t.Fatal("read in another form")
		}
		var sums strings.Builder
		for i, n := range names[:len(names)-1] {
			name, _, _ := strings.Cut(n, " ")
			fmt.Fprintf(&sums, "%s  %s\n", Digest(parts[i]), name)
			if name == PartDocument && c.Acte.DocumentSHA256 != Digest(parts[i]) {
				t.Fatal("the acte of another document")
			}
		}
		if sums.String() != string(parts[len(parts)-1]) {
			t.Fatal("the digests of other parts")
		}
	})
}

// A body that the fuzzer begins with is whole: else it would find nothing.
func TestSmallBodyIsWhole(t *testing.T) {
	b := smallBody(t, false)
	names, parts, err := walk(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOpened(context.Background(), opened{b}, headerFor(names, parts)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadOpenedEvidence(context.Background(), opened{smallAct(t)}); err != nil {
		t.Fatal(err)
	}
}

// smallAct is a whole evidence of a person, as it travels sealed.
func smallAct(t testing.TB) []byte {
	t.Helper()
	d := someDetail()
	e := someEvidence(d.Event)
	e.ID, e.Recipient, e.HeaderSHA256, e.DetailSHA256 = d.ID, d.Recipient, d.HeaderSHA256, Digest(d.Encode())
	var out bytes.Buffer
	w := newEntityWriter(&out)
	_, err := w.bytes(PartEvidence, typeJSON, e.Encode())
	if err == nil {
		_, err = w.bytes(PartEvidenceSig, typeSig, []byte("signature"))
	}
	if err == nil {
		_, err = w.bytes(PartDetail, typeJSON, d.Encode())
	}
	if err == nil {
		_, err = w.finish(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// FuzzReadOpenedEvidence: an act that is read has the detail of its digest, and
// every part in the one form.
func FuzzReadOpenedEvidence(f *testing.F) {
	f.Add(smallAct(f))
	f.Add(smallBody(f, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ReadOpenedEvidence(context.Background(), opened{b})
		if err != nil {
			var r *Refusal
			if !errors.As(err, &r) && !errors.Is(err, ErrFormat) {
				t.Fatalf("refused as %v", err)
			}
			return
		}
		if Digest(o.DetailRaw) != o.Evidence.DetailSHA256 || !bytes.Equal(o.Evidence.Encode(), o.Bytes) || !bytes.Equal(o.Detail.Encode(), o.DetailRaw) {
			t.Fatal("read otherwise than written")
		}
	})
}
