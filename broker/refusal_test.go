package broker_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/schemas"
)

// Each refusal at the deposit: a clear answer that says what to do, journaled
// without content, nothing half-kept.
func TestRefusalsAtDeposit(t *testing.T) {
	for _, c := range []struct {
		name, code, field string
		hint              bool
		change            func(tn *town, clock *steppedClock, s *broker.Submission)
	}{
		{"forbidden direction", broker.ReasonForbidden, "to", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.To, s.Cc = []broker.PartyID{juge}, nil }},
		{"forbidden sender", broker.RefusedParty, "from", false, func(_ *town, _ *steppedClock, s *broker.Submission) { s.From = parquet; s.To = []broker.PartyID{ase} }},
		{"unknown recipient", broker.RefusedParty, "to", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.To = []broker.PartyID{"parquet-ailleurs"} }},
		{"no recipient", broker.RefusedRecipients, "to", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.To, s.Cc = nil, nil }},
		{"recipient twice", broker.RefusedRecipients, "to", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Cc = s.To }},
		{"to itself", broker.RefusedRecipients, "to", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Cc = []broker.PartyID{ase} }},
		{"recipient key expired", broker.RefusedKey, "to", true, func(tn *town, clock *steppedClock, s *broker.Submission) { clock.years(tn.t, 4) }},
		{"recipient key revoked", broker.RefusedKey, "to", true, func(tn *town, clock *steppedClock, s *broker.Submission) {
			tn.revokeAtNord("parquet-lille", clock.Now(), true)
		}},
		{"own key expired", broker.RefusedKey, "from", true, func(tn *town, clock *steppedClock, s *broker.Submission) {
			for _, p := range []string{"parquet-lille", "je-lille"} {
				tn.Ring(nord).AddCert(p, tn.identity(clock.Now(), 5*365*day).Cert())
			}
			clock.years(tn.t, 4)
		}},
		{"a piece less", broker.RefusedPieces, "pieces", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Pieces = nil }},
		{"a piece more", broker.RefusedPieces, "pieces", true, func(_ *town, _ *steppedClock, s *broker.Submission) {
			s.Pieces = append(s.Pieces, strings.NewReader("x"))
		}},
		{"an empty piece", broker.RefusedPieces, "pieces[0]", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Pieces = []io.Reader{strings.NewReader("")} }},
		{"too large", broker.ReasonTooLarge, "pieces", true, func(_ *town, _ *steppedClock, s *broker.Submission) {
			s.Pieces = []io.Reader{io.LimitReader(zeros{}, 2<<20)}
		}},
		{"nobody acts", broker.RefusedActor, "actor", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Actor.Name = " " }},
		{"an actor not in UTF-8", broker.RefusedActor, "actor", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Actor.Name = "\xff" + canary }},
		{"an actor with a NUL", broker.RefusedActor, "actor", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Actor.Name = canary + "\x00" }},
		{"an actor that moves the cursor", broker.RefusedActor, "actor", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Actor.Function = canary + "\x1b[2J" }},
		{"an actor without end", broker.RefusedActor, "actor", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Actor.Function = strings.Repeat(canary, 2000) }},
		{"no such basis", broker.RefusedActor, "basis", false, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Basis = "orale" }},
		{"passkey without assertion", broker.RefusedActor, "basis", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Basis = broker.Passkey }},
		{"no such urgency", broker.RefusedUrgency, "urgency", false, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Urgency = "U9" }},
		{"thread that is no id", broker.RefusedThread, "thread", false, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Thread = canary }},
		{"reply to what is no id", broker.RefusedThread, "in_reply_to", false, func(_ *town, _ *steppedClock, s *broker.Submission) { s.ReplyTo = "1" }},
		{"no such kind", broker.RefusedFormat, "kind", false, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Kind = "lettre" }},
		{"no idempotency key", broker.RefusedFormat, "idempotency_key", true, func(_ *town, _ *steppedClock, s *broker.Submission) { s.Key = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			clock := newSteppedClock()
			tn := newTown(t, func(p *wiring.Plan) { clock.plan(p); p.MaxBody = 1 << 20 })
			s := signalement(t, "k")
			s.Document = schemas.NewPlain([]byte(strings.Replace(string(s.Document.Bytes()), "MODÈLE Alix", canary, 1)))
			c.change(tn, clock, &s)
			_, err := tn.at(nord).Accept(context.Background(), s)
			refusedAs(t, err, c.code)
			var r *broker.Refusal
			if errors.As(err, &r); r.Field != c.field || c.hint && r.Hint == "" || strings.Contains(r.Hint, canary) {
				t.Errorf("field %q, hint %q", r.Field, r.Hint)
			}
			tn.leavesNothing(c.code)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// leavesNothing checks that a refused deposit left one line in the journal.
func (tn *town) leavesNothing(code string) {
	tn.t.Helper()
	if sent, _, _ := tn.at(nord).Plis(ase); len(sent) != 0 || len(tn.due(nord)) != 0 {
		tn.t.Errorf("%d plis, %d deliveries", len(sent), len(tn.due(nord)))
	}
	if files := tn.bodyFiles(nord); len(files) != 0 {
		tn.t.Errorf("%d body files", len(files))
	}
	if got := tn.at(nord).Refusals(); code != "" && (len(got) != 1 || !strings.HasSuffix(got[0], " "+code)) {
		tn.t.Errorf("journaled: %q", got)
	}
	tn.discreet()
}

// Malformed JSON: every fault by its path, no value.
func TestMalformedDocument(t *testing.T) {
	for name, doc := range map[string]string{
		"not JSON":       `{"auteur":`,
		"several faults": `{"enfants":[{"nom":"` + canary + `","nom":"x"}],"auteur":{"nom":null,"telephone":7},"demande":["rien"],"inconnu":1}`,
		"empty":          ``,
		"in Latin-1":     "{\"auteur\":{\"nom\":\"\xe9\"}}",
	} {
		t.Run(name, func(t *testing.T) {
			tn, _ := stepped(t)
			s := signalement(t, "k")
			s.Document = schemas.NewPlain([]byte(doc))
			_, err := tn.at(nord).Accept(context.Background(), s)
			var bad *schemas.InvalidError
			if !errors.As(err, &bad) || len(bad.Fields) == 0 || strings.Contains(err.Error(), canary) {
				t.Fatalf("got %v", err)
			}
			if name == "several faults" && len(bad.Fields) < 4 {
				t.Errorf("%d faults: %v", len(bad.Fields), bad.Fields)
			}
			tn.leavesNothing(broker.ReasonInvalid)
		})
	}
}

// An OPP without order nor instruction is refused; a U1 without the parents'
// information passes with a réserve; a U0 of eight fields passes.
func TestLevelsOfTheDocument(t *testing.T) {
	tn, _ := stepped(t)
	opp := signalement(t, "opp")
	opp.From, opp.Kind, opp.To, opp.Cc = parquet, schemas.OPP, []broker.PartyID{ase}, nil
	text := string(readFile(t, "../schemas/testdata/good/opp_instruction_orale.json"))
	doc, err := schemas.Parse(schemas.OPP, schemas.NewPlain([]byte(text)))
	if err != nil {
		t.Fatal(err)
	}
	opp.Pieces = nil
	for range doc.Pieces() {
		opp.Pieces = append(opp.Pieces, strings.NewReader("%PDF-"))
	}
	opp.Document = schemas.NewPlain([]byte(strings.Replace(text, `"instruction_orale"`, `"ordonnance_jointe"`, 1)))
	var bad *schemas.InvalidError
	if _, err := tn.at(justice).Accept(context.Background(), opp); !errors.As(err, &bad) {
		t.Fatalf("an OPP without its order: %v", err)
	}
	opp.Document = schemas.NewPlain([]byte(strings.Replace(text, `"mode"`, `"x_mode"`, 1)))
	if _, err := tn.at(justice).Accept(context.Background(), opp); !errors.As(err, &bad) {
		t.Fatalf("an OPP without either: %v", err)
	}
	if len(tn.due(justice)) != 0 {
		t.Error("something leaves")
	}

	u1 := signalement(t, "u1")
	u1.Urgency = ""
	u1.Document = schemas.NewPlain(readFile(t, "../schemas/testdata/good/signalement_u1_sans_information_parents.json"))
	doc, err = schemas.Parse(schemas.Signalement, u1.Document)
	if err != nil {
		t.Fatal(err)
	}
	u1.Pieces = nil
	for range doc.Pieces() {
		u1.Pieces = append(u1.Pieces, strings.NewReader("%PDF-"))
	}
	if r := accept(t, tn.at(nord), u1); len(r.Reserves) == 0 {
		t.Error("no réserve")
	}
	accept(t, tn.at(nord), signalement(t, "u0"))
}

// The disk is full: temporary, said so, nothing kept; what was accepted before
// is still acknowledged, and the same key serves when there is room again.
func TestFullDisk(t *testing.T) {
	disk := &fullDisk{}
	tn := newTown(t, func(p *wiring.Plan) {
		p.Store = func(id broker.BrokerID, s journal.Store) journal.Store {
			if id != nord {
				return s
			}
			disk.Store = s
			return disk
		}
	})
	first := accept(t, tn.at(nord), signalement(t, "before"))
	disk.full = true
	_, err := tn.at(nord).Accept(context.Background(), signalement(t, "k"))
	if !errors.Is(err, broker.ErrTemporary) || !errors.Is(err, journal.ErrNoSpace) {
		t.Fatalf("got %v", err)
	}
	if sent, _, _ := tn.at(nord).Plis(ase); len(sent) != 1 {
		t.Errorf("%d plis", len(sent))
	}
	if again := accept(t, tn.at(nord), signalement(t, "before")); again.ID != first.ID {
		t.Error("another receipt")
	}
	tn.deliver(nord) // settlements and evidences go on
	tn.deliver(justice)
	if st := tn.progress(nord, first.ID, parquet); st.Progress != broker.Consigned {
		t.Errorf("%+v", st)
	}
	disk.full = false
	accept(t, tn.at(nord), signalement(t, "k"))
}

type fullDisk struct {
	journal.Store
	full bool
}

func (d *fullDisk) Free() (uint64, error) {
	if d.full {
		return 0, nil
	}
	return d.Store.Free()
}

// A repeated submission has its receipt, whatever has become of the keys.
func TestRepeatedAfterTheKeyExpired(t *testing.T) {
	tn, clock := stepped(t)
	first := accept(t, tn.at(nord), signalement(t, "k"))
	clock.years(t, 4)
	if again := accept(t, tn.at(nord), signalement(t, "k")); !again.Repeated || again.ID != first.ID || again.Thread != first.Thread {
		t.Errorf("another receipt: %+v", again)
	}
}

// Acts that the table does not allow, or that could not be read at the other
// end, are refused where they are made.
func TestRefusedActs(t *testing.T) {
	tn, _, r := deposited(t)
	act := func(change func(*broker.Act)) error {
		a := broker.Act{ID: r.ID, Party: parquet, Event: broker.TakenInCharge, Actor: broker.Actor{Name: canary}, Basis: broker.Declared}
		change(&a)
		_, err := tn.at(justice).Acknowledge(context.Background(), a)
		return err
	}
	if err := act(func(*broker.Act) {}); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("before the pli came: %v", err)
	}
	tn.deliver(nord)
	head := tn.Nodes[justice].Journal.Head().Size
	for _, c := range []struct {
		name, code string
		change     func(*broker.Act)
	}{
		{"a machine's event", broker.RefusedEvent, func(a *broker.Act) { a.Event = broker.Consigned }},
		{"no such event", broker.RefusedEvent, func(a *broker.Act) { a.Event = "notified" }},
		{"reason missing", broker.RefusedEvent, func(a *broker.Act) { a.Event = broker.Returned }},
		{"reason of another event", broker.RefusedEvent, func(a *broker.Act) { a.Event, a.ReasonCode = broker.Returned, broker.ReasonReplay }},
		{"number missing", broker.RefusedEvent, func(a *broker.Act) { a.Event, a.DoneAt = broker.Registered, tn.Plan.Now() }},
		{"date missing", broker.RefusedEvent, func(a *broker.Act) { a.Event = broker.Executed }},
		{"date in the future", broker.RefusedFuture, func(a *broker.Act) { a.Event, a.DoneAt = broker.Executed, tn.Plan.Now().Add(time.Hour) }},
		{"redirected nowhere", broker.RefusedEvent, func(a *broker.Act) { a.Event, a.ReasonCode = broker.Redirected, broker.ReasonWrongPlace }},
		{"nobody", broker.RefusedActor, func(a *broker.Act) { a.Actor.Name = "" }},
		{"an actor of two lines", broker.RefusedActor, func(a *broker.Act) { a.Actor.Name = canary + "\nX" }},
		{"a number that moves the cursor", broker.RefusedDetail, func(a *broker.Act) { a.Number = canary + "\u009b2J" }},
		{"a reason with a NUL", broker.RefusedDetail, func(a *broker.Act) { a.Reason = canary + "\x00" }},
		{"a place not in UTF-8", broker.RefusedDetail, func(a *broker.Act) { a.Place = canary + "\xff" }},
		{"not in UTF-8", broker.RefusedDetail, func(a *broker.Act) { a.Reason = canary + "\xff" }},
		{"without end", broker.RefusedDetail, func(a *broker.Act) { a.Reason = strings.Repeat(canary, 8000) }},
	} {
		t.Run(c.name, func(t *testing.T) { refusedAs(t, act(c.change), c.code) })
	}
	if err := act(func(a *broker.Act) { a.Party = ase }); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("for another party: %v", err)
	}
	if got := tn.Nodes[justice].Journal.Head().Size; got != head {
		t.Errorf("%d events of refused acts", got-head)
	}
	if err := act(func(*broker.Act) {}); err != nil {
		t.Error(err)
	}
	if a := tn.alarms(justice, r.ID, parquet); slices.Contains(a, broker.Overdue) {
		t.Error("overdue")
	}
}
