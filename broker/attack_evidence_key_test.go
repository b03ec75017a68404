package broker_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"vaguemestre/broker"
)

func (tn *town) revokeAtNord(owner string, at time.Time, compromised bool) {
	tn.t.Helper()
	c, err := tn.Identities[owner].Revoke(at, compromised)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.Ring(nord).AddCert(owner, c)
}

// Retired after it signed: the evidence is good.
func TestEvidenceByAKeyRetiredAfter(t *testing.T) {
	tn, clock, r := deposited(t)
	s, p := tn.tell(r.ID, r.HeaderSHA256, broker.Opened, nil)
	clock.advance(time.Hour)
	tn.revokeAtNord("parquet-lille", clock.Now().Add(-time.Minute), false)
	if err := tn.hear(s, p); err != nil {
		t.Fatal(err)
	}
	if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Opened {
		t.Errorf("%+v", st)
	}
}

// Signed with a key revoked as compromised, before or after: kept, shown,
// believed in nothing.
func TestEvidenceByACompromisedKey(t *testing.T) {
	for name, at := range map[string]time.Duration{"before": -time.Minute, "after": time.Minute} {
		for _, event := range []broker.Event{broker.Consigned, broker.TakenInCharge} {
			t.Run(name+" "+string(event), func(t *testing.T) {
				tn, clock, r := deposited(t)
				s, p := tn.tell(r.ID, r.HeaderSHA256, event, nil)
				clock.advance(time.Hour)
				tn.revokeAtNord("parquet-lille", s.signedAt.Add(at), true)
				for range 2 {
					if err := tn.hear(s, p); err != nil {
						t.Fatal(err)
					}
				}
				if n := tn.at(nord).Doubts(r.ID); n != 1 {
					t.Errorf("%d kept", n)
				}
				if st := tn.progress(nord, r.ID, parquet); st.Progress != broker.Accepted || st.Acted {
					t.Errorf("believed: %+v", st)
				}
				if a := tn.alarms(nord, r.ID, parquet); !slices.Equal(a, []broker.Event{broker.Quarantined}) {
					t.Errorf("alarms: %v", a)
				}
				tn.discreet()
			})
		}
	}
}

// The same event twice with other bytes: the first stays. The same bytes
// twice: once.
func TestDuplicateEvidence(t *testing.T) {
	tn, clock, r := deposited(t)
	s, p := tn.tell(r.ID, r.HeaderSHA256, broker.Opened, nil)
	for range 3 {
		if err := tn.hear(s, p); err != nil {
			t.Fatal(err)
		}
	}
	clock.advance(time.Minute)
	s, other := tn.tell(r.ID, r.HeaderSHA256, broker.Opened, func(s *told) { s.d.Reason = "autrement" })
	refusedAs(t, tn.hear(s, other), broker.RefusedDoubled)
	d, err := tn.at(nord).Dossier(r.ID)
	if err != nil || len(d.Evidences) != 1 || broker.Digest(d.Evidences[0].Bytes) != p.Digest || !bytes.Equal(d.Evidences[0].Sealed, p.Sealed) {
		t.Errorf("%d evidences, %v", len(d.Evidences), err)
	}
	// Another sealed file under the digest that is held changes nothing.
	bad := &broker.EvidenceParcel{Digest: p.Digest, Sealed: []byte("x")}
	if err := tn.hear(s, bad); err != nil {
		t.Errorf("a copy of what is held: %v", err)
	}
	if d, _ := tn.at(nord).Dossier(r.ID); !bytes.Equal(d.Evidences[0].Sealed, p.Sealed) {
		t.Error("a bad copy took the place of the good one")
	}
}

// Overdue comes to the recipient's home before the pli itself, which waited:
// it is asked for again, not refused.
func TestOverdueBeforeThePli(t *testing.T) {
	tn, clock, r := deposited(t)
	clock.advance(5 * 24 * time.Hour)
	s, p := tn.tell(r.ID, r.HeaderSHA256, broker.Overdue, nil)
	if err := tn.hear(s, p); !errors.Is(err, broker.ErrTemporary) {
		t.Fatalf("before the pli: %v", err)
	}
	tn.deliver(nord)
	if err := tn.hear(s, p); err != nil {
		t.Fatalf("after the pli: %v", err)
	}
	if !tn.progress(justice, r.ID, parquet).Has(broker.FlagOverdue) {
		t.Error("not overdue")
	}
}

// A consign_failed of another pli under the same id is believed as that only:
// an alarm, no state.
func TestRefusalOfAnotherPliUnderTheSameID(t *testing.T) {
	tn, _, r := deposited(t)
	s, p := tn.tell(r.ID, salt, broker.ConsignFailed, func(s *told) { s.e.ReasonCode = broker.ReasonReplay })
	if err := tn.hear(s, p); err != nil {
		t.Fatal(err)
	}
	if st := tn.progress(nord, r.ID, parquet); st.Flags != 0 {
		t.Errorf("%+v", st)
	}
	if a := tn.alarms(nord, r.ID, parquet); !slices.Equal(a, []broker.Event{broker.ConsignFailed}) {
		t.Errorf("alarms: %v", a)
	}
	s, p = tn.tell(r.ID, salt, broker.ConsignFailed, func(s *told) { s.e.ReasonCode = broker.ReasonUnreadable })
	refusedAs(t, tn.hear(s, p), broker.RefusedUnknownPli)
}
