package export_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

// A complete forgery: every key is fresh, everything is consistent.
func TestCompleteForgeryWithFreshKeys(t *testing.T) {
	w, forged := newWorld(t), newWorld(t)
	dir, _ := forged.export(forged.story(), nord, export.Options{Open: true})
	_, err := verify(dir, w.anchors())
	wantFault(t, err, "export.sha256", "no anchor of courrier-nord")
	scriptRefuses(t, dir, w.anchors())
	if _, err := verify(dir, forged.anchors()); err != nil {
		t.Errorf("by the forger's own anchors: %v", err)
	}
}

const consignedParquet = "evidence/02-consigned-parquet-lille.json"

// later moves an instant of the wire.
func later(s string, d time.Duration) string {
	at, err := time.Parse(broker.TimeForm, s)
	if err != nil {
		return "not an instant"
	}
	return broker.FormatTime(at.Add(d))
}

func TestForgeries(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	sameHeader := func(change func(*broker.Header)) func(f *forger) {
		return func(f *forger) {
			h := f.header()
			change(&h)
			f.files["header.json"] = h.Encode()
			f.sign("header.json", string(ase), h.Sent())
		}
	}
	other := sameHeader(func(h *broker.Header) { h.ContentSHA256 = broker.Digest([]byte("other content")) })
	cases := []forgery{
		{"second header of the sender, same id and body, with the evidences of the first", "deposit.json", "another header", func(f *forger) {
			other(f)
			f.inscribe()
		}},
		{"second header, deposit forged by the sender", "deposit.json", "no anchor of courrier-nord", func(f *forger) {
			other(f)
			f.edit("deposit.json", string(ase), func(e *broker.Evidence) { e.HeaderSHA256 = broker.Digest(f.files["header.json"]) })
			f.inscribe()
		}},
		{"second header, deposit by its broker too", "evidence/02-consigned", "another header", func(f *forger) {
			other(f)
			f.edit("deposit.json", "", func(e *broker.Evidence) { e.HeaderSHA256 = broker.Digest(f.files["header.json"]) })
			f.inscribe()
		}},
		{"a recipient taken out of the header", "deposit.json", "another header", func(f *forger) {
			sameHeader(func(h *broker.Header) { h.Cc = nil })(f)
			f.inscribe()
		}},
		{"another body", "body.pgp", "not the body", func(f *forger) {
			f.files["body.pgp"] = append(bytes.Clone(f.files["body.pgp"]), 0)
			f.list()
		}},
		{"body taken away without a purge", "body.pgp", "missing", func(f *forger) {
			delete(f.files, "body.pgp")
			f.list()
		}},
		{"body taken away, purge attested by the recipient's broker only", "body.pgp", "missing", func(f *forger) {
			delete(f.files, "body.pgp")
			f.add(broker.Evidence{Event: broker.Purged, Recipient: parquet, By: string(justice), Home: justice}, string(justice))
			f.inscribe()
		}},
		{"body taken away, purge attested by the sender", "evidence/06-purged", "may not attest", func(f *forger) {
			delete(f.files, "body.pgp")
			f.add(broker.Evidence{Event: broker.Purged, By: string(ase), Home: nord}, string(ase))
			f.inscribe()
		}},
		{"deposit stamped by the recipient's broker", "deposit.json", "not the anchored home", func(f *forger) {
			f.edit("deposit.json", "", func(e *broker.Evidence) {
				e.By, e.Home, e.Log.Broker = string(justice), justice, justice
				e.Log.Origin = strings.Replace(e.Log.Origin, string(nord), string(justice), 1)
			})
			f.inscribe()
		}},
		{"deposit signed an hour later", "deposit.json", "not the hour", func(f *forger) {
			f.sign("deposit.json", string(nord), f.at.Add(time.Hour))
			f.inscribe()
		}},
		{"back-dated deposit", "header.json", "not the hour of the deposit", func(f *forger) {
			f.edit("deposit.json", "", func(e *broker.Evidence) { e.At = later(e.At, -time.Hour) })
			f.inscribe()
		}},
		{"header signed an hour before its deposit", "header.json", "not the hour of the deposit", func(f *forger) {
			f.sign("header.json", string(ase), f.header().Sent().Add(-time.Hour))
			f.inscribe()
		}},
		{"list signed by another broker", "export.sha256", "no anchor of courrier-nord", func(f *forger) {
			f.sign("export.sha256", string(justice), f.at)
		}},
		{"checkpoint signed by another broker", "checkpoint.txt", "no anchor of courrier-nord", func(f *forger) {
			f.sign("checkpoint.txt", string(justice), f.at)
			f.list()
		}},
	}
	for _, who := range []string{string(ase), string(parquet), string(juge), string(nord), string(justice)} {
		if who == string(parquet) {
			continue
		}
		cases = append(cases, forgery{"all evidences signed by " + who, consignedParquet, "no anchor of parquet-lille", func(f *forger) {
			for _, name := range f.facts()[2:] {
				f.edit(name, who, func(*broker.Evidence) {})
			}
			f.inscribe()
		}})
	}
	runForgeries(t, w, dir, true, cases)
}

func TestForgedEvidences(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	inOwnName := func(by string, home broker.BrokerID) func(*broker.Evidence) {
		return func(e *broker.Evidence) {
			e.By, e.Home, e.Log.Broker = by, home, home
			e.Log.Origin = string(home) + "/log/" + strings.Repeat("ab", 16)
		}
	}
	extra := func(name, what string, e broker.Evidence) forgery {
		return forgery{name, "evidence/06-" + string(e.Event), what, func(f *forger) {
			f.add(e, e.By)
			f.inscribe()
		}}
	}
	cases := []forgery{
		{"consigned of a party, by another party of that house", consignedParquet, "may not attest", func(f *forger) {
			f.edit(consignedParquet, string(juge), inOwnName(string(juge), justice))
			f.inscribe()
		}},
		{"consigned of a party, by its own broker", consignedParquet, "may not attest", func(f *forger) {
			f.edit(consignedParquet, string(justice), inOwnName(string(justice), justice))
			f.inscribe()
		}},
		{"consigned of a party, by the sender", consignedParquet, "may not attest", func(f *forger) {
			f.edit(consignedParquet, string(ase), inOwnName(string(ase), nord))
			f.inscribe()
		}},
		{"consigned of a party, by it, made at another home", consignedParquet, "no anchor of parquet-lille", func(f *forger) {
			f.edit(consignedParquet, string(parquet), inOwnName(string(parquet), nord))
			f.inscribe()
		}},
		{"back-dated evidence, truly signed then", consignedParquet, "earlier than the deposit", func(f *forger) {
			f.edit(consignedParquet, "", func(e *broker.Evidence) { e.At = later(e.At, -time.Hour) })
			f.inscribe()
		}},
		{"back-dated evidence, signed now", consignedParquet, "not the hour", func(f *forger) {
			f.edit(consignedParquet, "", func(e *broker.Evidence) { e.At = later(e.At, 2*time.Hour) })
			f.sign(consignedParquet, string(parquet), f.at.Add(-time.Hour))
			f.inscribe()
		}},
		{"an evidence of another pli", consignedParquet, "another pli", func(f *forger) {
			f.edit(consignedParquet, "", func(e *broker.Evidence) { e.ID = "019aa3d0-1188-7a90-8c11-0f3e5d7b9a24" })
			f.inscribe()
		}},
		{"a name that says another event", "evidence/02-fetched-parquet-lille.json", "does not say", func(f *forger) {
			f.files["evidence/02-fetched-parquet-lille.json"] = f.files[consignedParquet]
			f.files["evidence/02-fetched-parquet-lille.json.asc"] = f.files[consignedParquet+".asc"]
			delete(f.files, consignedParquet)
			delete(f.files, consignedParquet+".asc")
			f.list()
		}},
		{"an evidence twice", "evidence/06-consigned", "twice", func(f *forger) {
			f.files["evidence/06-consigned-parquet-lille.json"] = f.files[consignedParquet]
			f.files["evidence/06-consigned-parquet-lille.json.asc"] = f.files[consignedParquet+".asc"]
			f.place[6], f.size = f.size, f.size+1
			f.inscribe()
		}},
		{"an evidence cut in the middle", "evidence/04-opened", "its name", func(f *forger) {
			name := f.file("03-consigned-je-lille.json.asc")
			delete(f.files, name)
			delete(f.files, strings.TrimSuffix(name, ".asc"))
			f.list()
		}},
		{"the last evidence cut", "proof.json", "not one leaf", func(f *forger) {
			for _, suffix := range []string{".json", ".json.asc", ".detail.pgp"} {
				delete(f.files, "evidence/05-taken_in_charge-parquet-lille"+suffix)
			}
			f.list()
		}},
		{"a sealed act beside a machine's evidence", ".detail.pgp", "unexpected", func(f *forger) {
			f.files["evidence/02-consigned-parquet-lille.detail.pgp"] = []byte("x")
			f.list()
		}},
		extra("overdue by the recipient's broker", "may not attest", broker.Evidence{Event: broker.Overdue, Recipient: parquet, By: string(justice), Home: justice}),
		extra("overdue of a copy", "a copy", broker.Evidence{Event: broker.Overdue, Recipient: juge, By: string(nord), Home: nord}),
		extra("alerted by the sender's broker", "may not attest", broker.Evidence{Event: broker.Alerted, Recipient: parquet, By: string(nord), Home: nord}),
		extra("relayed by a party", "may not attest", broker.Evidence{Event: broker.Relayed, Recipient: parquet, By: string(juge), Home: justice}),
		extra("a second deposit by another broker", "may not attest", broker.Evidence{Event: broker.Accepted, By: string(justice), Home: justice}),
		extra("consigned for all", "table of events", broker.Evidence{Event: broker.Consigned, By: string(parquet), Home: justice}),
		extra("a refusal without its reason", "table of events", broker.Evidence{Event: broker.ConsignFailed, Recipient: juge, By: string(juge), Home: justice}),
		extra("a refusal by the sender's broker", "may not attest", broker.Evidence{Event: broker.ConsignFailed, ReasonCode: broker.ReasonUnreadable, Recipient: juge, By: string(nord), Home: nord}),
		extra("an act without its detail", "table of events", broker.Evidence{Event: broker.Returned, ReasonCode: broker.ReasonOther, Recipient: juge, By: string(juge), Home: justice}),
		extra("of somebody who is no recipient", "none of the pli", broker.Evidence{Event: broker.Consigned, Recipient: "tiers", By: string(juge), Home: justice}),
	}
	runForgeries(t, w, dir, slow(), cases)
}

func TestForgedJournal(t *testing.T) {
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	replace := func(name, old, new string) func(f *forger) {
		return func(f *forger) {
			if !bytes.Contains(f.files[name], []byte(old)) {
				f.t.Fatalf("%s holds no %q", name, old)
			}
			f.files[name] = bytes.Replace(f.files[name], []byte(old), []byte(new), 1)
			f.list()
		}
	}
	relist := func(do func(f *forger)) func(f *forger) {
		return func(f *forger) {
			f.inscribe()
			do(f)
			f.list()
		}
	}
	cases := []forgery{
		{"two leaves swapped", "leaf/02.json", "not the leaf", relist(func(f *forger) {
			f.files["leaf/02.json"], f.files["leaf/03.json"] = f.files["leaf/03.json"], f.files["leaf/02.json"]
		})},
		{"another size", "checkpoint.txt", "proof.json", replace("proof.json", `,"root":"`, `1,"root":"`)},
		{"a forged inclusion path", "proof.json", "not under the root", relist(func(f *forger) {
			p := f.files["proof.json"]
			at := bytes.Index(p, []byte(`"path":["`)) + len(`"path":["`)
			copy(p[at:], broker.Digest([]byte("forged")))
		})},
		{"an inclusion path one node longer", "proof.json", "not under the root", relist(func(f *forger) {
			f.files["proof.json"] = bytes.Replace(f.files["proof.json"], []byte(`"path":[`), []byte(`"path":["`+broker.Digest(nil)+`",`), 1)
		})},
		{"an inclusion path one node shorter", "proof.json", "not under the root", relist(func(f *forger) {
			p := f.files["proof.json"]
			at := bytes.Index(p, []byte(`"path":[`)) + len(`"path":[`)
			f.files["proof.json"] = append(bytes.Clone(p[:at]), p[at+len(broker.Digest(nil))+3:]...)
		})},
		{"another tree under the same checkpoint", "checkpoint.txt", "proof.json", relist(func(f *forger) {
			text, sig := f.files["checkpoint.txt"], f.files["checkpoint.txt.asc"]
			f.size++
			f.inscribe()
			f.files["checkpoint.txt"], f.files["checkpoint.txt.asc"] = text, sig
		})},
		{"a leaf that says another event", "leaf/02.json", "another fact", func(f *forger) {
			f.inscribe()
			l := f.leaf(2)
			l.Type = string(broker.Alerted)
			f.relog(2, l.Append(nil))
		}},
		{"a leaf of another evidence", "leaf/02.json", "another fact", func(f *forger) {
			f.inscribe()
			l := f.leaf(2)
			l.Digest = broker.Digest(nil)
			f.relog(2, l.Append(nil))
		}},
		{"journaled before it was signed", "leaf/02.json", "before it was signed", func(f *forger) {
			f.inscribe()
			l := f.leaf(2)
			l.At = l.At.Add(-3 * time.Hour)
			f.relog(2, l.Append(nil))
		}},
		{"a deposit that cites a longer journal", "leaf/01.json", "longer journal", func(f *forger) {
			f.edit("deposit.json", "", func(e *broker.Evidence) {
				e.Log.Origin, e.Log.Size = string(nord)+"/log/"+strings.Repeat("cd", 16), 99
			})
			for _, name := range f.facts()[2:] {
				f.edit(name, "", func(e *broker.Evidence) { e.Prev = nil })
			}
			f.inscribe()
		}},
		{"evidences in another order", "proof.json", "order of the journal", func(f *forger) {
			f.place[2], f.place[5] = f.place[5], f.place[2]
			f.inscribe()
		}},
		{"one leaf for two facts", "leaf/03.json", "", relist(func(f *forger) {
			f.files["leaf/03.json"] = f.files["leaf/02.json"]
		})},
	}
	runForgeries(t, w, dir, slow(), cases)
}

// relog changes one leaf and makes proof, checkpoint and list again.
func (f *forger) relog(i int, leaf []byte) {
	leaves := make([][]byte, f.size)
	for n := range leaves {
		leaves[n] = []byte{byte(n)}
	}
	f.files[leafPath(i)] = leaf
	for k := range f.facts() {
		leaves[f.place[k]] = f.files[leafPath(k)]
	}
	f.prove(leaves).list()
}
