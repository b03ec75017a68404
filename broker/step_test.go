package broker

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/journal"
)

// memory is the least that Step reads: what batches left, no more.
type memory struct {
	puts    map[[2]string]string
	objects map[string][]byte
	blobs   map[string]bool
	timers  map[string]journal.Timer
	size    uint64
}

func newMemory() *memory {
	return &memory{map[[2]string]string{}, map[string][]byte{}, map[string]bool{}, map[string]journal.Timer{}, 1}
}

func (m *memory) Get(space, key string) ([]byte, bool) {
	v, ok := m.puts[[2]string{space, key}]
	return []byte(v), ok
}

func (m *memory) Scan(space, prefix, from string, f func(string, []byte) bool) {
	keys := slices.Collect(maps.Keys(m.puts))
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[1], b[1]) })
	for _, k := range keys {
		if k[0] == space && strings.HasPrefix(k[1], prefix) && k[1] >= from && !f(k[1], []byte(m.puts[k])) {
			return
		}
	}
}

func (m *memory) Object(d string) ([]byte, error) {
	if b, ok := m.objects[d]; ok {
		return b, nil
	}
	return nil, journal.ErrNotFound
}

// Position is the number of leaves: there is one log.
func (m *memory) Position() uint64         { return m.size }
func (m *memory) HasBlob(name string) bool { return m.blobs[name] }
func (m *memory) Head() journal.Head {
	return journal.Head{Broker: "courrier-justice-lille", Size: m.size}
}
func (m *memory) Timer(key string) (journal.Timer, bool)    { t, ok := m.timers[key]; return t, ok }
func (m *memory) Letters(uint64, int) (none []journal.Item) { return none }
func (m *memory) Heads(string, string, time.Time, int) (none []journal.Item) {
	return none
}

func (m *memory) apply(b journal.Batch) {
	for _, e := range b.Events {
		m.size++
		for _, o := range e.Objects {
			m.objects[Digest(o)] = o
		}
		for _, o := range e.Blobs {
			m.blobs[o.Name] = true
		}
		for _, name := range e.Erase {
			delete(m.blobs, name)
		}
		for _, p := range e.Puts {
			if k := [2]string{p.Space, p.Key}; p.Value == nil {
				delete(m.puts, k)
			} else {
				m.puts[k] = string(p.Value)
			}
		}
		for _, t := range e.Timers {
			if m.timers[t.Key] = t; t.Due.IsZero() {
				delete(m.timers, t.Key)
			}
		}
	}
}

func (m *memory) clone() *memory {
	return &memory{maps.Clone(m.puts), maps.Clone(m.objects), maps.Clone(m.blobs), maps.Clone(m.timers), m.size}
}

func somePli() *sealedPli {
	h := someHeader()
	h.BodySHA256 = Digest([]byte("twelve bytes"))
	p := &sealedPli{Header: h, HeaderBytes: h.Encode(), HeaderSig: []byte("sig"), FromCert: []byte("cert"), Directory: someDigest}
	p.Deposit = someEvidence(Accepted)
	p.Deposit.Prev, p.Deposit.HeaderSHA256 = nil, p.digest()
	p.DepositBytes, p.DepositSig, p.DepositCert = p.Deposit.Encode(), []byte("sig"), []byte("cert of the broker")
	p.Body = journal.Blob{Name: journal.BodyName(h.BodySHA256), SHA256: h.BodySHA256, Size: 12, Bytes: []byte("twelve bytes")}
	return p
}

func signedAs(e Event, to PartyID, header string) *signedEvidence {
	ev := someEvidence(e)
	if ev.Prev = nil; ev.Recipient != "" {
		ev.Recipient = to
	}
	ev.HeaderSHA256 = header
	return &signedEvidence{Evidence: ev, Bytes: ev.Encode(), Sig: []byte("sig"), Cert: []byte("cert"), Signer: "f"}
}

// Step is pure: the same state, input and time give the same batch, and
// neither the state nor the input is changed.
func TestStepIsPure(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)
	pli := somePli()
	header := pli.digest()
	m := newMemory()
	for i, in := range []Input{
		&noteInput{digest: someDigest, objects: [][]byte{[]byte("directory")}},
		&acceptInput{pli: pli, idemKey: "k", idemMAC: "m", lane: "l", overdue: map[PartyID]time.Time{"parquet-lille": now.Add(time.Hour)}},
		&receiveInput{pli: somePli(), recipient: "parquet-lille", outcome: signedAs(ConsignFailed, "parquet-lille", header)},
		&receiveInput{pli: somePli(), recipient: "parquet-lille", outcome: signedAs(Consigned, "parquet-lille", header), travel: travel{[]PartyID{"ase-59"}}},
		&receiveInput{pli: somePli(), recipient: "je-lille", outcome: signedAs(Quarantined, "je-lille", header), exact: "undecipherable"},
		&releaseInput{evidenceInput{evidence: signedAs(Consigned, "je-lille", header), travel: travel{[]PartyID{"ase-59"}}}, pli.Header.BodySHA256, someDigest, []byte("sealed reason")},
		&evidenceInput{evidence: signedAs(Overdue, "parquet-lille", header)},
		&evidenceInput{evidence: signedAs(TakenInCharge, "parquet-lille", header)},
		&evidenceInput{evidence: signedAs(Purged, "parquet-lille", header), purge: &purge{header: pli.Header, here: []PartyID{"parquet-lille"}}},
		&settleInput{seq: 7, outcome: journal.Done},
		&timerInput{key: "overdue/x"},
	} {
		before := m.clone()
		first, err := Step(m, in, now)
		if err != nil {
			t.Fatalf("input %d: %v", i, err)
		}
		again, err := Step(m, in, now)
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("input %d: another batch, %v\n%+v\n%+v", i, err, first, again)
		}
		if !reflect.DeepEqual(before, m) {
			t.Fatalf("input %d changed the state", i)
		}
		for _, e := range first.Events {
			if err := e.Check(); err != nil {
				t.Errorf("input %d: %v", i, err)
			}
		}
		m.apply(first)
	}
	st, _ := get[State](m, spaceState, stateKey(someID, "parquet-lille"))
	if st.Progress != TakenInCharge || st.Flags != FlagPurged {
		t.Errorf("in the end: %+v", st)
	}
	if len(m.timers) != 0 {
		t.Errorf("timers after the act: %v", m.timers)
	}
}

// A release is decided on the state, not on what was seen before it.
func TestStepOfARelease(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)
	pli := somePli()
	m := newMemory()
	release := func() error {
		b, err := Step(m, &releaseInput{evidenceInput{evidence: signedAs(Consigned, "parquet-lille", pli.digest())}, pli.Header.BodySHA256, someDigest, []byte("sealed")}, now)
		if err == nil && len(b.Events) != 2 {
			t.Errorf("%d events", len(b.Events))
		}
		m.apply(b)
		return err
	}
	if err := release(); !errors.Is(err, errNotNeeded) {
		t.Errorf("of nothing: %v", err)
	}
	b, err := Step(m, &receiveInput{pli: pli, recipient: "parquet-lille", outcome: signedAs(Quarantined, "parquet-lille", pli.digest())}, now)
	if err != nil {
		t.Fatal(err)
	}
	m.apply(b)
	whole := m.clone()
	delete(m.blobs, journal.BodyName(pli.Header.BodySHA256))
	if err := release(); !errors.Is(err, errBodyGone) {
		t.Errorf("without its content: %v", err)
	}
	m = whole
	if err := release(); err != nil {
		t.Error(err)
	}
	if err := release(); !errors.Is(err, errKnown) {
		t.Errorf("twice: %v", err)
	}
}

// What is known is not done twice, and what contradicts it is not done.
func TestStepDecisions(t *testing.T) {
	now := time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)
	pli := somePli()
	header := pli.digest()
	other := somePli()
	other.Header.Urgency = U1
	other.HeaderBytes = other.Header.Encode()
	bare := somePli()
	bare.Body = journal.Blob{}
	m := newMemory()
	step := func(in Input) error {
		b, err := Step(m, in, now)
		m.apply(b)
		return err
	}
	receive := func(p *sealedPli, e Event) error {
		return step(&receiveInput{pli: p, recipient: "parquet-lille", outcome: signedAs(e, "parquet-lille", p.digest())})
	}
	later := signedAs(Opened, "parquet-lille", header)
	later.Evidence.At = "2026-11-20T22:41:08.000Z"
	later.Bytes = later.Evidence.Encode()
	for i, c := range []struct{ got, want error }{
		{step(&evidenceInput{evidence: signedAs(Opened, "parquet-lille", header)}), ErrNotFound},
		{receive(bare, Consigned), errBodyGone},
		{receive(pli, ConsignFailed), nil},
		{receive(pli, ConsignFailed), errKnown},
		{receive(pli, Consigned), nil},
		{receive(pli, Consigned), errKnown},
		{receive(pli, ConsignFailed), errKnown},
		{receive(other, Consigned), errReplay},
		{step(&evidenceInput{evidence: signedAs(Opened, "parquet-lille", header)}), nil},
		{step(&evidenceInput{evidence: signedAs(Opened, "parquet-lille", header)}), errKnown},
		{step(&evidenceInput{evidence: later}), errDifferent},
		{step(&evidenceInput{evidence: signedAs(Registered, "parquet-lille", other.digest())}), ErrNotFound},
		{step(&evidenceInput{evidence: signedAs(TakenInCharge, "parquet-lille", header)}), nil},
		{step(&evidenceInput{evidence: signedAs(Overdue, "parquet-lille", header)}), errNotNeeded},
		{step(&acceptInput{pli: pli, idemKey: "k"}), errReplay},
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("decision %d: %v, want %v", i, c.got, c.want)
		}
	}
	if _, alarmed := m.Get(spaceAlarm, alarmKey(someID, "parquet-lille", ConsignFailed)); alarmed {
		t.Error("the alarm of the refusal outlived the success")
	}
}

// The alarm of evidences that nobody took goes with the last of them; that of
// the pli itself, given up, stays.
func TestAlarmOfADeadLetter(t *testing.T) {
	key := alarmKey(someID, "parquet-lille", RelayFailed)
	carried := &settleInput{seq: 7, id: someID, outcome: journal.Done, carried: journal.Item{Topic: TopicEvidence, Dest: "parquet-lille"}}
	for _, c := range []struct {
		name string
		st   State
		in   *settleInput
		want bool
	}{
		{"an evidence arrived", State{}, carried, false},
		{"the pli was given up", State{Flags: FlagRelayFailed}, carried, true},
		{"a pli arrived", State{}, &settleInput{seq: 7, id: someID, outcome: journal.Done, carried: journal.Item{Topic: TopicPli, Dest: "parquet-lille"}}, true},
		{"an evidence is tried again", State{}, &settleInput{seq: 7, id: someID, outcome: journal.Retry}, true},
	} {
		m := newMemory()
		m.puts[[2]string{spaceAlarm, key}] = someTime
		m.apply(journal.Batch{Events: []journal.Event{{Changes: journal.Changes{Puts: []journal.Put{put(spaceState, stateKey(someID, "parquet-lille"), c.st)}}}}})
		b, err := Step(m, c.in, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		m.apply(b)
		if _, up := m.Get(spaceAlarm, key); up != c.want {
			t.Errorf("%s: alarm %v", c.name, up)
		}
	}
}
