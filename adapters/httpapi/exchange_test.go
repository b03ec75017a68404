package httpapi_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

// act says something of a pli for a party, and wants it signed.
func (tn *town) act(p broker.PartyID, id string, said map[string]any) {
	tn.t.Helper()
	if said["actor"] == nil {
		said["actor"] = broker.Actor{Name: "GABARIT Sacha", Function: "greffière"}
	}
	a := tn.as(p, request{method: "POST", path: "/v1/messages/" + id + "/acts", body: jsonBody(tn.t, said), header: map[string]string{"Content-Type": "application/json"}})
	a.into(tn.t, http.StatusCreated, nil)
}

// inbox lists what a party received and did nothing about.
func (tn *town) inbox(p broker.PartyID) []message {
	tn.t.Helper()
	var page struct{ Items []message }
	tn.get(p, "/v1/messages?waiting=true").into(tn.t, 200, &page)
	return page.Items
}

// reads takes everything of a pli as an application does, and compares.
func (tn *town) reads(p broker.PartyID, id string, e envelope, pieces ...[]byte) {
	tn.t.Helper()
	a := tn.get(p, "/v1/messages/"+id+"/document")
	a.into(tn.t, 200, nil)
	if !bytes.Equal(a.body, e.Document) || a.header.Get("ETag") != `"`+broker.Digest(e.Document)+`"` {
		tn.t.Error("the document is not the one that was sent")
	}
	if a.header.Get("Vaguemestre-Kind") != e.Kind {
		tn.t.Errorf("kind %q", a.header.Get("Vaguemestre-Kind"))
	}
	text := tn.as(p, request{method: "GET", path: "/v1/messages/" + id + "/document", header: map[string]string{"Accept": "text/plain"}})
	if text.status != 200 || len(text.body) == 0 || json.Valid(text.body) {
		tn.t.Errorf("the document in words: %d", text.status)
	}
	for i, want := range pieces {
		got := tn.get(p, "/v1/messages/"+id+"/pieces/"+string(rune('1'+i)))
		got.into(tn.t, 200, nil)
		if !bytes.Equal(got.body, want) || got.header.Get("ETag") != `"`+broker.Digest(want)+`"` {
			tn.t.Errorf("piece %d is not the one that was sent", i+1)
		}
		if got.header.Get("Content-Disposition") != `attachment; filename="piece-0`+string(rune('1'+i))+`.pdf"` || got.header.Get("Content-Type") != "application/pdf" {
			tn.t.Errorf("piece %d goes out as %v", i+1, got.header)
		}
	}
}

// The whole exchange through the API alone: a signalement with its pieces, the
// order that answers it, what the ASE did of it, the judge's registration and
// decision, and the suites that close it.
func TestExchange(t *testing.T) {
	tn := newTown(t, nil)
	pdf := func(name string) []byte { return paper(t, "pdf/"+name+".pdf") }
	clerk := broker.Actor{Name: "MODÈLE Alix", Function: "inspectrice enfance"}

	// The ASE reports; the parquet finds it among what waits, and reads it all.
	report := envelope{Kind: "signalement", To: []string{string(parquet)}, Urgency: "U0", Actor: clerk, Document: paper(t, "01-signalement.json")}
	r1 := tn.send(ase, "k1", report, pdf("rapport"), pdf("certificat"))
	eventually(t, "the signalement in the inbox", func() bool { return len(tn.inbox(parquet)) == 1 })
	m := tn.inbox(parquet)[0]
	if m.ID != r1.ID || m.From != string(ase) || m.Box != "received" || m.progress(parquet) != "consigned" {
		t.Errorf("the inbox tells %+v", m)
	}
	tn.reads(parquet, r1.ID, report, pdf("rapport"), pdf("certificat"))
	tn.reaches(ase, r1.ID, parquet, broker.Fetched)
	var sum struct {
		Kind, Thread string
		Actor        broker.Actor
		Basis        string
		Pieces       []struct{ Name, Titre, SHA256 string }
	}
	tn.get(parquet, "/v1/messages/"+r1.ID+"/summary").into(t, 200, &sum)
	if sum.Kind != "signalement" || sum.Thread != r1.Thread || sum.Actor != clerk || sum.Basis != "declared" || len(sum.Pieces) != 2 || sum.Pieces[0].Titre == "" {
		t.Errorf("the summary tells %+v", sum)
	}
	tn.act(parquet, r1.ID, map[string]any{"event": "taken_in_charge", "reason": "OPP en cours de rédaction"})
	if left := tn.inbox(parquet); len(left) != 0 {
		t.Errorf("%d plis still wait for the parquet", len(left))
	}

	// The parquet orders, in the same thread; the ASE carries it out.
	order := envelope{Kind: "opp", To: []string{string(ase)}, Cc: []string{string(juge)}, Thread: r1.Thread, ReplyTo: r1.ID, Actor: clerk, Document: paper(t, "02-opp.json")}
	r2 := tn.send(parquet, "k2", order, pdf("ordonnance"))
	tn.reaches(parquet, r2.ID, ase, broker.Consigned)
	tn.reads(ase, r2.ID, order, pdf("ordonnance"))
	tn.act(ase, r2.ID, map[string]any{"event": "executed", "done_at": time.Now().Add(-time.Minute).Format(time.RFC3339), "place": "Ville-Exemple"})
	tn.reaches(parquet, r2.ID, ase, broker.Executed)

	// The parquet seizes the judge, who registers, decides; suites are given.
	seizing := envelope{Kind: "requete", To: []string{string(juge)}, Cc: []string{string(ase)}, Thread: r1.Thread, ReplyTo: r2.ID, Actor: clerk, Document: paper(t, "03-requete.json")}
	r3 := tn.send(parquet, "k3", seizing, pdf("requete"), pdf("ordonnance"))
	tn.reaches(parquet, r3.ID, juge, broker.Consigned)
	tn.reads(juge, r3.ID, seizing, pdf("requete"), pdf("ordonnance"))
	tn.act(juge, r3.ID, map[string]any{"event": "registered", "number": "B26/FICTIF/0099", "done_at": time.Now().Add(-time.Minute).Format(time.RFC3339)})
	tn.reaches(parquet, r3.ID, juge, broker.Registered)
	decision := envelope{Kind: "decision", To: []string{string(ase), string(parquet)}, Thread: r1.Thread, ReplyTo: r3.ID, Actor: clerk, Document: paper(t, "04-decision.json")}
	r4 := tn.send(juge, "k4", decision, pdf("decision"))
	tn.reaches(juge, r4.ID, ase, broker.Consigned)
	tn.reaches(juge, r4.ID, parquet, broker.Consigned)
	for p, want := range map[broker.PartyID]int{parquet: 1, juge: 2} {
		var m message
		if tn.get(p, "/v1/messages/"+r4.ID).into(t, 200, &m); len(m.Deadlines) != want {
			t.Errorf("%s sees %d deadlines, want %d", p, len(m.Deadlines), want)
		}
	}
	tn.act(ase, r4.ID, map[string]any{"event": "taken_in_charge"})
	suites := envelope{Kind: "suites", To: []string{string(ase)}, Thread: r1.Thread, ReplyTo: r1.ID, Actor: clerk, Document: paper(t, "05-suites.json")}
	a := tn.as(parquet, request{method: "POST", path: "/v1/messages", body: jsonBody(t, suites), header: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "k5"}})
	var r5 receipt
	a.into(t, http.StatusCreated, &r5)
	tn.reaches(parquet, r5.ID, ase, broker.Consigned)

	tn.checkEvidences(r3.ID)
	tn.checkCoRecipient(r4.ID)
	tn.checkThread(r1.Thread)
	tn.checkExport(r2.ID)
}

// checkEvidences: both sides see the same signed facts, with what was said
// opened for the two whom it concerns.
func (tn *town) checkEvidences(id string) {
	tn.t.Helper()
	type list struct {
		Items []struct {
			Event, Recipient, Signature string
			Evidence, Sealed            []byte
			Detail                      *struct {
				Number, Basis string
				Actor         broker.Actor
			}
		}
	}
	var sender, copied list
	tn.get(parquet, "/v1/messages/"+id+"/evidences").into(tn.t, 200, &sender)
	tn.get(ase, "/v1/messages/"+id+"/evidences").into(tn.t, 200, &copied)
	found := false
	for _, e := range sender.Items {
		if _, err := broker.ParseEvidence(e.Evidence); err != nil || !strings.HasPrefix(e.Signature, "-----BEGIN PGP SIGNATURE-----") {
			tn.t.Errorf("%s is not an evidence: %v", e.Event, err)
		}
		if e.Event == "registered" {
			found = e.Detail != nil && e.Detail.Number == "B26/FICTIF/0099" && e.Detail.Basis == "declared" && e.Detail.Actor.Name == "GABARIT Sacha"
		}
	}
	if !found {
		tn.t.Error("the sender does not see what the greffe said")
	}
	var m message
	tn.get(ase, "/v1/messages/"+id).into(tn.t, 200, &m)
	if m.progress(juge) != "" || m.progress(ase) == "" || len(m.Deadlines) != 0 {
		tn.t.Errorf("a copy tells of another recipient: %+v", m.States)
	}
	for _, e := range copied.Items {
		if e.Recipient == string(juge) {
			tn.t.Errorf("a co-recipient sees %s", e.Event)
		}
	}
}

// checkCoRecipient: a recipient at the sender's own broker, which knows of every
// pair, is told of its own.
func (tn *town) checkCoRecipient(id string) {
	tn.t.Helper()
	tn.reaches(juge, id, ase, broker.TakenInCharge)
	var m message
	tn.get(parquet, "/v1/messages/"+id).into(tn.t, 200, &m)
	if m.progress(ase) != "" || m.progress(parquet) == "" || len(m.Deadlines) != 1 {
		tn.t.Errorf("told of another recipient: %+v, %v", m.States, m.Deadlines)
	}
	for _, path := range []string{"", "/evidences"} {
		if a := tn.get(parquet, "/v1/messages/"+id+path); strings.Contains(string(a.body), "taken_in_charge") {
			tn.t.Errorf("%s: told of another recipient's act", path)
		}
	}
}

// checkThread: the filter by thread finds the plis of a situation.
func (tn *town) checkThread(thread string) {
	tn.t.Helper()
	var page struct{ Items []message }
	tn.get(ase, "/v1/messages?thread="+thread).into(tn.t, 200, &page)
	if len(page.Items) != 4 { // opp, requete in copy, decision, suites
		tn.t.Errorf("%d plis of the thread in the inbox of the ASE, want 4", len(page.Items))
	}
	tn.get(ase, "/v1/messages?thread=01981c0e-0000-7000-8000-000000000000").into(tn.t, 200, &page)
	if len(page.Items) != 0 {
		tn.t.Errorf("%d plis of another thread", len(page.Items))
	}
}

// checkExport: what is taken away is the export that verifies by itself.
func (tn *town) checkExport(id string) {
	tn.t.Helper()
	a := tn.get(parquet, "/v1/messages/"+id+"/export")
	a.into(tn.t, 200, nil)
	dir := tn.t.TempDir()
	for r := tar.NewReader(bytes.NewReader(a.body)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			tn.t.Fatal(err)
		}
		if strings.Contains(h.Name, "open/") {
			tn.t.Errorf("in clear: %s", h.Name)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			tn.t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			tn.t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, id, "export.sha256")); err != nil {
		tn.t.Errorf("not an export: %v", err)
	}
	direct := filepath.Join(tn.t.TempDir(), "direct")
	if _, err := export.Write(context.Background(), tn.at(parquet), id, direct, export.Options{As: parquet}); err != nil {
		tn.t.Fatal(err)
	}
	for _, name := range []string{"header.json", "body.pgp", "deposit.json"} {
		want, _ := os.ReadFile(filepath.Join(direct, name))
		got, err := os.ReadFile(filepath.Join(dir, id, name))
		if err != nil || !bytes.Equal(got, want) {
			tn.t.Errorf("%s is not that of the export", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(tn.Dir(justice), "tmp", "*"))
	if err != nil || len(left) != 0 {
		tn.t.Errorf("left behind: %v", left)
	}
}
