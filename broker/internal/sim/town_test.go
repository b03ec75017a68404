package sim

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/brokertest"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/inproc"
	"vaguemestre/broker/journal"
)

const (
	nord    = broker.BrokerID("courrier-nord")
	justice = broker.BrokerID("courrier-justice-lille")
	relais  = broker.BrokerID("relais-essai")
	ase     = broker.PartyID("ase-59")
	service = broker.PartyID("service-59")
	parquet = broker.PartyID("parquet-lille")
	juge    = broker.PartyID("je-lille")
)

func all() []broker.BrokerID { return []broker.BrokerID{nord, relais, justice} }

func homeOf(p broker.PartyID) broker.BrokerID {
	if p == ase || p == service {
		return nord
	}
	return justice
}

func owners() []string {
	return []string{string(nord), string(relais), string(justice), string(ase), string(service), string(parquet), string(juge)}
}

// ways are the shapes of the country: who is reached through the relay.
func ways() []map[broker.BrokerID]bool {
	return []map[broker.BrokerID]bool{{nord: true, justice: true}, {nord: true, justice: true}, {nord: true}, {justice: true}}
}

// scenery is what all seeds share: directories, by way and broker, and papers.
type scenery struct {
	directories []map[broker.BrokerID]*directory.Directory
	papers      papers
}

func newScenery() (*scenery, error) {
	s := &scenery{}
	for _, via := range ways() {
		byBroker := map[broker.BrokerID]*directory.Directory{}
		for _, self := range all() {
			d, err := directory.New(listing(self, via))
			if err != nil {
				return nil, err
			}
			byBroker[self] = d
		}
		s.directories = append(s.directories, byBroker)
	}
	var err error
	s.papers, err = readPapers()
	return s, err
}

func listing(self broker.BrokerID, via map[broker.BrokerID]bool) directory.Listing {
	l := directory.Listing{Self: self, Demonstration: true}
	for _, b := range all() {
		line := directory.Broker{ID: b, Libelle: string(b), Certificates: []string{fingerprint(string(b))}, Relay: b == relais}
		if via[b] {
			line.Via = relais
		}
		l.Brokers = append(l.Brokers, line)
	}
	roles := map[broker.PartyID]directory.Role{ase: directory.RoleASE, service: directory.RoleService, parquet: directory.RoleParquet, juge: directory.RoleJuge}
	for _, p := range []broker.PartyID{ase, service, parquet, juge} {
		l.Parties = append(l.Parties, directory.Party{
			ID: p, Role: roles[p], Institution: "Institution de " + string(homeOf(p)), Departement: "59", Home: homeOf(p), Certificates: []string{fingerprint(string(p))},
		})
	}
	return l
}

// dawn is when every seed begins.
var dawn = time.Date(2026, 11, 20, 22, 41, 7, 0, time.UTC)

// house is one broker, with its clock and its disk, alive or not.
type house struct {
	id     broker.BrokerID
	keys   *ring
	disk   *brokertest.Disk
	apart  time.Duration // of its clock from the true time
	rand   io.Reader
	secret []byte

	store   *brokertest.Memory // nil while it is down
	journal *journal.Journal
	broker  *broker.Broker
	roads   *road
	upAt    time.Time // when it is started again
	fuse    int       // commits until the one that breaks; 0: none
	how     brokertest.Break
	changed map[string]bool // plis that commits concerned since the last look
}

// town is one seed: three houses, a net between them, and the true time.
type town struct {
	scene  *scenery
	way    int
	now    time.Time
	net    *inproc.Net
	houses map[broker.BrokerID]*house
}

func newTown(scene *scenery, seed uint64, draw *rand.Rand) (*town, error) {
	tn := &town{scene: scene, way: draw.IntN(len(scene.directories)), now: dawn, houses: map[broker.BrokerID]*house{}}
	tn.net = inproc.New(scene.directories[tn.way][nord])
	for i, id := range all() {
		h := &house{id: id, keys: &ring{own: map[string]bool{string(id): true}}, changed: map[string]bool{}}
		h.apart = time.Duration(draw.IntN(240_000)-120_000) * time.Millisecond // 4 minutes at most between two
		h.rand = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(seed >> 32), byte(i + 1)})
		h.secret = fmt.Appendf(nil, "%032d", i)
		for _, p := range []broker.PartyID{ase, service, parquet, juge} {
			h.keys.own[string(p)] = homeOf(p) == id
		}
		var err error
		if h.disk, err = brokertest.NewDisk(string(id), dawn, h.rand); err != nil {
			return nil, err
		}
		tn.houses[id] = h
	}
	return tn, nil
}

func (tn *town) clock(h *house) func() time.Time {
	return func() time.Time { return tn.now.Add(h.apart) }
}

// start opens a house. It may crash in it; then it stays down.
func (tn *town) start(ctx context.Context, h *house, roads *road) error {
	h.store = h.disk.Open()
	h.store.OnCommit = func([]string) brokertest.Break {
		if h.fuse--; h.fuse == 0 {
			return h.how
		}
		return brokertest.Whole
	}
	var err error
	h.journal, err = journal.New(h.store, journal.Options{Broker: string(h.id), Now: tn.clock(h), Rand: h.rand, GroupMax: 1})
	if err != nil {
		return err
	}
	h.journal.Watch(func(c journal.Change) {
		for _, id := range c.IDs {
			h.changed[id] = true
		}
	})
	h.roads = roads
	h.broker, err = broker.New(ctx, broker.Options{
		ID: h.id, Directory: tn.scene.directories[tn.way][h.id], Keys: h.keys, Journal: h.journal, Carrier: roads,
		Now: tn.clock(h), Rand: h.rand, Secret: h.secret,
	})
	if err != nil {
		tn.leave(ctx, h)
		return err
	}
	tn.net.Join(h.id, h.broker)
	return nil
}

// leave is the end of a process. Of one that crashed the errors mean nothing.
func (tn *town) leave(ctx context.Context, h *house) {
	tn.net.Join(h.id, nil)
	if h.journal != nil {
		_ = h.journal.Close(ctx)
	}
	h.store, h.journal, h.broker = nil, nil, nil
}

func (h *house) up() bool { return h.broker != nil }

// crashed says that the process is gone, and nobody has noticed yet.
func (h *house) crashed() bool { return h.store != nil && h.store.Gone() }
