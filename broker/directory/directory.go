// Package directory says who may be written to, where they are, and with
// which keys: the brokers, the parties, the home of each party and the policy
// in force.
//
// # What it holds
//
// A broker is one running program: one data directory, one journal, one
// certificate. A party is a function mailbox of an institution (ase-59,
// parquet-lille, je-lille), never a person. The home of a party is the broker
// that holds its private key. A relay is a broker that is nobody's home.
//
// A [Directory] is immutable. [New] checks the whole of it and reports every
// fault at once, so that a running broker never meets a party without a home or
// a certificate with two owners:
//
//   - ids match ^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$, and no id is given twice,
//     be it to a party and to a broker: an evidence names its signer by id alone;
//   - every party has a known home, which is not a relay, a known role, an
//     institution and a département (a code: "01", "2A", "971");
//   - a home may be reached through a relay that is listed (Via); a relay is
//     reached directly;
//   - everyone has at least one certificate, the current one first, by the
//     fingerprint of its primary key (40 lower-case hexadecimal digits), and no
//     certificate belongs to two;
//   - a broker that is home of several institutions says so (Hosting is
//     "shared"), since one operator then holds the keys of all of them;
//     otherwise New refuses with [ErrSharedHosting].
//
// # Notice
//
// Hosting is declared on the line of each broker rather than once for all: a
// département that runs its own broker must not sign "hosted" because the
// court it writes to is. [Directory.Notice] is that of the directory's own
// broker (Listing.Self); a demonstration prevails over it.
//
// # Form in an export
//
// [Directory.JSON] is the directory.json of an export. It is written once and
// kept as it is: UTF-8, no white space outside strings, no final newline,
// brokers and parties sorted by id, policy by kind, from, to and copy, members in
// this order, optional ones (?) left out when empty:
//
//	{"v":1,"notice"?,
//	 "brokers":[{"id","libelle","certificates":[…],"address"?}],
//	 "parties":[{"id","role","institution","departement","home","certificates":[…],"telephone"?}],
//	 "policy":[{"kind","from","to","copy","article"}]}
//
// The reader of an export trusts nothing in it: it says what the exporting
// broker believed, and the anchors given by hand decide.
package directory

import (
	"slices"
	"strings"
	"time"
)

// PartyID names a party, such as "parquet-lille". [ParsePartyID] makes one
// from outside text.
type PartyID string

// BrokerID names a broker. [ParseBrokerID] makes one from outside text.
type BrokerID string

// Role is what a party is in child protection; the policy speaks of roles.
type Role string

// The roles. The list is closed: a new one needs rows in the policy.
const (
	RoleASE     Role = "ase"     // aide sociale à l'enfance, with its CRIP (CASF L221-1, L226-3)
	RoleParquet Role = "parquet" // procureur de la République, permanence included
	RoleJuge    Role = "juge"    // juge des enfants and greffe
	RoleService Role = "service" // association or service habilité
)

// Values of Broker.Hosting.
const (
	HostingApart  = ""       // home of one institution at most
	HostingShared = "shared" // home of several: one operator holds all their keys
)

// Values of [Directory.Notice].
const (
	NoticeNone          = ""
	NoticeHosting       = "hebergement_commun"
	NoticeDemonstration = "demonstration"
)

// Broker is one running program, as the others know it.
type Broker struct {
	ID           BrokerID
	Libelle      string   // what people call it, in French
	Certificates []string // fingerprints of its sign-only certificate, current first
	Address      string   // URL it is pushed to, https://host:port; empty when it fetches or runs in this process
	TLSPins      []string // SHA-256 of its TLS public keys (SubjectPublicKeyInfo), 64 lower-case hexadecimal digits
	Fetches      bool     // comes for its mail instead of being pushed to
	Relay        bool     // nobody's home: carries sealed plis and opens none
	Via          BrokerID // the relay through which others reach it; empty: directly
	Hosting      string   // HostingApart or HostingShared
}

// Patience says how long a party may stay silent before the pli is overdue. A
// zero field means the default. It has the fields of clock.Patience, in the
// same order, so that clock.Patience(p) converts it: this package imports
// none of ours.
type Patience struct {
	U0     time.Duration // default 15 minutes
	U1     time.Duration // default: until the end of the working day
	U2     time.Duration // default: until the end of working day number U2Days
	U2Days int           // working days after the day of deposit; default 3
	DayEnd time.Duration // end of the working day, since midnight, local; default 18 h
}

// Party is a function mailbox of an institution.
type Party struct {
	ID           PartyID
	Role         Role
	Institution  string   // in French, "Département du Nord"
	Departement  string   // code, "59", "2A", "971"
	Home         BrokerID // the broker that holds its private key
	Certificates []string // fingerprints, current first
	Telephone    string   // of the duty; may be empty
	Zone         string   // public holidays and local time: clock.ZoneOf(Zone, Departement); may be empty
	Patience     Patience
}

// PolicyRow is one line of the policy: a role may send a kind to a role, as a
// recipient or only as a copy, by an article of law.
type PolicyRow struct {
	Kind, From, To string
	Copy           bool
	Article        string
}

// Listing is what [New] checks.
type Listing struct {
	Self          BrokerID // the broker whose directory this is; empty for a reader who is none
	Demonstration bool     // every person and key in it is fictitious
	Brokers       []Broker
	Parties       []Party
	Policy        []PolicyRow
}

// Directory is a checked listing. It never changes, so it is safe for
// concurrent use; what it returns are copies.
type Directory struct {
	self    BrokerID
	notice  string
	brokers []Broker // sorted by ID
	parties []Party  // sorted by ID
	policy  []PolicyRow

	brokerAt map[BrokerID]int // index in brokers
	partyAt  map[PartyID]int  // index in parties
}

// New checks the listing and returns its directory. The error joins every
// fault found, each a [*Fault] or a [*SharedHostingError]; it names fields and
// well-formed ids, no other value.
func New(l Listing) (*Directory, error) {
	if err := check(l); err != nil {
		return nil, err
	}
	d := &Directory{
		self:     l.Self,
		policy:   slices.Clone(l.Policy),
		brokerAt: make(map[BrokerID]int, len(l.Brokers)),
		partyAt:  make(map[PartyID]int, len(l.Parties)),
	}
	for _, b := range l.Brokers {
		d.brokers = append(d.brokers, b.clone())
	}
	for _, p := range l.Parties {
		d.parties = append(d.parties, p.clone())
	}
	slices.SortFunc(d.brokers, func(a, b Broker) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(d.parties, func(a, b Party) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(d.policy, comparePolicy)
	for i, b := range d.brokers {
		d.brokerAt[b.ID] = i
	}
	for i, p := range d.parties {
		d.partyAt[p.ID] = i
	}
	d.notice = d.findNotice(l.Demonstration)
	return d, nil
}

// findNotice: a demonstration prevails (DESIGN section 2), since nothing in
// it is real, not even the hosting.
func (d *Directory) findNotice(demonstration bool) string {
	if demonstration {
		return NoticeDemonstration
	}
	if self, ok := d.Broker(d.self); ok && self.Hosting == HostingShared {
		return NoticeHosting
	}
	return NoticeNone
}

// Self returns the broker whose directory this is, empty when it is a
// reader's.
func (d *Directory) Self() BrokerID { return d.self }

// Party returns the party of that id.
func (d *Directory) Party(id PartyID) (Party, bool) {
	i, ok := d.partyAt[id]
	if !ok {
		return Party{}, false
	}
	return d.parties[i].clone(), true
}

// Broker returns the broker of that id.
func (d *Directory) Broker(id BrokerID) (Broker, bool) {
	i, ok := d.brokerAt[id]
	if !ok {
		return Broker{}, false
	}
	return d.brokers[i].clone(), true
}

// Home returns the broker that holds the party's private key.
func (d *Directory) Home(id PartyID) (Broker, bool) {
	i, ok := d.partyAt[id]
	if !ok {
		return Broker{}, false
	}
	return d.Broker(d.parties[i].Home)
}

// Next is the broker to which from hands what is for a party: its home, or the
// relay through which that home is reached. The last step is always direct, so
// no way has two relays, and none goes in a circle.
func (d *Directory) Next(from BrokerID, to PartyID) (Broker, bool) {
	home, ok := d.Home(to)
	if !ok || home.Via == "" || home.Via == from || home.ID == from {
		return home, ok
	}
	return d.Broker(home.Via)
}

// Parties returns every party, sorted by id.
func (d *Directory) Parties() []Party {
	out := make([]Party, len(d.parties))
	for i, p := range d.parties {
		out[i] = p.clone()
	}
	return out
}

// Brokers returns every broker, sorted by id.
func (d *Directory) Brokers() []Broker {
	out := make([]Broker, len(d.brokers))
	for i, b := range d.brokers {
		out[i] = b.clone()
	}
	return out
}

// Policy returns the rows of the policy, sorted by kind, from, to and copy.
func (d *Directory) Policy() []PolicyRow { return slices.Clone(d.policy) }

// Notice is what every header, evidence, page and paper made here must say:
// NoticeNone, NoticeHosting or NoticeDemonstration.
func (d *Directory) Notice() string { return d.notice }

// clone keeps callers from reaching the directory's own slices.
func (b Broker) clone() Broker {
	b.Certificates = slices.Clone(b.Certificates)
	b.TLSPins = slices.Clone(b.TLSPins)
	return b
}

func (p Party) clone() Party {
	p.Certificates = slices.Clone(p.Certificates)
	return p
}

func comparePolicy(a, b PolicyRow) int {
	for _, c := range []int{strings.Compare(a.Kind, b.Kind), strings.Compare(a.From, b.From), strings.Compare(a.To, b.To)} {
		if c != 0 {
			return c
		}
	}
	switch {
	case a.Copy == b.Copy:
		return 0
	case a.Copy:
		return 1
	default:
		return -1
	}
}
