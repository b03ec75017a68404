package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"vaguemestre/broker/journal"
)

// Dossier is everything that this journal holds of one pli, byte for byte: the
// matter of an export.
type Dossier struct {
	ID                  string
	Header              Header
	HeaderBytes         []byte
	HeaderSig           []byte
	Deposit, DepositSig []byte
	Body                func(context.Context) (io.ReadCloser, error) // ErrNotFound once erased
	Directory           []byte                                       // in force when the pli was judged here
	Certs               []DossierCert                                // as they were when judged, in the order of the judgements
	Evidences           []DossierEvidence                            // in the order of this journal, the deposit not included
	Position            uint64                                       // of the pli (journal.View.Position)
	DepositPosition     uint64
}

// DossierCert is one certificate of a signer.
type DossierCert struct {
	Owner       string // party or broker
	Fingerprint string
	Bytes       []byte // as it was when judged
	Current     []byte // as it is now: a later revocation shows here; nil once its owner is listed no more
}

// DossierEvidence is one evidence as it is held.
type DossierEvidence struct {
	Evidence   Evidence
	Bytes, Sig []byte
	Sealed     []byte // nil when clear, or erased
	Position   uint64
}

// Dossier gathers a pli for a proof. It returns ErrNotFound when the journal
// does not hold it, or holds no valid deposit stamp of it.
func (b *Broker) Dossier(id string) (*Dossier, error) {
	h, rec, err := b.record(id)
	if err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	if rec.Deposit == "" {
		return nil, fmt.Errorf("dossier: no deposit stamp: %w", ErrNotFound)
	}
	d := &Dossier{ID: id, Header: h, Position: rec.Pos, DepositPosition: rec.DepositPos}
	err = b.journal.View(func(v journal.View) error {
		parcel, err := b.pliParcel(v, id)
		if err != nil {
			return err
		}
		d.HeaderBytes, d.HeaderSig, d.Deposit, d.DepositSig, d.Body = parcel.Header, parcel.HeaderSig, parcel.Deposit, parcel.DepositSig, parcel.Body
		if d.Directory, err = v.Object(rec.Directory); err != nil {
			return err
		}
		home, _ := b.home(h.From)
		deposit, err := ParseEvidence(d.Deposit)
		if err == nil {
			home = deposit.Home
		}
		if err := d.addCert(v, string(h.From), rec.FromCert); err != nil {
			return err
		}
		if err := d.addCert(v, string(home), rec.DepositCert); err != nil {
			return err
		}
		return d.addEvidences(v, rec.Header)
	})
	if err != nil {
		return nil, fmt.Errorf("dossier: %w", err)
	}
	return d, b.nameCerts(d)
}

// nameCerts reads the fingerprint of each certificate from the bytes that were
// kept: its owner may have left the directory since. Outside the transaction,
// which must be short.
func (b *Broker) nameCerts(d *Dossier) error {
	for i := range d.Certs {
		c := &d.Certs[i]
		fpr, err := b.keys.Fingerprint(c.Bytes)
		if err != nil {
			return fmt.Errorf("dossier: certificate of %s: %w", c.Owner, err)
		}
		c.Fingerprint = fpr
		c.Current, _ = b.keys.Cert(fpr)
	}
	return nil
}

func (d *Dossier) addEvidences(v journal.View, header string) error {
	var failed error
	eachEvidence(v, d.ID, func(pos uint64, rec evidenceRecord) bool {
		e := DossierEvidence{Position: pos}
		if e.Bytes, failed = v.Object(rec.Digest); failed != nil {
			return false
		}
		if e.Evidence, failed = ParseEvidence(e.Bytes); failed != nil {
			return false
		}
		if e.Evidence.HeaderSHA256 != header {
			return true // a refusal of another pli that used this id
		}
		if e.Sig, failed = v.Object(rec.Sig); failed != nil {
			return false
		}
		if rec.Sealed != "" {
			e.Sealed, failed = v.Blob(rec.Sealed)
			if errors.Is(failed, journal.ErrNotFound) { // erased
				failed = nil
			}
			if failed != nil {
				return false
			}
		}
		d.Evidences = append(d.Evidences, e)
		failed = d.addCert(v, e.Evidence.By, rec.Cert)
		return failed == nil
	})
	return failed
}

func (d *Dossier) addCert(v journal.View, owner, digest string) error {
	if slices.ContainsFunc(d.Certs, func(c DossierCert) bool { return c.Owner == owner && Digest(c.Bytes) == digest }) {
		return nil
	}
	cert, err := v.Object(digest)
	if err != nil {
		return fmt.Errorf("certificate of %s: %w", owner, err)
	}
	d.Certs = append(d.Certs, DossierCert{Owner: owner, Bytes: cert})
	return nil
}

// OpenEvidence opens a sealed evidence of a dossier as a party that lives
// here: its signer, or the sender of the pli.
func (b *Broker) OpenEvidence(ctx context.Context, sealed []byte, as PartyID) (*OpenedEvidence, error) {
	if !b.atHome(as) {
		return nil, ErrNotFound
	}
	return b.openSealed(ctx, sealed, string(as))
}

// Pair is one recipient of a pli and what became of it there.
type Pair struct {
	Recipient PartyID
	Copy      bool
	State     State
	Alarms    []Event // causes that wait for an act
}

// Status is what this journal knows of a pli.
type Status struct {
	Header Header
	Sent   bool // deposited here
	Pairs  []Pair
}

// Status tells the state of every pair of a pli that this journal knows.
func (b *Broker) Status(id string) (Status, error) {
	h, rec, err := b.record(id)
	if err != nil {
		return Status{}, err
	}
	s := Status{Header: h, Sent: rec.Sent}
	err = b.journal.View(func(v journal.View) error {
		for _, p := range h.Recipients() {
			st, ok := get[State](v, spaceState, stateKey(id, p))
			if !ok {
				continue
			}
			pair := Pair{Recipient: p, Copy: !contains(h.To, p), State: st}
			prefix := stateKey(id, p) + "/"
			v.Scan(spaceAlarm, prefix, "", func(key string, _ []byte) bool {
				pair.Alarms = append(pair.Alarms, Event(strings.TrimPrefix(key, prefix)))
				return true
			})
			s.Pairs = append(s.Pairs, pair)
		}
		return nil
	})
	return s, err
}

// Plis lists the ids of the plis that a party sent and received here, each in
// the order of time.
func (b *Broker) Plis(p PartyID) (sent, received []string, err error) {
	err = b.journal.View(func(v journal.View) error {
		sent, received = ReadSent(v, p, "", 0), ReadReceived(v, p, "", 0)
		return nil
	})
	return sent, received, err
}

// ReadSent lists the ids of the plis that a party sent, in the order of time,
// after one of them ("" for all), n at most (0: no bound).
func ReadSent(v journal.View, p PartyID, after string, n int) []string {
	return readBox(v, spaceSent, p, after, n)
}

// ReadReceived lists as ReadSent the plis that reached a party.
func ReadReceived(v journal.View, p PartyID, after string, n int) []string {
	return readBox(v, spaceInbox, p, after, n)
}

func readBox(v journal.View, space string, p PartyID, after string, n int) (ids []string) {
	prefix := string(p) + "/"
	v.Scan(space, prefix, prefix+after, func(key string, _ []byte) bool {
		if id := key[len(prefix):]; id != after {
			ids = append(ids, id)
		}
		return n == 0 || len(ids) < n
	})
	return ids
}

// Alarm waits for an act: somebody must look.
type Alarm struct {
	ID        string
	Recipient PartyID
	Cause     Event
	Since     string
}

// Alarms lists what waits for somebody, oldest pli first.
func (b *Broker) Alarms() ([]Alarm, error) {
	var out []Alarm
	err := b.journal.View(func(v journal.View) error {
		out = ReadAlarms(v)
		return nil
	})
	return out, err
}

// Note journals a use that must leave a trace: a closed word (export_opened,
// export_secret…), never content.
func (b *Broker) Note(ctx context.Context, id, word string) error { return b.NoteWith(ctx, id, word) }

// NoteWith is Note, with what becomes true in the same instant.
func (b *Broker) NoteWith(ctx context.Context, id, word string, puts ...journal.Put) error {
	key, err := b.newID()
	if err != nil {
		return err
	}
	puts = append(puts, journal.Put{Space: "use", Key: key, Value: []byte(word)})
	return b.commit(ctx, &noteInput{id: id, puts: puts})
}

// SignAs signs bytes by this broker: the digest list of an export. It returns
// the fingerprint of the certificate that did.
func (b *Broker) SignAs(ctx context.Context, data []byte) (sig []byte, fingerprint string, err error) {
	return b.keys.Sign(ctx, string(b.id), data, b.now())
}

// Certificate is a certificate that this broker holds, as it stands now.
func (b *Broker) Certificate(fingerprint string) ([]byte, bool) { return b.keys.Cert(fingerprint) }
