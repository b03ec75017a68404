package broker_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Plis that a relay refuses, and journals; of none it keeps a body, and none
// goes on.
func TestRelayRefusesPlis(t *testing.T) {
	tn, _ := relayed(t, withServices)
	for name, c := range map[string]struct {
		code   string
		peer   broker.BrokerID
		to     broker.PartyID
		change func(tn *town, d *draft)
	}{
		"brought by another home":              {code: broker.RefusedPeer, peer: justice},
		"brought by a stranger":                {code: broker.RefusedPeer, peer: "courrier-inconnu"},
		"brought by another relay":             {code: broker.RefusedPeer, peer: "relais-second"},
		"for a party that it does not address": {code: broker.RefusedDestination, to: "service-59"},
		"between roles that never write": {code: broker.ReasonForbidden, to: "service-59", change: func(tn *town, d *draft) {
			d.h.From, d.h.To, d.h.Cc = "service-62", []broker.PartyID{"service-59"}, nil
			d.signer = tn.Identities["service-62"]
		}},
		"signed by a stranger": {code: broker.RefusedSignature, change: func(tn *town, d *draft) { d.signer = tn.stranger() }},
		"header changed": {code: broker.RefusedSignature, change: func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.Header = bytes.Replace(p.Header, []byte(`"U1"`), []byte(`"U0"`), 1) }
		}},
		"no header": {code: broker.RefusedFormat, change: func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.Header = []byte("{}") }
		}},
		"deposit stamp of another broker": {code: broker.ReasonDeposit, change: func(tn *town, d *draft) {
			d.stamper = tn.Identities[string(justice)]
			d.onStamp = func(e *broker.Evidence) { e.By, e.Home, e.Log = string(justice), justice, logOf(justice) }
		}},
		"deposit stamp of the relay itself": {code: broker.ReasonDeposit, change: func(tn *town, d *draft) { d.stamper = tn.Identities[string(relais)] }},
		"no deposit stamp": {code: broker.ReasonDeposit, change: func(_ *town, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.Deposit, p.DepositSig = nil, nil }
		}},
		"deposit of six minutes from now": {code: broker.ReasonBackDated, change: func(_ *town, d *draft) { d.stampedAt = d.stampedAt.Add(6 * time.Minute) }},
		"deposit of another pli":          {code: broker.ReasonDeposit, change: func(_ *town, d *draft) { d.onStamp = func(e *broker.Evidence) { e.HeaderSHA256 = salt } }},
		"larger than allowed": {code: broker.ReasonTooLarge, change: func(_ *town, d *draft) {
			d.onHeader = func(b []byte) []byte {
				h, _ := broker.ParseHeader(b)
				h.BodySize = 900_000_000
				return h.Encode()
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p, d := tn.forgery(func(d *draft) {
				if c.change != nil {
					c.change(tn, d)
				}
			})
			peer, to := nord, parquet
			if c.peer != "" {
				peer = c.peer
			}
			if c.to != "" {
				to = c.to
			}
			err := tn.at(relais).Receive(context.Background(), peer, to, broker.Parcel{Pli: p})
			refusedAs(t, err, c.code)
			want := string(peer) + " " + c.code
			if _, listed := tn.Directory.Broker(peer); !listed {
				want = "? " + c.code
			}
			if got := tn.at(relais).Refusals(); !strings.HasSuffix(got[len(got)-1], want) {
				t.Errorf("journaled %v, want %s", got, want)
			}
			if _, err := tn.at(relais).Status(d.h.ID); err == nil || len(tn.due(relais)) > 0 {
				t.Error("it goes on")
			}
			tn.carriesNothing()
		})
	}
}

// withServices adds two parties that may not write to each other, and a second
// relay.
func withServices(p *wiring.Plan) {
	p.Brokers = append(p.Brokers, directory.Broker{ID: "relais-second", Libelle: "Second relais", Relay: true})
	for _, id := range []directory.PartyID{"service-59", "service-62"} {
		home, institution := nord, "Département du Nord"
		if id == "service-59" {
			home, institution = justice, "Tribunal judiciaire de Lille"
		}
		p.Parties = append(p.Parties, directory.Party{ID: id, Role: directory.RoleService, Institution: institution, Departement: "59", Home: home})
	}
}

// Another pli under the id of one that passed is refused; the first stands.
func TestRelayRefusesAReplayedID(t *testing.T) {
	tn, _ := relayed(t, nil)
	first, d := tn.forgery(nil)
	second, _ := tn.forgery(func(e *draft) { e.h.ID, e.inner.ID, e.acte.ID = d.h.ID, d.h.ID, d.h.ID })
	at := tn.at(relais)
	if err := at.Receive(context.Background(), nord, parquet, broker.Parcel{Pli: first}); err != nil {
		t.Fatal(err)
	}
	refusedAs(t, at.Receive(context.Background(), nord, parquet, broker.Parcel{Pli: second}), broker.ReasonReplay)
	refusedAs(t, at.Receive(context.Background(), nord, juge, broker.Parcel{Pli: second}), broker.ReasonReplay)
}

// A broker that is no relay carries nothing on.
func TestOnlyARelayCarriesOn(t *testing.T) {
	tn, _ := stepped(t)
	p, _ := tn.forgery(nil)
	refusedAs(t, tn.at(nord).Receive(context.Background(), nord, parquet, broker.Parcel{Pli: p}), broker.RefusedDestination)
	tn, _ = relayed(t, nil)
	refusedAs(t, tn.at(relais).Receive(context.Background(), nord, "personne", broker.Parcel{Pli: p}), broker.RefusedDestination)
}

// Evidences that a relay refuses, of a pli that passed there and of one that
// did not.
func TestRelayRefusesEvidences(t *testing.T) {
	tn, _ := relayed(t, withServices)
	r := accept(t, tn.at(nord), signalement(t, "k"))
	tn.drain()
	for name, c := range map[string]struct {
		code   string
		event  broker.Event
		change func(tn *town, s *told)
	}{
		"signed by another party":            {broker.RefusedSignature, broker.Consigned, func(tn *town, s *told) { s.signer = tn.Identities["je-lille"] }},
		"signed by the relay":                {broker.RefusedSignature, broker.Consigned, func(tn *town, s *told) { s.signer = tn.Identities[string(relais)] }},
		"said by the recipient's home":       {broker.RefusedSigner, broker.Consigned, func(tn *town, s *told) { s.e.By, s.signer = string(justice), tn.Identities[string(justice)] }},
		"brought by another home":            {broker.RefusedPeer, broker.Consigned, func(_ *town, s *told) { s.peer = nord }},
		"of an unknown pli, by another home": {broker.RefusedPeer, broker.Consigned, func(tn *town, s *told) { s.e.ID, s.peer = uuid7(tn.Plan.Now()), nord }},
		"brought by another relay":           {broker.RefusedPeer, broker.Consigned, func(_ *town, s *told) { s.peer = "relais-second" }},
		"brought by a stranger":              {broker.RefusedPeer, broker.Fetched, func(_ *town, s *told) { s.peer = "courrier-inconnu" }},
		"sealed, by another relay":           {broker.RefusedPeer, broker.Fetched, func(_ *town, s *told) { s.peer = "relais-second" }},
		"for another than the sender":        {broker.RefusedDestination, broker.Consigned, func(_ *town, s *told) { s.dest = "service-62" }},
		"of tomorrow":                        {broker.RefusedFuture, broker.Consigned, func(_ *town, s *told) { s.signedAt = s.signedAt.Add(day); s.e.At = broker.FormatTime(s.signedAt) }},
		"silence before its time":            {broker.ReasonBackDated, broker.Overdue, nil},
		"no evidence": {broker.RefusedFormat, broker.Consigned, func(_ *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) { p.Evidence = []byte("{}"); p.Digest = broker.Digest(p.Evidence) }
		}},
		"sealed, of no digest": {broker.RefusedFormat, broker.Fetched, func(_ *town, s *told) { s.onParcel = func(p *broker.EvidenceParcel) { p.Digest = "x" } }},
		"sealed, too large":    {broker.ReasonTooLarge, broker.Fetched, func(_ *town, s *told) { s.onParcel = func(p *broker.EvidenceParcel) { p.Sealed = noise(300_000) } }},
		"an act in clear": {broker.RefusedFormat, broker.TakenInCharge, func(tn *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) {
				p.Sealed = nil
				p.Evidence, p.Sig = tn.clear(s)
				p.Digest = broker.Digest(p.Evidence)
			}
		}},
		"of a party that lives nowhere": {broker.RefusedSigner, broker.Consigned, func(tn *town, s *told) {
			s.e.ID = uuid7(tn.Plan.Now())
			s.e.By = "je-lille"
			s.e.Home, s.e.Log = nord, logOf(nord)
			s.peer = nord
			s.signer = tn.Identities["je-lille"]
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, p := tn.tell(r.ID, r.HeaderSHA256, c.event, func(s *told) {
				if c.change != nil {
					c.change(tn, s)
				}
			})
			refusedAs(t, tn.at(relais).Receive(context.Background(), s.peer, s.dest, broker.Parcel{Evidence: p}), c.code)
			if got := tn.at(relais).Refusals(); len(got) == 0 || !strings.HasSuffix(got[len(got)-1], " "+c.code) {
				t.Errorf("journaled %v", got)
			}
			tn.carriesNothing()
		})
	}
}

// clear is the evidence of an act without its seal.
func (tn *town) clear(s *told) (text, sig []byte) {
	e := s.e
	e.DetailSHA256 = salt
	text = e.Encode()
	return text, tn.detached(s.signer, text, s.signedAt)
}

// Of a pli that never passed there the relay carries a lawful evidence on, and
// its end judges.
func TestRelayCarriesEvidencesOfOtherPlis(t *testing.T) {
	tn, _ := relayed(t, nil)
	for _, event := range []broker.Event{broker.Consigned, broker.Fetched} {
		s, p := tn.tell(uuid7(tn.Plan.Now()), salt, event, nil)
		if err := tn.at(relais).Receive(context.Background(), s.peer, s.dest, broker.Parcel{Evidence: p}); err != nil {
			t.Fatalf("%s: %v", event, err)
		}
	}
	tn.deliver(relais)
	for _, it := range tn.letters(relais) {
		if it.Reason != broker.RefusedUnknownPli {
			t.Errorf("given up for %s", it.Reason)
		}
	}
	if n := len(tn.letters(relais)); n != 2 {
		t.Errorf("%d dead letters", n)
	}
	if list, err := tn.at(relais).Alarms(); err != nil || len(list) != 2 {
		t.Errorf("alarms %v, %v", list, err)
	}
}

// What a relay changes on the way is found at the end of it.
func TestRelayCannotAlter(t *testing.T) {
	for name, c := range map[string]struct {
		alter func(p *broker.Parcel)
		want  broker.Event // at the sender's, once all is done; "" when it never gets there
	}{
		"header": {func(p *broker.Parcel) {
			if p.Pli != nil {
				p.Pli.Header = bytes.Replace(p.Pli.Header, []byte(`"U0"`), []byte(`"U2"`), 1)
			}
		}, broker.Relayed},
		"body": {func(p *broker.Parcel) {
			if p.Pli != nil {
				p.Pli.Body = func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("autre")), nil }
			}
		}, broker.Relayed},
		"evidence": {func(p *broker.Parcel) {
			if p.Evidence != nil && p.Evidence.Evidence != nil {
				p.Evidence.Evidence = bytes.Replace(p.Evidence.Evidence, []byte(`"consigned"`), []byte(`"alerted"`), 1)
				p.Evidence.Digest = broker.Digest(p.Evidence.Evidence)
			}
		}, broker.Relayed},
		"seal": {func(p *broker.Parcel) {
			if p.Evidence != nil && p.Evidence.Sealed != nil {
				p.Evidence.Sealed = append([]byte{}, p.Evidence.Sealed...)
				p.Evidence.Sealed[len(p.Evidence.Sealed)/2] ^= 1
			}
		}, broker.Consigned},
	} {
		t.Run(name, func(t *testing.T) {
			tn, _ := relayed(t, func(p *wiring.Plan) {
				p.Wrap = func(from broker.BrokerID, next broker.Carrier) broker.Carrier {
					if from != relais {
						return next
					}
					return altering{next, c.alter}
				}
			})
			r := accept(t, tn.at(nord), signalement(t, "k"))
			tn.drain()
			if name == "seal" {
				if _, err := tn.at(justice).Acknowledge(context.Background(), takeInCharge(r.ID)); err != nil {
					t.Fatal(err)
				}
				tn.drain()
			}
			if st := tn.progress(nord, r.ID, parquet); st.Progress != c.want {
				t.Errorf("the sender was told %s", st.Progress)
			}
			if c.want == broker.Relayed && name != "evidence" {
				if _, received, _ := tn.at(justice).Plis(parquet); len(received) > 0 {
					t.Error("it was taken")
				}
			}
			if name != "body" && name != "seal" && len(tn.letters(relais)) == 0 { // these are asked for again
				t.Error("it was not refused for good")
			}
		})
	}
}

// altering changes what it carries.
type altering struct {
	broker.Carrier
	alter func(*broker.Parcel)
}

func (c altering) Carry(ctx context.Context, to broker.PartyID, p broker.Parcel) error {
	if p.Pli != nil {
		pli := *p.Pli
		p.Pli = &pli
	}
	if p.Evidence != nil {
		e := *p.Evidence
		p.Evidence = &e
	}
	c.alter(&p)
	return c.Carrier.Carry(ctx, to, p)
}

// An evidence that the relay makes up is refused by whom it is for, whoever it
// says that it is from.
func TestEvidenceForgedByTheRelay(t *testing.T) {
	for name, change := range map[string]func(tn *town, s *told){
		"in the party's name": func(tn *town, s *told) { s.signer = tn.Identities[string(relais)] },
		"in its own": func(tn *town, s *told) {
			s.signer, s.e.By, s.e.Home, s.e.Log = tn.Identities[string(relais)], string(relais), relais, logOf(relais)
		},
	} {
		t.Run(name, func(t *testing.T) {
			tn, _ := relayed(t, nil)
			r := accept(t, tn.at(nord), signalement(t, "k"))
			s, p := tn.tell(r.ID, r.HeaderSHA256, broker.Consigned, func(s *told) { change(tn, s); s.peer = relais })
			if err := tn.hear(s, p); err == nil {
				t.Error("taken")
			}
			if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Accepted {
				t.Errorf("%+v", st)
			}
		})
	}
}

// Parcels and answers are lost, doubled and late on both legs, and the relay
// starts again and again: everything arrives once, and nothing is left there.
func TestRelayLosesAnswers(t *testing.T) {
	for seed := range uint64(3) {
		weather := brokertest.NewWeather(seed)
		var roads []*brokertest.Carrier
		tn, clock := relayed(t, func(p *wiring.Plan) {
			p.Wrap = func(_ broker.BrokerID, c broker.Carrier) broker.Carrier {
				rough := &brokertest.Carrier{Next: c, Weather: weather}
				roads = append(roads, rough)
				return rough
			}
		})
		r := accept(t, tn.at(nord), transmission(t, "k", noise(200_000), parquet, juge))
		settled := func() bool {
			return tn.progress(nord, r.ID, parquet).Progress == broker.Consigned && tn.progress(nord, r.ID, juge).Progress == broker.Consigned
		}
		for tries := 0; !settled(); tries++ {
			if tries > 100 {
				t.Fatal("never settled")
			}
			tn.drain()
			clock.advance(2 * time.Hour)
			for _, road := range roads {
				road.Arrive()
			}
			tn.restart(relais)
		}
		for range 20 {
			clock.advance(2 * time.Hour)
			tn.drain()
			for _, road := range roads {
				road.Arrive()
			}
		}
		d, err := tn.at(nord).Dossier(r.ID)
		if err != nil || len(d.Evidences) != 4 {
			t.Errorf("seed %d: %d evidences, %v", seed, len(d.Evidences), err)
		}
		_ = tn.Nodes[justice].Journal.View(func(v journal.View) error {
			for n, seen := uint64(0), 0; n < v.Head().Size; n++ {
				if e, _ := v.Record(n); e.Type == string(broker.Consigned) {
					if seen++; seen > 2 {
						t.Errorf("seed %d: consigned more than once", seed)
					}
				}
			}
			return nil
		})
		tn.carriesNothing()
	}
}
