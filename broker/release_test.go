package broker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/crypto/keyring"
)

// withheldPlis are the ways into quarantine (DESIGN section 3).
var withheldPlis = []struct {
	name  string
	owner string // whose key is revoked between deposit and reception
	large bool
	form  bool // a U0 whose document fails its schema
}{
	{name: "key of the sender revoked", owner: "ase-59"},
	{name: "key of its broker revoked", owner: "courrier-nord"},
	{name: "key of the sender revoked, large body", owner: "ase-59", large: true},
	{name: "faulty document of a U0", form: true},
}

// withhold makes one such pli and has it judged. Both ends know that it is withheld.
func withhold(t *testing.T, owner string, large, form bool) (*town, *broker.PliParcel, *draft) {
	t.Helper()
	tn, clock := stepped(t)
	p, d := tn.forgery(func(d *draft) {
		if large {
			d.parts[3].b = noise(200_000)
			d.acte.PiecesSHA256 = []string{broker.Digest(d.parts[3].b)}
		}
		if form {
			d.h.Urgency, d.inner.Urgency = broker.U0, broker.U0
			d.parts[2].b = []byte(`{"auteur":{"nom":"` + canary + `"}}`)
			d.acte.DocumentSHA256 = broker.Digest(d.parts[2].b)
		}
	})
	if err := tn.at(nord).Plant(context.Background(), p, d.body); err != nil {
		t.Fatal(err)
	}
	clock.advance(time.Hour)
	if owner != "" {
		c, err := tn.Identities[owner].Revoke(clock.Now().Add(-time.Minute), true)
		if err != nil {
			t.Fatal(err)
		}
		tn.Ring(justice).AddCert(owner, c)
	}
	if err := tn.receive(p); err != nil {
		t.Fatal(err)
	}
	tn.deliver(justice)
	for _, b := range []broker.BrokerID{nord, justice} {
		if !tn.progress(b, d.h.ID, parquet).Has(broker.FlagQuarantined) {
			t.Fatalf("not withheld at %s", b)
		}
	}
	return tn, p, d
}

func release(d *draft) broker.Release {
	return broker.Release{
		ID: d.h.ID, Party: parquet, Actor: broker.Actor{Name: canary, Function: "permanence"}, Basis: broker.Declared,
		Reason: "confirmé par téléphone par " + canary,
	}
}

// A person lets through what is withheld: delivered at both ends, no alarm
// left, an application may take it; the reason is kept for the recipient alone
// until it is erased. Said again, it is the answer of then.
func TestRelease(t *testing.T) {
	for _, c := range withheldPlis {
		t.Run(c.name, func(t *testing.T) {
			tn, p, d := withhold(t, c.owner, c.large, c.form)
			ctx, r := context.Background(), release(d)
			done, repeated, err := tn.at(justice).Release(ctx, r)
			if err != nil || repeated {
				t.Fatalf("released: %v, repeated %v", err, repeated)
			}
			if e, err := broker.ParseEvidence(done.Evidence); err != nil || e.Event != broker.Consigned || e.By != string(parquet) || len(e.Prev) == 0 || broker.Digest(done.Evidence) != done.Digest {
				t.Errorf("%v: %+v", err, e)
			}
			tn.deliver(justice)
			for _, b := range []broker.BrokerID{nord, justice} {
				st := tn.progress(b, d.h.ID, parquet)
				if st.Progress != broker.Consigned || st.Flags != 0 || len(tn.alarms(b, d.h.ID, parquet)) != 0 {
					t.Errorf("at %s: %+v, alarms %v", b, st, tn.alarms(b, d.h.ID, parquet))
				}
				if dossier, err := tn.at(b).Dossier(d.h.ID); err != nil || !equal(tn.at(b).Fold(dossier, parquet), st) {
					t.Errorf("at %s: the state is not what its evidences say: %v", b, err)
				}
			}
			tn.saysAgain(r, done)
			if err := tn.receive(p); err != nil { // carried again: nothing is withheld anew
				t.Fatal(err)
			}
			tn.deliver(justice)
			if st := tn.progress(nord, d.h.ID, parquet); st.Flags != 0 {
				t.Errorf("carried again: %+v", st)
			}
			tn.discreet()
			tn.erasesReason(p, r)
		})
	}
}

// saysAgain checks a release that is repeated, in the same words and in others,
// also by a broker that was started again.
func (tn *town) saysAgain(r broker.Release, done broker.Acted) {
	t, ctx := tn.t, context.Background()
	t.Helper()
	tn.restart(justice)
	size := tn.Nodes[justice].Journal.Head().Size
	again, repeated, err := tn.at(justice).Release(ctx, r)
	if err != nil || !repeated || !bytes.Equal(again.Evidence, done.Evidence) || !bytes.Equal(again.Sig, done.Sig) || again.Digest != done.Digest {
		t.Errorf("said again: %v, repeated %v", err, repeated)
	}
	other := r
	other.Reason = "une autre raison"
	if _, _, err := tn.at(justice).Release(ctx, other); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("in other words: %v", err)
	}
	if now := tn.Nodes[justice].Journal.Head().Size; now != size {
		t.Errorf("%d leaves more", now-size)
	}
	kept, err := tn.at(justice).Released(ctx, r.ID, parquet)
	if err != nil || kept.Reason != r.Reason || kept.Actor != r.Actor {
		t.Errorf("the reason: %v", err)
	}
	if _, err := tn.at(justice).Released(ctx, r.ID, juge); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("the reason, for another party: %v", err)
	}
	if _, err := tn.at(nord).Released(ctx, r.ID, parquet); !errors.Is(err, broker.ErrNotFound) {
		t.Errorf("the reason, elsewhere: %v", err)
	}
}

// erasesReason checks that a purge takes the reason too, and leaves a journal
// that holds together.
func (tn *town) erasesReason(p *broker.PliParcel, r broker.Release) {
	t, ctx := tn.t, context.Background()
	t.Helper()
	// The purge waits for the recipient of a copy that lives here too.
	if err := tn.at(justice).Receive(ctx, nord, juge, broker.Parcel{Pli: p}); err != nil {
		t.Fatal(err)
	}
	if err := tn.at(justice).Purge(ctx, r.ID); err != nil {
		t.Fatal(err)
	}
	if kept, err := tn.at(justice).Released(ctx, r.ID, parquet); err != nil || kept != nil {
		t.Errorf("the reason is left: %v", err)
	}
	if _, _, err := tn.at(justice).Release(ctx, r); !errors.Is(err, broker.ErrAlready) {
		t.Errorf("after the purge: %v", err)
	}
	if err := tn.Nodes[justice].Close(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := boltstore.Verify(ctx, tn.Dir(justice), nil); err != nil {
		t.Errorf("verify: %v", err)
	}
	if _, err := tn.OpenNode(ctx, justice); err != nil {
		t.Fatal(err)
	}
}

// The proof of a pli that was let through stands alone, where its signatures do:
// a telephone call makes no signature of a stolen key good again, and a reader
// who knows of the revocation is told so, by both verifiers.
func TestExportOfAReleasedPli(t *testing.T) {
	for _, c := range withheldPlis {
		t.Run(c.name, func(t *testing.T) {
			tn, _, d := withhold(t, c.owner, c.large, c.form)
			if _, _, err := tn.at(justice).Release(context.Background(), release(d)); err != nil {
				t.Fatal(err)
			}
			tn.deliver(justice)
			for _, b := range []broker.BrokerID{nord, justice} {
				out := filepath.Join(t.TempDir(), "export")
				if _, err := export.Write(context.Background(), tn.at(b), d.h.ID, out, export.Options{}); err != nil {
					t.Fatalf("export at %s: %v", b, err)
				}
				stolen := b == justice && c.owner != "" // the other end was not told yet
				report, err := export.Verify(out, export.Anchors(tn.Directory), keyring.Verifier{})
				switch {
				case stolen && (err == nil || !strings.Contains(err.Error(), "revoked as compromised")):
					t.Errorf("verify of %s: %v", b, err)
				case !stolen && (err != nil || len(report.Facts) != 2 || report.Facts[0].Event != broker.Quarantined || report.Facts[1].Event != broker.Consigned):
					t.Errorf("verify of %s: %v, %+v", b, err, report.Facts)
				}
				tn.script(out, stolen)
			}
		})
	}
}

// script holds verifier.sh to a verdict.
func (tn *town) script(dir string, refused bool) {
	tn.t.Helper()
	for tool, debian := range map[string]string{"gpg": "gpg", "sha256sum": "coreutils", "xxd": "xxd"} {
		if _, err := exec.LookPath(tool); err == nil {
			continue
		}
		if os.Getenv("CI") == "true" {
			tn.t.Fatalf("%s is missing: install the Debian package %s", tool, debian)
		}
		tn.t.Skipf("%s is missing: install the Debian package %s", tool, debian)
	}
	args := []string{filepath.Join(dir, "verifier.sh")}
	for _, a := range export.Anchors(tn.Directory) {
		args = append(args, a.String())
	}
	said, err := exec.Command("sh", args...).CombinedOutput()
	if word := "VÉRIFIÉ"; !refused && (err != nil || !strings.Contains(string(said), word)) {
		tn.t.Errorf("verifier.sh: %v\n%s", err, said)
	}
	if word := "ÉCHEC"; refused && (err == nil || !strings.Contains(string(said), word)) {
		tn.t.Errorf("verifier.sh: %v\n%s", err, said)
	}
}

// A release is refused where there is nothing to release, and changes nothing.
func TestReleaseRefused(t *testing.T) {
	tn, _, d := withhold(t, "ase-59", false, false)
	ctx := context.Background()
	refused := func(what, field string, change func(*broker.Release)) {
		t.Helper()
		r := release(d)
		change(&r)
		size := tn.Nodes[justice].Journal.Head().Size
		_, _, err := tn.at(justice).Release(ctx, r)
		var refusal *broker.Refusal
		if field == "" && !errors.Is(err, broker.ErrNotFound) || field != "" && (!errors.As(err, &refusal) || refusal.Field != field || refusal.Code == broker.RefusedEvent && refusal.Hint == "") {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error names a person", what)
		}
		if now := tn.Nodes[justice].Journal.Head().Size; now != size {
			t.Errorf("%s: %d leaves more", what, now-size)
		}
	}
	refused("nobody", "actor", func(r *broker.Release) { r.Actor.Name = "" })
	refused("no reason", "reason", func(r *broker.Release) { r.Reason = " \n" })
	refused("reason too long", "detail", func(r *broker.Release) { r.Reason = strings.Repeat("x", 70_000) })
	refused("reason not UTF-8", "reason", func(r *broker.Release) { r.Reason = "\xff" })
	refused("reason with control characters", "reason", func(r *broker.Release) { r.Reason = "confirmé\x1b[2J" })
	refused("passkey", "basis", func(r *broker.Release) { r.Basis = broker.Passkey })
	refused("no such pli", "", func(r *broker.Release) { r.ID = uuid7(time.Now()) })
	refused("a party elsewhere", "", func(r *broker.Release) { r.Party = ase })
	refused("a recipient that it has not reached", "", func(r *broker.Release) { r.Party = juge })

	// What is delivered, or was acted on, is not withheld.
	lawful := accept(t, tn.at(nord), signalement(t, "k"))
	tn.deliver(nord)
	refused("delivered", "id", func(r *broker.Release) { r.ID = lawful.ID })
	next := tn.identity(tn.Plan.Now().Add(-time.Minute), 0)
	tn.Ring(justice).AddCert("ase-59", next.Cert())
	if _, err := tn.at(justice).Acknowledge(ctx, takenInCharge(d.h.ID)); err != nil {
		t.Fatal(err)
	}
	refused("acted on", "id", func(*broker.Release) {})
}

// What cannot be read any more is not said to be at anybody's disposal.
func TestReleaseOfWhatCannotBeRead(t *testing.T) {
	ctx := context.Background()
	t.Run("erased", func(t *testing.T) {
		tn, _, d := withhold(t, "ase-59", false, false)
		// The purge waits for the recipient of a copy that lives here too.
		if err := tn.at(justice).Receive(ctx, nord, juge, broker.Parcel{Pli: tn.sign(d)}); err != nil {
			t.Fatal(err)
		}
		if err := tn.at(justice).Purge(ctx, d.h.ID); err != nil {
			t.Fatal(err)
		}
		_, _, err := tn.at(justice).Release(ctx, release(d))
		refusedAs(t, err, broker.ReasonUnreadable)
	})
	t.Run("damaged", func(t *testing.T) {
		tn, _, d := withhold(t, "ase-59", true, false)
		files := tn.bodyFiles(justice)
		if len(files) != 1 {
			t.Fatalf("%d files", len(files))
		}
		b := readFile(t, files[0])
		b[len(b)/2] ^= 1
		if err := os.Chmod(files[0], 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(files[0], b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err := tn.at(justice).Release(ctx, release(d))
		refusedAs(t, err, broker.ReasonUnreadable)
		if st := tn.progress(justice, d.h.ID, parquet); !st.Has(broker.FlagQuarantined) {
			t.Errorf("%+v", st)
		}
	})
}

// Two people press at once: one evidence, and each hears it, or that somebody
// said so in other words.
func TestReleaseTwiceAtOnce(t *testing.T) {
	tn, _, d := withhold(t, "", false, true)
	var wait sync.WaitGroup
	digests := make([]string, 8)
	for i := range digests {
		wait.Go(func() {
			done, _, err := tn.at(justice).Release(context.Background(), release(d))
			if err != nil {
				t.Errorf("%d: %v", i, err)
			}
			digests[i] = done.Digest
		})
	}
	wait.Wait()
	if len(slices.Compact(digests)) != 1 {
		t.Error("several evidences")
	}
	n := 0
	_ = tn.Nodes[justice].Journal.View(func(v journal.View) error {
		n = len(v.Heads(broker.TopicEvidence, string(ase), tn.Plan.Now(), 64))
		return nil
	})
	if n != 1 {
		t.Errorf("%d evidences travel", n)
	}
}

// A person who sends back what was withheld does not lose sight of it: it stays
// readable and is not judged anew, and a purge erases it.
func TestWithheldThenReturned(t *testing.T) {
	for _, event := range []broker.Event{broker.Returned, broker.Redirected} {
		tn, p, d := withhold(t, "", false, true)
		ctx := context.Background()
		a := takenInCharge(d.h.ID)
		a.Event, a.ReasonCode = event, broker.ReasonOther
		if event == broker.Redirected {
			a.RedirectedTo, a.RedirectedID = juge, uuid7(tn.Plan.Now())
		}
		if _, err := tn.at(justice).Acknowledge(ctx, a); err != nil {
			t.Fatal(err)
		}
		if _, _, err := tn.at(justice).Release(ctx, release(d)); event == broker.Returned && err == nil {
			t.Errorf("%s: released after it", event)
		}
		for _, to := range []broker.PartyID{parquet, juge} {
			if err := tn.at(justice).Receive(ctx, nord, to, broker.Parcel{Pli: p}); err != nil {
				t.Fatal(err)
			}
		}
		c, err := tn.at(justice).Read(ctx, d.h.ID, parquet)
		if err != nil {
			t.Fatalf("%s: %v", event, err)
		}
		c.Close()
		dossier, err := tn.at(justice).Dossier(d.h.ID)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range dossier.Evidences {
			if e.Evidence.Event == broker.Quarantined && e.Evidence.Recipient == parquet {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: judged %d times", event, n)
		}
		tn.deliver(justice)
		if err := tn.at(justice).Purge(ctx, d.h.ID); err != nil || tn.holds(justice, journal.BodyName(d.h.BodySHA256)) {
			t.Errorf("%s: the body survives the purge: %v", event, err)
		}
	}
}
