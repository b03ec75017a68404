package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"sync/atomic"
	"testing"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

// opening counts how often a body is opened.
type opening struct {
	httpapi.Broker
	n *atomic.Int32
}

func (o opening) Read(ctx context.Context, id string, as broker.PartyID) (*broker.Content, error) {
	o.n.Add(1)
	return o.Broker.Read(ctx, id, as)
}

// All that a pli holds comes in one answer, from a body that is opened once; it
// counts as fetched, and applications have no such route.
func TestParts(t *testing.T) {
	var n atomic.Int32
	tn := newTown(t, func(o *httpapi.Options) { o.Broker = opening{o.Broker, &n} })
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	n.Store(0)
	path := "/admin/v1/messages/" + r.ID + "/parts"
	a := call(t, tn.local(justice), request{method: "GET", path: path, header: map[string]string{httpapi.HeaderParty: string(parquet)}})
	_, params, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil || a.status != 200 || n.Load() != 1 {
		t.Fatalf("%d, %v, opened %d times", a.status, err, n.Load())
	}
	parts := multipart.NewReader(bytes.NewReader(a.body), params["boundary"])
	got := map[string][]byte{}
	var names []string
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		got[p.FileName()] = b
		names = append(names, p.FileName())
	}
	var s struct {
		Document string `json:"document_sha256"`
		Pieces   []struct{ SHA256 string }
	}
	if err := json.Unmarshal(got[httpapi.PartSummary], &s); err != nil || len(names) != 4 || len(s.Pieces) != 1 {
		t.Fatalf("%v: %v", err, names)
	}
	if broker.Digest(got[broker.PartDocument]) != s.Document || !bytes.Equal(got["piece-01.pdf"], pdf) || broker.Digest(pdf) != s.Pieces[0].SHA256 || len(got[broker.PartText]) == 0 {
		t.Error("the parts are not those of the pli")
	}
	tn.reaches(ase, r.ID, parquet, broker.Fetched)
	if a := tn.get(parquet, path); a.status != 404 || a.code(t) != httpapi.CodeRoute {
		t.Errorf("an application: %d", a.status)
	}
}
