package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/crypto/keyring"
)

// lockable is a broker whose private keys can be locked while it runs.
type lockable struct {
	broker.Keys
	locked *atomic.Bool
}

func (l lockable) Sign(ctx context.Context, owner string, data []byte, now time.Time) ([]byte, string, error) {
	if l.locked.Load() {
		return nil, "", &keyring.NoKeyError{Owner: owner}
	}
	return l.Keys.Sign(ctx, owner, data, now)
}

func (l lockable) Seal(ctx context.Context, dst io.Writer, by string, to []string, now time.Time) (io.WriteCloser, error) {
	if l.locked.Load() {
		return nil, &keyring.NoKeyError{Owner: by}
	}
	return l.Keys.Seal(ctx, dst, by, to, now)
}

func (l lockable) Open(ctx context.Context, src io.ReaderAt, size int64, as, by string) (broker.Unsealed, error) {
	if l.locked.Load() {
		return nil, &keyring.NoKeyError{Owner: as, Encrypt: true}
	}
	return l.Keys.Open(ctx, src, size, as, by)
}

// A broker whose keys are locked asks to come back, for every route that needs
// one, and keeps nothing: above all not in clear.
func TestLocked(t *testing.T) {
	locked := &atomic.Bool{}
	tn := newTownWith(t, func(_ broker.BrokerID, k broker.Keys) broker.Keys { return lockable{k, locked} }, nil)
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	tn.reaches(ase, r.ID, parquet, broker.Consigned)
	tn.quiet()
	before := tn.kept(nord)
	locked.Store(true)
	defer locked.Store(false) // a journal is closed with a signature
	clear := bigPiece(300_000)
	body, ctype := form(t, e, clear)
	for name, a := range map[string]answer{
		"a submission": tn.as(ase, request{method: "POST", path: "/v1/messages", body: body, header: map[string]string{"Content-Type": ctype, "Idempotency-Key": "k2"}}),
		"an act": tn.as(parquet, request{method: "POST", path: "/v1/messages/" + r.ID + "/acts", header: map[string]string{"Content-Type": "application/json"},
			body: jsonBody(t, map[string]any{"event": "taken_in_charge", "actor": map[string]string{"name": "GABARIT Sacha"}})}),
		"a document": tn.get(parquet, "/v1/messages/"+r.ID+"/document"),
		"a piece":    tn.get(parquet, "/v1/messages/"+r.ID+"/pieces/1"),
		"a summary":  tn.get(ase, "/v1/messages/"+r.ID+"/summary"),
	} {
		if a.status != 503 || a.code(t) != httpapi.CodeTemporary || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d, Retry-After %q: %s", name, a.status, a.header.Get("Retry-After"), a.body)
		}
	}
	if after := tn.kept(nord); after != before {
		t.Errorf("left %+v, want %+v", after, before)
	}
	err := filepath.WalkDir(tn.Dir(nord), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("%PDF-1.4 fictif")) {
			t.Errorf("%s holds a piece in clear", d.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	locked.Store(false)
	tn.send(ase, "k2", e, clear)
}
