package httpapi_test

import (
	"context"
	"net/http"
	"testing"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// full is a broker whose disk is below the watermark.
type full struct {
	httpapi.Broker
	journal *journal.Journal
}

func (f full) Journal() *journal.Journal { return f.journal }

func fullJournal(t *testing.T) *journal.Journal {
	t.Helper()
	dir := t.TempDir()
	if err := boltstore.Create(dir, "courrier"); err != nil {
		t.Fatal(err)
	}
	s, err := boltstore.OpenReadOnly(dir)
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.New(s, journal.Options{MinFree: 1 << 62})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close(context.Background()) })
	return j
}

// An export is a copy on the disk of the journal: below the watermark it is
// refused as a submission is, for a full disk ends the broker.
func TestExportOnAFullDisk(t *testing.T) {
	tn := newTown(t, func(o *httpapi.Options) {
		if o.Broker.ID() == nord {
			o.Broker = full{o.Broker, fullJournal(t)}
		}
	})
	e, pdf := alert(t)
	r := tn.send(ase, "k", e, pdf)
	a := tn.get(ase, "/v1/messages/"+r.ID+"/export")
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("an export on a full disk: %d", a.status)
	}
}
