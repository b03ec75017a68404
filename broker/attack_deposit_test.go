package broker_test

import (
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/crypto/seal"
)

// revoke publishes the revocation of a key at the recipient's.
func (tn *town) revoke(owner string, at time.Time, compromised bool) {
	tn.t.Helper()
	c, err := tn.Identities[owner].Revoke(at, compromised)
	if err != nil {
		tn.t.Fatal(err)
	}
	tn.Ring(justice).AddCert(owner, c)
}

func TestDepositAttacks(t *testing.T) {
	for _, c := range []signedRefusal{
		{name: "deposit missing", code: broker.ReasonDeposit, unplanted: true, change: func(_ *town, _ *steppedClock, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.Deposit, p.DepositSig = nil, nil }
		}},
		{name: "deposit unsigned", code: broker.ReasonDeposit, unplanted: true, change: func(_ *town, _ *steppedClock, d *draft) {
			d.onParcel = func(p *broker.PliParcel) { p.DepositSig = nil }
		}},
		{name: "deposit by another broker", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			d.stamper, d.deposit.By, d.deposit.Home, d.deposit.Log = tn.Identities["courrier-justice-lille"], "courrier-justice-lille", justice, logOf(justice)
		}},
		{name: "deposit by another broker in the name of the right one", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			d.stamper = tn.Identities["courrier-justice-lille"]
		}},
		{name: "deposit that names another home", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) {
			d.deposit.Home, d.deposit.Log = justice, logOf(justice)
		}},
		{name: "deposit that names another signer", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) { d.deposit.By = "ase-59" }},
		{name: "deposit by the sender itself", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			d.stamper, d.deposit.By = tn.Identities["ase-59"], "ase-59"
		}},
		{name: "deposit of another header", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) {
			d.onStamp = func(e *broker.Evidence) { e.HeaderSHA256 = salt }
		}},
		{name: "deposit of another pli", code: broker.ReasonDeposit, unplanted: true, change: func(tn *town, _ *steppedClock, d *draft) {
			other, _ := tn.forgery(nil)
			d.onParcel = func(p *broker.PliParcel) { p.Deposit, p.DepositSig = other.Deposit, other.DepositSig }
		}},
		{name: "another evidence as deposit", code: broker.ReasonDeposit, change: func(_ *town, _ *steppedClock, d *draft) {
			d.deposit.Event, d.deposit.Recipient = broker.Relayed, parquet
		}},
		{name: "back-dated signature", code: broker.ReasonBackDated, change: func(_ *town, _ *steppedClock, d *draft) {
			d.signedAt = d.signedAt.Add(-6 * time.Minute)
		}},
		{name: "signature after the deposit", code: broker.ReasonBackDated, change: func(_ *town, _ *steppedClock, d *draft) {
			d.stampedAt = d.stampedAt.Add(-6 * time.Minute)
		}},
		{name: "deposit that says another date than its signature", code: broker.ReasonBackDated, change: func(_ *town, _ *steppedClock, d *draft) {
			d.signedAt, d.innerAt = d.signedAt.Add(-10*time.Minute), d.innerAt.Add(-10*time.Minute)
			d.onStamp = func(e *broker.Evidence) { e.At = broker.FormatTime(d.signedAt) }
		}},
		{name: "deposit older than thirty days", code: broker.ReasonBackDated, change: func(_ *town, c *steppedClock, d *draft) {
			c.advance(30*day + time.Hour)
		}},
		{name: "06_future_dated", code: broker.ReasonBackDated, change: func(_ *town, c *steppedClock, d *draft) {
			d.signedAt, d.stampedAt = d.signedAt.Add(6*time.Minute), d.stampedAt.Add(6*time.Minute)
		}},
		{name: "inner signature of another day", code: broker.ReasonInnerSignature, change: func(_ *town, c *steppedClock, d *draft) {
			c.advance(2 * day)
			d.signedAt, d.stampedAt = d.signedAt.Add(2*day), d.stampedAt.Add(2*day)
		}},
		{name: "future-dated inner signature", code: broker.ReasonInnerSignature, change: func(_ *town, _ *steppedClock, d *draft) {
			d.innerAt = d.innerAt.Add(time.Hour)
		}},
		// What a party with an old key can do at most: sign before the end, deposit after.
		{name: "05_expired", code: broker.ReasonExpired, change: func(tn *town, c *steppedClock, d *draft) {
			now := c.Now().Truncate(time.Second)
			old := tn.identity(now.Add(-time.Hour), 58*time.Minute)
			for _, b := range []broker.BrokerID{nord, justice} {
				tn.Ring(b).AddCert("ase-59", old.Cert())
			}
			tn.Identities["ase-59"], d.signer = old, old
			d.signedAt, d.innerAt = now.Add(-3*time.Minute), now.Add(-3*time.Minute)
		}},
		{name: "key retired before deposit", code: broker.ReasonRetired, change: func(tn *town, _ *steppedClock, d *draft) {
			tn.revoke("ase-59", d.stampedAt.Add(-time.Minute), false)
		}},
		{name: "04_revoked", code: broker.ReasonRevoked, change: func(tn *town, _ *steppedClock, d *draft) {
			tn.revoke("ase-59", d.stampedAt.Add(-time.Minute), true)
		}},
		{name: "broker's key revoked before deposit", code: broker.ReasonDeposit, change: func(tn *town, _ *steppedClock, d *draft) {
			tn.revoke("courrier-nord", d.stampedAt.Add(-time.Minute), true)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tn, clock := stepped(t)
			tn.refusesSigned(c, clock)
		})
	}
}

// identity is a fresh one; lifetime 0 is the default.
func (tn *town) identity(created time.Time, lifetime time.Duration) *seal.Identity {
	tn.t.Helper()
	id, err := seal.Generate("ASE <ase@example.test>", seal.Options{Created: created.Truncate(time.Second), Lifetime: lifetime})
	if err != nil {
		tn.t.Fatal(err)
	}
	return id
}

// Revoked as compromised between deposit and reception: the sender may have
// written it, or the thief.
func TestKeyRevokedBetweenDepositAndReception(t *testing.T) {
	for _, owner := range []string{"ase-59", "courrier-nord"} {
		t.Run(owner, func(t *testing.T) {
			tn, clock := stepped(t)
			p, d := tn.forgery(nil)
			clock.advance(time.Hour)
			at := clock.Now().Add(-time.Minute)
			c, err := tn.Identities[owner].Revoke(at, true)
			if err != nil {
				t.Fatal(err)
			}
			tn.Ring(justice).AddCert(owner, c)
			tn.quarantines(p, d, broker.ReasonRevoked)
		})
	}
}

// A key retired after the deposit was good when it was used.
func TestKeyRetiredAfterDeposit(t *testing.T) {
	tn, clock := stepped(t)
	p, d := tn.forgery(nil)
	clock.advance(time.Hour)
	tn.revoke("ase-59", clock.Now().Add(-time.Minute), false)
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	if st := tn.progress(justice, d.h.ID, parquet); st.Progress != broker.Consigned || st.Flags != 0 {
		t.Errorf("%+v", st)
	}
}
