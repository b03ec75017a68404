package broker_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/crypto/seal"
)

// told is an evidence in the making about a pli that nord deposited.
type told struct {
	e        broker.Evidence
	d        broker.Detail
	signer   *seal.Identity
	sealer   *seal.Identity
	to       []string // sealed to
	signedAt time.Time
	peer     broker.BrokerID
	dest     broker.PartyID

	onEvidence func([]byte) []byte
	onParts    func([]part) []part
	onParcel   func(*broker.EvidenceParcel)
}

// tell makes a lawful evidence but for what change does to it: clear for a
// machine's event, sealed for a person's.
func (tn *town) tell(id, header string, event broker.Event, change func(*told)) (*told, *broker.EvidenceParcel) {
	tn.t.Helper()
	now := tn.Plan.Now()
	row, _ := broker.LookupEvent(event)
	s := &told{signedAt: now, peer: justice, dest: ase, signer: tn.Identities["parquet-lille"], sealer: tn.Identities["parquet-lille"], to: []string{"ase-59"}}
	s.e = broker.Evidence{V: 1, Event: event, ID: id, Recipient: parquet, At: broker.FormatTime(now), By: "parquet-lille", Home: justice, Notice: "demonstration", HeaderSHA256: header, Log: logOf(justice)}
	s.d = broker.Detail{V: 1, Salt: salt, Event: event, ID: id, Recipient: parquet, HeaderSHA256: header, Actor: broker.Actor{Name: canary, Function: "substitut"}, Basis: broker.Declared}
	if row.Signer == broker.RecipientBroker {
		s.e.By, s.signer = string(justice), tn.Identities[string(justice)]
	}
	if row.Signer == broker.SenderBroker {
		s.e.By, s.e.Home, s.e.Log, s.signer, s.peer, s.dest = string(nord), nord, logOf(nord), tn.Identities[string(nord)], nord, parquet
	}
	if len(row.Reasons) > 0 {
		s.e.ReasonCode, s.d.ReasonCode = row.Reasons[0], row.Reasons[0]
	}
	if change != nil {
		change(s)
	}
	detail := s.d.Encode()
	if row.Sealed && s.e.DetailSHA256 == "" {
		s.e.DetailSHA256 = broker.Digest(detail)
	}
	text := s.e.Encode()
	if s.onEvidence != nil {
		text = s.onEvidence(text)
	}
	p := &broker.EvidenceParcel{Digest: broker.Digest(text), Evidence: text, Sig: tn.detached(s.signer, text, s.signedAt)}
	if row.Sealed {
		parts := []part{{"evidence.json", "application/json", text}, {"evidence.json.asc", "application/pgp-signature", p.Sig}, {"detail.json", "application/json", detail}}
		if s.onParts != nil {
			parts = s.onParts(parts)
		}
		p.Evidence, p.Sig, p.Sealed = nil, nil, tn.sealFor(s.sealer, s.to, entity(parts), s.signedAt)
	}
	if s.onParcel != nil {
		s.onParcel(p)
	}
	return s, p
}

func (tn *town) hear(s *told, p *broker.EvidenceParcel) error {
	home := nord
	if s.dest != ase {
		home = justice
	}
	return tn.at(home).Receive(context.Background(), s.peer, s.dest, broker.Parcel{Evidence: p})
}

// deposited is a town where a U1 signalement was accepted, and not carried yet.
func deposited(t *testing.T) (*town, *steppedClock, broker.Receipt) {
	tn, clock := stepped(t)
	sub := signalement(t, "k")
	sub.Urgency = broker.U1
	return tn, clock, accept(t, tn.at(nord), sub)
}

func TestLawfulEvidences(t *testing.T) {
	for _, event := range []broker.Event{broker.Consigned, broker.ConsignFailed, broker.Quarantined, broker.Alerted, broker.AlertFailed, broker.Fetched, broker.Opened, broker.TakenInCharge, broker.NotExecuted, broker.Returned} {
		t.Run(string(event), func(t *testing.T) {
			tn, _, r := deposited(t)
			if err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, event, nil)); err != nil {
				t.Fatalf("%v %v", err, tn.at(nord).Refusals())
			}
			d, err := tn.at(nord).Dossier(r.ID)
			if err != nil || len(d.Evidences) != 1 {
				t.Fatalf("%d evidences, %v", len(d.Evidences), err)
			}
			if got, want := tn.at(nord).Fold(d, parquet), tn.progress(nord, r.ID, parquet); !equal(got, want) {
				t.Errorf("fold %+v, stored %+v", got, want)
			}
			tn.discreet()
		})
	}
}

func equal(a, b broker.State) bool {
	return a.Progress == b.Progress && a.Closure == b.Closure && a.ClosedAt == b.ClosedAt && a.Flags == b.Flags && a.Acted == b.Acted &&
		slices.Equal(a.Heads, b.Heads) && slices.Equal(a.Named, b.Named)
}

// evidenceAttack is one evidence that must not be believed.
type evidenceAttack struct {
	name   string
	event  broker.Event
	code   string // "" is asked again
	change func(tn *town, s *told)
}

// swappedEvidences: what arrives is not of whom it says, or not about what it says.
func swappedEvidences() []evidenceAttack {
	return []evidenceAttack{
		{"forged with an unknown key", broker.Consigned, broker.RefusedSignature, func(tn *town, s *told) { s.signer = tn.stranger() }},
		{"forged and sealed with an unknown key", broker.Opened, "", func(tn *town, s *told) { s.signer = tn.stranger(); s.sealer = s.signer }},
		{"unsigned", broker.Consigned, broker.RefusedSignature, func(_ *town, s *told) { s.onParcel = func(p *broker.EvidenceParcel) { p.Sig = nil } }},
		{"swapped: of another recipient, signed by this one", broker.Consigned, broker.RefusedSigner, func(_ *town, s *told) { s.e.Recipient = juge }},
		{"swapped: signature of another evidence", broker.Consigned, broker.RefusedSignature, func(tn *town, s *told) {
			_, other := tn.tell(s.e.ID, s.e.HeaderSHA256, broker.Consigned, nil)
			s.onParcel = func(p *broker.EvidenceParcel) { p.Sig = other.Sig }
		}},
		{"swapped: about another header", broker.Consigned, broker.RefusedUnknownPli, func(_ *town, s *told) { s.e.HeaderSHA256 = salt }},
		{"swapped: carried under the digest of another", broker.Consigned, "", func(_ *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) { p.Digest = salt }
		}},
		{"swapped: sealed under the digest of another", broker.Opened, broker.RefusedFormat, func(_ *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) { p.Digest = salt }
		}},
		{"of a party that is no recipient", broker.Consigned, broker.RefusedEvent, func(tn *town, s *told) {
			s.e.Recipient, s.e.By, s.signer = ase, "ase-59", tn.Identities["ase-59"]
			s.e.Home, s.e.Log, s.peer = nord, logOf(nord), nord
		}},
		{"unknown pli", broker.Consigned, broker.RefusedUnknownPli, func(tn *town, s *told) { s.e.ID = uuid7(s.signedAt) }},
		{"by the parquet in the place of the judge", broker.Opened, broker.RefusedSigner, func(_ *town, s *told) { s.e.Recipient, s.d.Recipient = juge, juge }},
		{"signed by the sender itself", broker.Consigned, broker.RefusedSigner, func(tn *town, s *told) {
			s.e.By, s.e.Home, s.e.Log, s.signer, s.peer = "ase-59", nord, logOf(nord), tn.Identities["ase-59"], nord
		}},
		{"consigned by the sender's broker", broker.Consigned, broker.RefusedSigner, func(tn *town, s *told) {
			s.e.By, s.e.Home, s.e.Log, s.signer, s.peer = string(nord), nord, logOf(nord), tn.Identities[string(nord)], nord
		}},
		{"consigned by the recipient's broker", broker.Consigned, broker.RefusedSigner, func(tn *town, s *told) {
			s.e.By, s.signer = string(justice), tn.Identities[string(justice)]
		}},
		{"opened by the recipient's broker", broker.Opened, broker.RefusedSigner, func(tn *town, s *told) {
			s.e.By, s.signer = string(justice), tn.Identities[string(justice)]
		}},
		{"alerted by the recipient itself", broker.Alerted, broker.RefusedSigner, func(tn *town, s *told) { s.e.By, s.signer = "parquet-lille", tn.Identities["parquet-lille"] }},
		{"relayed by a broker that is no relay", broker.Relayed, broker.RefusedSigner, func(tn *town, s *told) { s.e.By, s.signer = string(justice), tn.Identities[string(justice)] }},
		{"accepted, once more", broker.Accepted, broker.RefusedSigner, func(tn *town, s *told) {
			s.e.Recipient, s.e.By, s.e.Home, s.e.Log, s.signer, s.peer, s.dest = "", string(justice), justice, logOf(justice), tn.Identities[string(justice)], justice, ase
		}},
		{"brought by another broker than its home", broker.Consigned, broker.RefusedPeer, func(_ *town, s *told) { s.peer = nord }},
		{"for another home", broker.Consigned, broker.RefusedUnknownPli, func(_ *town, s *told) { s.dest = parquet }},
	}
}

// discordantEvidences: what arrives is dated otherwise, or its detail is not its own.
func discordantEvidences() []evidenceAttack {
	return []evidenceAttack{
		{"back-dated before the deposit", broker.Consigned, broker.ReasonBackDated, func(_ *town, s *told) {
			s.signedAt = s.signedAt.Add(-6 * time.Minute)
			s.e.At = broker.FormatTime(s.signedAt)
		}},
		{"dated otherwise than its signature", broker.Consigned, broker.ReasonBackDated, func(_ *town, s *told) {
			s.e.At = broker.FormatTime(s.signedAt.Add(6 * time.Minute))
		}},
		{"future-dated", broker.Consigned, broker.RefusedFuture, func(_ *town, s *told) {
			s.signedAt = s.signedAt.Add(6 * time.Minute)
			s.e.At = broker.FormatTime(s.signedAt)
		}},
		{"overdue by the recipient's broker", broker.Overdue, broker.RefusedSigner, func(tn *town, s *told) {
			s.e.By, s.e.Home, s.e.Log, s.signer, s.peer, s.dest = string(justice), justice, logOf(justice), tn.Identities[string(justice)], justice, ase
		}},
		{"overdue of a copy", broker.Overdue, broker.RefusedEvent, func(_ *town, s *told) { s.e.Recipient, s.dest = juge, ase }},
		{"another digest of the detail", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.e.DetailSHA256 = salt }},
		{"detail of another event", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.d.Event = broker.TakenInCharge }},
		{"detail of another pli", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.d.ID = uuid7(s.signedAt) }},
		{"detail of another recipient", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.d.Recipient = juge }},
		{"detail of another header", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.d.HeaderSHA256 = salt }},
		{"detail with another reason", broker.Returned, broker.RefusedDetail, func(_ *town, s *told) { s.d.ReasonCode = broker.ReasonOther }},
		{"detail with another date", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.d.DoneAt = "2026-11-20T00:00:00.000Z" }},
		{"passkey without assertion", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) { s.d.Basis = broker.Passkey }},
		{"assertion without passkey", broker.Opened, broker.RefusedDetail, func(_ *town, s *told) {
			s.onParts = func(p []part) []part { return append(p, part{"assertion.json", "application/json", []byte("{}")}) }
		}},
	}
}

// malformedEvidences: what arrives does not have the form of the wire.
func malformedEvidences() []evidenceAttack {
	return []evidenceAttack{
		{"parts in another order", broker.Opened, broker.RefusedFormat, func(_ *town, s *told) {
			s.onParts = func(p []part) []part { return []part{p[2], p[0], p[1]} }
		}},
		{"without the detail", broker.Opened, broker.RefusedFormat, func(_ *town, s *told) { s.onParts = func(p []part) []part { return p[:2] } }},
		{"reason missing", broker.Returned, broker.RefusedFormat, func(_ *town, s *told) { s.e.ReasonCode, s.d.ReasonCode = "", "" }},
		{"reason that is not of the list", broker.ConsignFailed, broker.RefusedFormat, func(_ *town, s *told) { s.e.ReasonCode = broker.ReasonOpposition }},
		{"reason where there is none", broker.Consigned, broker.RefusedFormat, func(_ *town, s *told) { s.e.ReasonCode = broker.ReasonOther }},
		{"registered without date", broker.Registered, broker.RefusedFormat, func(_ *town, s *told) { s.d.Number = "26/000" }},
		{"registered without number", broker.Registered, broker.RefusedDetail, func(_ *town, s *told) {
			s.e.DoneAt = "2026-11-20T00:00:00.000Z"
			s.d.DoneAt = s.e.DoneAt
		}},
		{"white space", broker.Consigned, broker.RefusedFormat, func(_ *town, s *told) {
			s.onEvidence = func(b []byte) []byte { return bytes.Replace(b, []byte(`,`), []byte(`, `), 1) }
		}},
		{"members in another order", broker.Consigned, broker.RefusedFormat, func(_ *town, s *told) {
			s.onEvidence = func(b []byte) []byte {
				return append([]byte(`{"event":"consigned","v":1`), b[len(`{"v":1,"event":"consigned"`):]...)
			}
		}},
		{"log of another broker", broker.Consigned, broker.RefusedFormat, func(_ *town, s *told) { s.e.Log = logOf(nord) }},
		{"sealed to somebody else", broker.Opened, broker.RefusedFormat, func(_ *town, s *told) { s.to = []string{"je-lille"} }},
		{"sealed by another than its signer", broker.Opened, broker.RefusedSigner, func(tn *town, s *told) { s.sealer = tn.Identities["je-lille"] }},
		{"sealed file with a bit changed", broker.Opened, "", func(_ *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) { p.Sealed[len(p.Sealed)-3] ^= 1 }
		}},
		{"sealed file cut", broker.Opened, broker.RefusedFormat, func(_ *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) { p.Sealed = p.Sealed[:len(p.Sealed)-3] }
		}},
		{"a person's act in clear", broker.Opened, broker.RefusedFormat, func(tn *town, s *told) {
			s.onParts = func(p []part) []part {
				s.onParcel = func(e *broker.EvidenceParcel) { e.Evidence, e.Sig, e.Sealed = p[0].b, p[1].b, nil }
				return p
			}
		}},
		{"a machine's fact sealed", broker.Consigned, broker.RefusedDetail, func(tn *town, s *told) {
			s.onParcel = func(e *broker.EvidenceParcel) {
				parts := []part{{"evidence.json", "application/json", e.Evidence}, {"evidence.json.asc", "application/pgp-signature", e.Sig}, {"detail.json", "application/json", s.d.Encode()}}
				e.Evidence, e.Sig, e.Sealed = nil, nil, tn.sealFor(s.sealer, s.to, entity(parts), s.signedAt)
			}
		}},
		{"a sealed file without end", broker.Opened, broker.ReasonTooLarge, func(_ *town, s *told) {
			s.onParcel = func(p *broker.EvidenceParcel) { p.Sealed = make([]byte, 1<<20) }
		}},
		{"key retired before", broker.Consigned, broker.ReasonRetired, func(tn *town, s *told) { tn.revokeAtNord("parquet-lille", s.signedAt.Add(-time.Minute), false) }},
		{"neither pli nor evidence", broker.Consigned, broker.RefusedFormat, nil},
	}
}

func TestEvidenceAttacks(t *testing.T) {
	for _, c := range slices.Concat(swappedEvidences(), discordantEvidences(), malformedEvidences()) {
		t.Run(c.name, func(t *testing.T) {
			tn, _, r := deposited(t)
			before := len(tn.at(nord).Refusals()) + len(tn.at(justice).Refusals())
			s, p := tn.tell(r.ID, r.HeaderSHA256, c.event, func(s *told) {
				if c.change != nil {
					c.change(tn, s)
				}
			})
			if c.change == nil {
				p = nil
			}
			err := tn.hear(s, p)
			if c.code == "" {
				if !errors.Is(err, broker.ErrTemporary) {
					t.Fatalf("got %v, want to be asked again", err)
				}
			} else {
				refusedAs(t, err, c.code)
				got := slices.Concat(tn.at(nord).Refusals(), tn.at(justice).Refusals())
				if p != nil && (len(got) != before+1 || !slices.ContainsFunc(got, func(l string) bool { return strings.HasSuffix(l, " "+c.code) })) {
					t.Errorf("journaled: %q", got)
				}
			}
			tn.untouched(r)
			if c.change == nil {
				return
			}
			// A bad copy takes nobody's place.
			if c.name != "key retired before" {
				if err := tn.hear(tn.tell(r.ID, r.HeaderSHA256, broker.Consigned, nil)); err != nil {
					t.Fatalf("the good one, after: %v", err)
				}
				if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Consigned {
					t.Errorf("%+v", st)
				}
			}
			tn.discreet()
		})
	}
}

// untouched checks that nothing was believed.
func (tn *town) untouched(r broker.Receipt) {
	tn.t.Helper()
	d, err := tn.at(nord).Dossier(r.ID)
	if err != nil || len(d.Evidences) != 0 {
		tn.t.Errorf("%d evidences kept, %v", len(d.Evidences), err)
	}
	for _, p := range []broker.PartyID{parquet, juge} {
		if st := tn.progress(nord, r.ID, p); st.Progress != broker.Accepted || st.Flags != 0 || st.Closure != "" {
			tn.t.Errorf("state of %s: %+v", p, st)
		}
	}
	if a, _ := tn.at(nord).Alarms(); len(a) != 0 {
		tn.t.Errorf("alarms: %v", a)
	}
}
