package broker

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"vaguemestre/broker/journal"
)

// Input is one thing that happened: a pli sealed here, a pli judged here, an
// evidence made or arrived here, the outcome of a delivery, a refusal. What it
// holds was verified before; Step decides what becomes of it.
type Input interface {
	step(s reader, now time.Time) (journal.Batch, error)
}

// Decisions that Step takes on the state, for the driver.
var (
	errKnown     = errors.New("broker: known already")            // idempotent: answer what is stored
	errReplay    = errors.New("broker: another pli of that id")   // refuse as rejeu
	errDifferent = errors.New("broker: another evidence of that") // refuse as doublon
	errNotNeeded = errors.New("broker: no longer true")           // a timer that came too late
	errBodyGone  = errors.New("broker: the body is not held")     // erased since it was looked at: take it again
)

// Step decides what an input changes. It is pure: same state, same input, same
// time, same batch.
func Step(s reader, in Input, now time.Time) (journal.Batch, error) { return in.step(s, now) }

// sealedPli is a pli with everything that was learnt in judging it.
type sealedPli struct {
	Header       Header
	HeaderBytes  []byte
	HeaderSig    []byte
	DepositBytes []byte // nil when no valid stamp came
	DepositSig   []byte
	Deposit      Evidence
	Body         journal.Blob // zero when it is not kept
	FromCert     []byte
	DepositCert  []byte
	Directory    string // digest of the directory in force

	header, deposit memo
}

func (p *sealedPli) digest() string { return p.header.digest(p.HeaderBytes) }

func (p *sealedPli) depositDigest() string { return p.deposit.digest(p.DepositBytes) }

// memo is the digest of bytes that nobody changes, once it was asked for.
type memo struct {
	of  []byte
	sum string
}

func (m *memo) digest(b []byte) string {
	if len(b) == 0 || len(b) != len(m.of) || &b[0] != &m.of[0] {
		m.of, m.sum = b, Digest(b)
	}
	return m.sum
}

// acceptInput is a submission that was sealed and stamped here.
type acceptInput struct {
	pli     *sealedPli
	idemKey string // already a HMAC
	idemMAC string
	lane    string // of the thread, opaque
	overdue map[PartyID]time.Time
}

func (in *acceptInput) step(s reader, now time.Time) (journal.Batch, error) {
	if _, known := s.Get(spaceIdem, in.idemKey); known {
		return journal.Batch{}, errKnown
	}
	h := in.pli.Header
	if _, known := s.Get(spacePli, h.ID); known {
		return journal.Batch{}, fmt.Errorf("broker: id drawn twice: %w", errReplay)
	}
	events := newPli(s, in.pli, true, now)
	first, last := &events[0], &events[1]
	first.Puts = append(first.Puts,
		put(spaceIdem, in.idemKey, idemRecord{in.idemMAC, h.ID}),
		journal.Put{Space: spaceSent, Key: string(h.From) + "/" + h.ID, Value: []byte{}})
	state := State{}.Apply(in.pli.Deposit, in.pli.depositDigest()).encode()
	for _, p := range h.Recipients() {
		last.Puts = append(last.Puts, journal.Put{Space: spaceState, Key: stateKey(h.ID, p), Value: state})
		last.Enqueue = append(last.Enqueue, journal.Item{
			Topic: TopicPli, Dest: string(p), Lane: in.lane, Urgent: h.Urgency == U0, Payload: []byte(h.ID),
		})
	}
	for _, p := range h.To {
		last.Timers = append(last.Timers, journal.Timer{Key: timerOverdue + stateKey(h.ID, p), Due: in.overdue[p], Payload: []byte(stateKey(h.ID, p))})
	}
	return journal.Batch{Events: events}, nil
}

// newPli is the two events by which a pli enters this journal: itself, and the
// deposit stamp when there is a valid one.
func newPli(s reader, p *sealedPli, sent bool, now time.Time) []journal.Event {
	h, digest, next := p.Header, p.digest(), s.Position()
	rec := pliRecord{
		Header: digest, HeaderSig: Digest(p.HeaderSig), Body: h.BodySHA256, Sent: sent,
		Pos: next, FromCert: Digest(p.FromCert), Directory: p.Directory,
	}
	e := journal.Event{Type: journal.TypePli, At: now, ID: h.ID, Digest: digest}
	e.Objects = [][]byte{p.HeaderBytes, p.HeaderSig}
	if p.Body.Name != "" {
		e.Blobs = []journal.Blob{p.Body} // keeping it once more changes nothing
	}
	keepCert(s, &e, p.FromCert, rec.FromCert)
	events := []journal.Event{e}
	if p.DepositBytes != nil {
		rec.Deposit, rec.DepositSig = p.depositDigest(), Digest(p.DepositSig)
		rec.DepositPos, rec.DepositCert = next+1, Digest(p.DepositCert)
		d := journal.Event{Type: string(Accepted), At: now, ID: h.ID, Digest: rec.Deposit}
		d.Objects = [][]byte{p.DepositBytes, p.DepositSig}
		keepCert(s, &d, p.DepositCert, rec.DepositCert)
		events = append(events, d)
	}
	events[0].Puts = append(events[0].Puts, put(spacePli, h.ID, rec))
	return events
}

// keepCert stores a certificate as it stands once.
func keepCert(s reader, e *journal.Event, cert []byte, digest string) {
	if len(cert) == 0 {
		return
	}
	if _, held := s.Get(spaceCert, digest); held {
		return
	}
	e.Objects = append(e.Objects, cert)
	e.Puts = append(e.Puts, journal.Put{Space: spaceCert, Key: digest, Value: []byte{}})
}

// signedEvidence is an evidence made here, or judged here.
type signedEvidence struct {
	Evidence Evidence
	Bytes    []byte
	Sig      []byte
	Sealed   []byte // evidence.pgp as it came or goes; nil when clear
	Cert     []byte // of the signer, as it stands
	Signer   string // fingerprint

	sum memo
}

func (e *signedEvidence) digest() string { return e.sum.digest(e.Bytes) }

// event is the leaf of an evidence, with its objects, not yet its effects.
func (e *signedEvidence) event(s reader, pos uint64, now time.Time) journal.Event {
	ev := journal.Event{Type: string(e.Evidence.Event), At: now, ID: e.Evidence.ID, Digest: e.digest()}
	ev.Objects = [][]byte{e.Bytes, e.Sig}
	rec := evidenceRecord{Digest: e.digest(), Sig: Digest(e.Sig), Cert: Digest(e.Cert)}
	if e.Sealed != nil {
		ev.Blobs = []journal.Blob{e.blob()}
		rec.Sealed = ev.Blobs[0].Name
	}
	keepCert(s, &ev, e.Cert, rec.Cert)
	ev.Puts = append(ev.Puts,
		put(spaceEvidence, evidenceKey(e.Evidence.ID, pos), rec),
		journal.Put{Space: spaceUnique, Key: uniqueKey(e.Evidence), Value: []byte(e.digest())})
	return ev
}

// blob is the sealed file as it came.
func (e *signedEvidence) blob() journal.Blob {
	d := Digest(e.Sealed)
	return journal.Blob{Name: blobSealed + d, SHA256: d, Size: int64(len(e.Sealed)), Bytes: e.Sealed}
}

// travel says where an evidence made here must go: "" stays.
type travel struct{ dest []PartyID }

func (t travel) enqueue(ev *journal.Event, urgent bool) {
	for _, d := range t.dest {
		ev.Enqueue = append(ev.Enqueue, journal.Item{Topic: TopicEvidence, Dest: string(d), Urgent: urgent, Payload: []byte(ev.Digest)})
	}
}

// receiveInput is a pli judged here for one recipient, with the evidence of
// the judgement.
type receiveInput struct {
	pli       *sealedPli
	recipient PartyID
	outcome   *signedEvidence
	travel    travel
	exact     string // closed word of the crypto side, for this journal only
}

func (in *receiveInput) step(s reader, now time.Time) (journal.Batch, error) {
	h := in.pli.Header
	rec, known := get[pliRecord](s, spacePli, h.ID)
	if known && rec.Header != in.pli.digest() {
		return journal.Batch{}, errReplay
	}
	var st State
	if known {
		st, _ = get[State](s, spaceState, stateKey(h.ID, in.recipient))
		if st.Delivered() || st.Acted || settledReception(st, in.outcome.Evidence) {
			return journal.Batch{}, errKnown
		}
	}
	if in.outcome.Evidence.Event != ConsignFailed && in.pli.Body.Name == "" && !s.HasBlob(journal.BodyName(h.BodySHA256)) {
		return journal.Batch{}, errBodyGone
	}
	var events []journal.Event
	if !known || rec.Deposit == "" && in.pli.DepositBytes != nil {
		events = newPli(s, in.pli, rec.Sent, now)
		if known {
			events = events[1:]
			rec.Deposit, rec.DepositSig = in.pli.depositDigest(), Digest(in.pli.DepositSig)
			rec.DepositPos, rec.DepositCert = s.Position(), Digest(in.pli.DepositCert)
			events[0].Puts = append(events[0].Puts, put(spacePli, h.ID, rec))
		}
	}
	ev := in.outcome.event(s, s.Position()+uint64(len(events)), now)
	if known && in.pli.Body.Name != "" && !s.HasBlob(in.pli.Body.Name) {
		ev.Blobs = append(ev.Blobs, in.pli.Body)
	}
	if in.pli.DepositBytes != nil && (!known || rec.Deposit == in.pli.depositDigest()) {
		st = st.Apply(in.pli.Deposit, in.pli.depositDigest()) // a stamp that did not hold may have come first
	}
	settleState(s, &ev, st, in.outcome, in.recipient)
	if in.outcome.Evidence.Event != ConsignFailed {
		ev.Puts = append(ev.Puts, journal.Put{Space: spaceInbox, Key: string(in.recipient) + "/" + h.ID, Value: []byte{}})
	}
	if in.exact != "" {
		ev.Puts = append(ev.Puts, journal.Put{Space: spaceRefusal, Key: stateKey(h.ID, in.recipient), Value: []byte(in.exact)})
	}
	in.travel.enqueue(&ev, h.Urgency == U0)
	return journal.Batch{Events: append(events, ev)}, nil
}

// settledReception says whether a reception was judged with the same outcome
// before: a repeated refusal is not journaled again.
func settledReception(st State, e Evidence) bool {
	row, _ := LookupEvent(e.Event)
	return row.Sets != 0 && st.Has(row.Sets)
}

// settleState folds an evidence into the state of a pair, with the alarms and
// timers that follow.
func settleState(s reader, ev *journal.Event, st State, e *signedEvidence, p PartyID) {
	st = st.Apply(e.Evidence, e.digest())
	id, row := e.Evidence.ID, eventRows[e.Evidence.Event]
	ev.Puts = append(ev.Puts, put(spaceState, stateKey(id, p), st))
	if raisesAlarm(row) && st.Has(row.Sets) && !st.Acted {
		ev.Puts = append(ev.Puts, journal.Put{Space: spaceAlarm, Key: alarmKey(id, p, row.Event), Value: []byte(e.Evidence.At)})
	}
	lowerAlarms(s, ev, stateKey(id, p)+"/", row)
	if !row.Act && row.Event != Overdue {
		return
	}
	if _, set := s.Timer(timerOverdue + stateKey(id, p)); set {
		ev.Timers = append(ev.Timers, journal.Timer{Key: timerOverdue + stateKey(id, p)})
	}
}

// lowerAlarms takes away the alarms of a pair that an event answers.
func lowerAlarms(s reader, ev *journal.Event, prefix string, row EventRow) {
	s.Scan(spaceAlarm, prefix, "", func(key string, _ []byte) bool {
		cause := eventRows[Event(strings.TrimPrefix(key, prefix))]
		if row.Act || row.Clears&cause.Sets != 0 {
			ev.Puts = append(ev.Puts, journal.Put{Space: spaceAlarm, Key: key})
		}
		return true
	})
}

// raisesAlarm: a failure, a quarantine or a silence stays on somebody's screen
// until an act.
func raisesAlarm(row EventRow) bool {
	return row.Sets&(FlagRelayFailed|FlagConsignFailed|FlagQuarantined|FlagOverdue) != 0
}

// evidenceInput is one evidence, made here or arrived here.
type evidenceInput struct {
	evidence *signedEvidence
	travel   travel
	settle   *journal.Settlement // the item of its pair that it ends, if any
	purge    *purge              // what is erased with it, if anything
	foreign  bool                // names another header of that id: kept with an alarm, changes no state
}

func (in *evidenceInput) step(s reader, now time.Time) (batch journal.Batch, err error) {
	e := in.evidence.Evidence
	if held, ok := s.Get(spaceUnique, uniqueKey(e)); ok {
		if string(held) != in.evidence.digest() {
			return journal.Batch{}, errDifferent
		}
		return journal.Batch{}, errKnown
	}
	if e.Event == Overdue && e.Home == BrokerID(s.Head().Broker) {
		if st, ok := get[State](s, spaceState, stateKey(e.ID, e.Recipient)); ok && st.Acted {
			return journal.Batch{}, errNotNeeded
		}
	}
	ev := in.evidence.event(s, s.Position(), now)
	if in.foreign {
		ev.Puts = append(ev.Puts, journal.Put{Space: spaceAlarm, Key: alarmKey(e.ID, e.Recipient, e.Event), Value: []byte(e.At)})
	} else if err = in.fold(s, &ev); err != nil {
		return journal.Batch{}, err
	}
	if in.purge != nil {
		if ev.Erase, err = in.purge.content(s, now); err != nil {
			return journal.Batch{}, err
		}
	}
	in.travel.enqueue(&ev, len(in.travel.dest) > 0 && urgentPli(s, e.ID))
	if in.settle != nil {
		ev.Settle = []journal.Settlement{*in.settle}
		endPassage(s, &ev, e.ID, e.Recipient)
	}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}

// fold applies the evidence to its pair, or to every pair when it holds for
// all.
func (in *evidenceInput) fold(s reader, ev *journal.Event) error {
	e := in.evidence.Evidence
	rec, ok := get[pliRecord](s, spacePli, e.ID)
	if !ok || rec.Header != e.HeaderSHA256 {
		return fmt.Errorf("%w: %w", ErrNotFound, refuse(RefusedUnknownPli, "id", nil))
	}
	pairs := []PartyID{e.Recipient}
	if e.Recipient == "" {
		b, err := s.Object(rec.Header)
		if err != nil {
			return fmt.Errorf("header of a known pli: %w", err)
		}
		h, err := ParseHeader(b)
		if err != nil {
			return err
		}
		pairs = h.Recipients()
	}
	for _, p := range pairs {
		st, ok := get[State](s, spaceState, stateKey(e.ID, p))
		if !ok && e.Recipient == "" {
			continue // a home of some recipients only
		}
		settleState(s, ev, st, in.evidence, p)
	}
	return nil
}

// noteInput is a fact that only this broker needs: a refusal, the directory in
// force, a key export. It holds a closed word, never content.
type noteInput struct {
	id      string
	digest  string
	objects [][]byte
	blobs   []journal.Blob
	puts    []journal.Put
	settle  []journal.Settlement
	ended   journal.Item // the item that settle gives up, if any
	timers  []journal.Timer
}

func (in *noteInput) step(s reader, now time.Time) (journal.Batch, error) {
	ev := journal.Event{Type: journal.TypeNoted, At: now, ID: in.id, Digest: in.digest}
	ev.Objects, ev.Blobs, ev.Puts, ev.Settle, ev.Timers = in.objects, in.blobs, in.puts, in.settle, in.timers
	if in.ended.Topic == TopicPli {
		endPassage(s, &ev, in.id, PartyID(in.ended.Dest))
	}
	return journal.Batch{Events: []journal.Event{ev}}, nil
}
