package wiring

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/inproc"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
	"vaguemestre/crypto/seal"
)

// Plan is a small world to make: brokers and parties without certificates,
// whose keys are made here. It is for the demonstration, benchmarks and tests.
type Plan struct {
	Root          string // a folder; each broker has its data directory in it
	Demonstration bool
	Brokers       []directory.Broker
	Parties       []directory.Party
	Passphrase    []byte // when set, data directories are complete: keys locked under it, configuration written
	// Identities are keys that exist, by owner; those of the others are made.
	Identities map[string]*seal.Identity
	Now        func() time.Time
	Rand       io.Reader
	Log        *slog.Logger
	GroupMax   int
	MaxBody    int64
	Retention  time.Duration
	// Wrap may put something between a broker and the net.
	Wrap func(from broker.BrokerID, c broker.Carrier) broker.Carrier
	// Keys may replace the keys of a broker.
	Keys func(id broker.BrokerID, k broker.Keys) broker.Keys
	// Store may replace the journal file of a broker.
	Store func(id broker.BrokerID, s journal.Store) journal.Store
}

// World is a plan that was made: brokers of one process, joined.
type World struct {
	Plan       Plan
	Directory  *directory.Directory // as a reader sees it; each broker has its own view
	Identities map[string]*seal.Identity
	Net        *inproc.Net
	Nodes      map[broker.BrokerID]*Node

	rings map[broker.BrokerID]*keyring.Ring
	list  directory.Listing
}

// Make makes keys, data directories and journals, and opens every node.
func Make(ctx context.Context, p Plan) (*World, error) {
	w, err := Prepare(p)
	if err != nil {
		return nil, err
	}
	for _, b := range w.list.Brokers {
		if err := w.Create(b.ID); err != nil {
			return nil, errors.Join(err, w.Close(ctx))
		}
		if _, err := w.OpenNode(ctx, b.ID); err != nil {
			return nil, errors.Join(err, w.Close(ctx))
		}
	}
	return w, nil
}

// Prepare makes keys and the net, and no file: Create and OpenNode follow, or
// OpenNode alone where the data directories exist.
func Prepare(p Plan) (*World, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	w := &World{Plan: p, Identities: map[string]*seal.Identity{}, Nodes: map[broker.BrokerID]*Node{}, rings: map[broker.BrokerID]*keyring.Ring{}}
	if err := w.makeKeys(); err != nil {
		return nil, err
	}
	var err error
	if w.Directory, err = directory.New(w.list); err != nil {
		return nil, err
	}
	w.Net = inproc.New(w.Directory)
	return w, nil
}

// makeKeys makes one identity an owner; every broker knows all certificates
// and holds the private keys of itself and its parties only.
func (w *World) makeKeys() error {
	created := w.Plan.Now().Add(-time.Hour).Truncate(time.Second)
	w.list = directory.Listing{Demonstration: w.Plan.Demonstration, Policy: Policy()}
	homes := map[string]broker.BrokerID{}
	add := func(owner, uid string, home broker.BrokerID, signOnly bool) (string, error) {
		id := w.Plan.Identities[owner]
		if id == nil {
			var err error
			if id, err = seal.Generate(uid, seal.Options{SignOnly: signOnly, Created: created, Rand: w.Plan.Rand}); err != nil {
				return "", fmt.Errorf("key of %s: %w", owner, err)
			}
		}
		w.Identities[owner], homes[owner] = id, home
		return string(id.Cert().Fingerprint()), nil
	}
	for _, b := range w.Plan.Brokers {
		fpr, err := add(string(b.ID), b.Libelle, b.ID, true)
		if err != nil {
			return err
		}
		b.Certificates = []string{fpr}
		w.list.Brokers = append(w.list.Brokers, b)
		w.rings[b.ID] = keyring.New()
	}
	for _, p := range w.Plan.Parties {
		fpr, err := add(string(p.ID), p.Institution+" ("+string(p.ID)+")", p.Home, false)
		if err != nil {
			return err
		}
		p.Certificates = []string{fpr}
		w.list.Parties = append(w.list.Parties, p)
	}
	for owner, id := range w.Identities {
		for b, ring := range w.rings {
			if homes[owner] == b {
				ring.AddIdentity(owner, id)
			} else {
				ring.AddCert(owner, id.Cert())
			}
		}
	}
	return nil
}

// Dir is the data directory of a broker.
func (w *World) Dir(id broker.BrokerID) string { return filepath.Join(w.Plan.Root, string(id)) }

// Ring is what a broker knows of keys.
func (w *World) Ring(id broker.BrokerID) *keyring.Ring { return w.rings[id] }

// Create makes the data directory of one broker.
func (w *World) Create(id broker.BrokerID) error {
	dir := w.Dir(id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// Before the journal: one without its secret has lost it, always.
	if _, err := newSecret(dir); err != nil {
		return err
	}
	if err := boltstore.Create(dir, string(id), boltstore.WithClock(w.Plan.Now)); err != nil {
		return err
	}
	if w.Plan.Passphrase == nil {
		return nil
	}
	if err := w.rings[id].Save(filepath.Join(dir, "keys"), w.Plan.Passphrase); err != nil {
		return err
	}
	return config.Write(filepath.Join(dir, config.FileName), w.configuration(id))
}

// configuration is the file by which the other commands open the directory.
func (w *World) configuration(id broker.BrokerID) config.Config {
	c := config.Config{Broker: string(id), Demonstration: w.Plan.Demonstration, Limits: config.Limits{Body: 200_000_000, FreeSpace: 64 << 20}}
	certs := func(owner string, list []string) []config.Certificate {
		var out []config.Certificate
		for _, fpr := range list {
			out = append(out, config.Certificate{Fingerprint: fpr, File: "keys/" + owner + "/" + fpr + ".pgp"})
		}
		return out
	}
	for _, b := range w.list.Brokers {
		c.Brokers = append(c.Brokers, config.Broker{ID: string(b.ID), Libelle: b.Libelle, Hosting: b.Hosting, Relay: b.Relay, Via: string(b.Via), Fetches: b.Fetches, Address: b.Address, Certificates: certs(string(b.ID), b.Certificates)})
	}
	for _, p := range w.list.Parties {
		c.Parties = append(c.Parties, config.Party{
			ID: string(p.ID), Role: string(p.Role), Institution: p.Institution, Departement: p.Departement, Home: string(p.Home),
			Telephone: p.Telephone, Zone: p.Zone, Certificates: certs(string(p.ID), p.Certificates), Patience: config.Patience(p.Patience),
		})
	}
	return c
}

// OpenNode opens, or opens again, the node of a broker and joins it.
func (w *World) OpenNode(ctx context.Context, id broker.BrokerID) (*Node, error) {
	l := w.list
	l.Self = id
	dir, err := directory.New(l)
	if err != nil {
		return nil, err
	}
	secret, err := Secret(w.Dir(id))
	if err != nil {
		return nil, err
	}
	carrier := w.Net.Carrier(id)
	if w.Plan.Wrap != nil {
		carrier = w.Plan.Wrap(id, carrier)
	}
	p := Parts{
		ID: id, Dir: w.Dir(id), Directory: dir, Keys: w.rings[id], Secret: secret, Carrier: carrier,
		Now: w.Plan.Now, Rand: w.Plan.Rand, Log: w.Plan.Log, GroupMax: w.Plan.GroupMax, MaxBody: w.Plan.MaxBody, Retention: w.Plan.Retention, MinFree: 1 << 20,
	}
	if w.Plan.Keys != nil {
		p.Signer = w.Plan.Keys(id, w.rings[id])
	}
	if w.Plan.Store != nil {
		s, err := boltstore.Open(p.Dir, boltstore.WithClock(w.Plan.Now))
		if err != nil {
			return nil, err
		}
		p.Store = w.Plan.Store(id, s)
	}
	n, err := Open(ctx, p)
	if err != nil {
		return nil, err
	}
	w.Nodes[id] = n
	w.Net.Join(id, n.Broker)
	return n, nil
}

// SetDirectory puts another directory in force everywhere: after a rotation.
func (w *World) SetDirectory(ctx context.Context, change func(*directory.Listing)) error {
	change(&w.list)
	for id, n := range w.Nodes {
		l := w.list
		l.Self = id
		d, err := directory.New(l)
		if err != nil {
			return err
		}
		if err := n.Broker.SetDirectory(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// Run runs every node until the context ends, or until one cannot go on: then
// all end, as the one process that they are.
func (w *World) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make(chan error, len(w.Nodes))
	for _, n := range w.Nodes {
		go func() {
			defer stop()
			errs <- n.Run(ctx)
		}()
	}
	var all error
	for range w.Nodes {
		all = errors.Join(all, <-errs)
	}
	return all
}

// Close closes every node. Run must have returned.
func (w *World) Close(ctx context.Context) error {
	var all error
	for id, n := range w.Nodes {
		w.Net.Join(id, nil)
		all = errors.Join(all, n.Close(ctx))
	}
	return all
}

// Lille is the world of the demonstration: two brokers, three parties.
func Lille() ([]directory.Broker, []directory.Party) {
	brokers := []directory.Broker{
		{ID: "courrier-nord", Libelle: "Département du Nord (démonstration)"},
		{ID: "courrier-justice-lille", Libelle: "Tribunal judiciaire de Lille (démonstration)"},
	}
	parties := []directory.Party{
		{ID: "ase-59", Role: directory.RoleASE, Institution: "Département du Nord", Departement: "59", Home: "courrier-nord", Telephone: "+33 3 99 99 00 59"},
		{ID: "parquet-lille", Role: directory.RoleParquet, Institution: "Tribunal judiciaire de Lille", Departement: "59", Home: "courrier-justice-lille", Telephone: "+33 3 99 99 00 17"},
		{ID: "je-lille", Role: directory.RoleJuge, Institution: "Tribunal judiciaire de Lille", Departement: "59", Home: "courrier-justice-lille", Telephone: "+33 3 99 99 00 18"},
	}
	return brokers, parties
}
