package directory

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ErrInvalid is wrapped by every fault of a listing but shared hosting.
var ErrInvalid = errors.New("invalid directory")

// ErrSharedHosting is wrapped by the [*SharedHostingError] of a broker that is
// home of several institutions without saying so.
var ErrSharedHosting = errors.New("one broker is home of several institutions")

// SharedHostingError names the broker. It wraps [ErrSharedHosting].
type SharedHostingError struct{ Broker BrokerID }

func (e *SharedHostingError) Error() string {
	return fmt.Sprintf("broker %s: %v", e.Broker, ErrSharedHosting)
}

func (e *SharedHostingError) Unwrap() error { return ErrSharedHosting }

// Hint says what the operator can do.
func (e *SharedHostingError) Hint() string {
	return fmt.Sprintf("give each institution its own broker, or write hosting = \"shared\" on the line of broker %s: "+
		"its operator then holds the keys of all of them, and every paper says so", e.Broker)
}

// Fault is one thing wrong in a listing. It wraps [ErrInvalid].
type Fault struct {
	Place   string // the field, by its index in the listing: parties[2].home
	ID      string // the well-formed id of that party or broker, else empty
	Problem string // what is wanted; never the value found
}

func (f *Fault) Error() string {
	who := ""
	if f.ID != "" {
		who = " (" + f.ID + ")"
	}
	return fmt.Sprintf("%v: %s%s: %s", ErrInvalid, f.Place, who, f.Problem)
}

func (f *Fault) Unwrap() error { return ErrInvalid }

var (
	fingerprintPattern = regexp.MustCompile(`^[0-9a-f]{40}$`)
	pinPattern         = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// INSEE code: 01 to 95 without 20, 2A, 2B, and 971 to 989 overseas.
	departementPattern = regexp.MustCompile(`^(0[1-9]|1[0-9]|2[1-9AB]|[3-8][0-9]|9[0-5]|97[1-8]|98[4-9])$`)
	telephonePattern   = regexp.MustCompile(`^\+?[0-9][0-9 .]{2,24}$`)
)

// zones are the names of clock.Zone, repeated because this package imports
// none of ours; a test compares the two lists.
func zones() []string {
	return []string{
		"", "metropole", "alsace-moselle", "guadeloupe", "guyane", "la-reunion", "martinique",
		"mayotte", "nouvelle-caledonie", "polynesie-francaise", "saint-barthelemy", "saint-martin",
		"saint-pierre-et-miquelon", "wallis-et-futuna",
	}
}

// validID is ^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$ by hand: every header and
// evidence is read through it. "all" is no id: it stands for no recipient in
// the file names of an export.
func validID(s string) bool {
	if s == "" || len(s) > 40 || s == "all" || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// ParsePartyID returns the id, or a [*Fault].
func ParsePartyID(s string) (PartyID, error) {
	if !validID(s) {
		return "", &Fault{Place: "party id", Problem: wantID}
	}
	return PartyID(s), nil
}

// ParseBrokerID returns the id, or a [*Fault].
func ParseBrokerID(s string) (BrokerID, error) {
	if !validID(s) {
		return "", &Fault{Place: "broker id", Problem: wantID}
	}
	return BrokerID(s), nil
}

const wantID = "want 1 to 40 of a-z, 0-9 and -, with no - first or last"

// Valid reports whether the role is one of the closed list.
func (r Role) Valid() bool {
	return r == RoleASE || r == RoleParquet || r == RoleJuge || r == RoleService
}

// checker gathers the faults of one listing.
type checker struct {
	faults       []error
	current      string          // id of the party or broker being checked
	ids          map[string]bool // parties and brokers together
	brokers      map[BrokerID]Broker
	owners       map[string]string // fingerprint to the place that lists it
	institutions map[BrokerID][]string
}

func check(l Listing) error {
	c := &checker{
		ids:          map[string]bool{},
		brokers:      map[BrokerID]Broker{},
		owners:       map[string]string{},
		institutions: map[BrokerID][]string{},
	}
	for i, b := range l.Brokers {
		c.broker(fmt.Sprintf("brokers[%d]", i), b)
	}
	for i, p := range l.Parties {
		c.party(fmt.Sprintf("parties[%d]", i), p)
	}
	c.current = ""
	c.policy(l.Policy)
	if _, known := c.brokers[l.Self]; l.Self != "" && !known {
		c.fault("self", "unknown broker")
	}
	for i, b := range l.Brokers {
		c.via(fmt.Sprintf("brokers[%d].via", i), b)
		if len(c.institutions[b.ID]) > 1 && b.Hosting != HostingShared {
			c.faults = append(c.faults, &SharedHostingError{Broker: b.ID})
		}
	}
	return errors.Join(c.faults...)
}

// fault notes one; place names a field, never its value.
func (c *checker) fault(place, problem string) {
	c.faults = append(c.faults, &Fault{Place: place, ID: c.current, Problem: problem})
}

func (c *checker) broker(at string, b Broker) {
	c.id(at, string(b.ID))
	if _, seen := c.brokers[b.ID]; !seen {
		c.brokers[b.ID] = b
	}
	c.text(at+".libelle", b.Libelle)
	c.certificates(at, b.Certificates)
	for i, pin := range b.TLSPins {
		if !pinPattern.MatchString(pin) {
			c.fault(fmt.Sprintf("%s.tls_pins[%d]", at, i), "want 64 lower-case hexadecimal digits")
		}
	}
	if b.Address != "" {
		c.address(at+".address", b.Address)
	}
	if b.Hosting != HostingApart && b.Hosting != HostingShared {
		c.fault(at+".hosting", `want "shared" or nothing`)
	}
	if b.Relay && b.Hosting == HostingShared {
		c.fault(at+".hosting", "a relay is nobody's home")
	}
}

// via wants a relay before a home, and nothing before a relay.
func (c *checker) via(at string, b Broker) {
	if b.Via == "" {
		return
	}
	c.current = string(b.ID)
	if relay, known := c.brokers[b.Via]; !known || !relay.Relay {
		c.fault(at, "want a relay")
	} else if b.Relay {
		c.fault(at, "a relay is reached directly")
	}
	c.current = ""
}

// address wants https and nothing that a carrier would have to interpret: no
// user, path, query or fragment.
func (c *checker) address(at, s string) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || *u != (url.URL{Scheme: "https", Host: u.Host}) || !printable(s) || s != u.String() {
		c.fault(at, "want https://host or https://host:port and nothing after")
	}
}

func (c *checker) party(at string, p Party) {
	c.id(at, string(p.ID))
	if !p.Role.Valid() {
		c.fault(at+".role", "want ase, parquet, juge or service")
	}
	c.text(at+".institution", p.Institution)
	if !departementPattern.MatchString(p.Departement) {
		c.fault(at+".departement", `want a code, such as "01", "2A" or "971"`)
	}
	switch home, known := c.brokers[p.Home]; {
	case !known:
		c.fault(at+".home", "unknown broker")
	case home.Relay:
		c.fault(at+".home", "a relay is nobody's home")
	case !slices.Contains(c.institutions[p.Home], p.Institution):
		c.institutions[p.Home] = append(c.institutions[p.Home], p.Institution)
	}
	c.certificates(at, p.Certificates)
	if p.Telephone != "" && !telephonePattern.MatchString(p.Telephone) {
		c.fault(at+".telephone", "want digits, spaces or points, with + first if any")
	}
	if !slices.Contains(zones(), p.Zone) {
		c.fault(at+".zone", "unknown zone of public holidays")
	}
	c.patience(at+".patience", p.Patience)
}

// The longest that a party may be let stay silent: without a bound, a patience
// would be the switch that turns the alarm off (DESIGN section 1, 3). No text
// gives these; they are far above the defaults of package clock.
const (
	maxPatienceU0 = 24 * time.Hour
	maxPatienceU1 = 7 * 24 * time.Hour
	maxPatienceU2 = 60 * 24 * time.Hour
)

func (c *checker) patience(at string, p Patience) {
	if p.U0 < 0 || p.U1 < 0 || p.U2 < 0 || p.U2Days < 0 {
		c.fault(at, "want no negative delay")
	}
	for _, d := range []struct {
		key        string
		long, most time.Duration
	}{
		{"u0", p.U0, maxPatienceU0}, {"u1", p.U1, maxPatienceU1}, {"u2", p.U2, maxPatienceU2},
		{"u2_days", time.Duration(p.U2Days) * 24 * time.Hour, maxPatienceU2},
	} {
		if d.long > d.most {
			c.fault(at+"."+d.key, fmt.Sprintf("want no more than %d hours: a longer silence would raise no alarm", d.most/time.Hour))
		}
	}
	if p.DayEnd < 0 || p.DayEnd.Hours() > 24 {
		c.fault(at+".day_end", "want an hour of the day")
	}
}

func (c *checker) policy(rows []PolicyRow) {
	for i, r := range rows {
		at := fmt.Sprintf("policy[%d]", i)
		c.text(at+".kind", r.Kind)
		c.text(at+".article", r.Article)
		if !Role(r.From).Valid() {
			c.fault(at+".from", "unknown role")
		}
		if !Role(r.To).Valid() {
			c.fault(at+".to", "unknown role")
		}
		same := func(o PolicyRow) bool { return comparePolicy(o, r) == 0 }
		if slices.ContainsFunc(rows[:i], same) {
			c.fault(at, "given twice")
		}
	}
}

func (c *checker) id(at, id string) {
	c.current = ""
	if !validID(id) {
		c.fault(at+".id", wantID)
		return
	}
	c.current = id
	if c.ids[id] {
		c.fault(at+".id", "given twice")
	}
	c.ids[id] = true
}

func (c *checker) certificates(at string, fingerprints []string) {
	if len(fingerprints) == 0 {
		c.fault(at+".certificates", "want at least one fingerprint")
	}
	for i, f := range fingerprints {
		place := fmt.Sprintf("%s.certificates[%d]", at, i)
		if !fingerprintPattern.MatchString(f) {
			c.fault(place, "want 40 lower-case hexadecimal digits")
			continue
		}
		if other, taken := c.owners[f]; taken {
			c.fault(place, "already listed at "+other)
			continue
		}
		c.owners[f] = place
	}
}

func (c *checker) text(at, s string) {
	if strings.TrimSpace(s) == "" {
		c.fault(at, "missing")
	} else if !printable(s) {
		c.fault(at, "want printable UTF-8 text")
	}
}

// printable refuses controls, and the marks that reverse what follows on a
// page: these texts are shown beside a fingerprint.
func printable(s string) bool {
	return utf8.ValidString(s) && len(s) <= 200 && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\u00a0' && r != '\u202f' // French no-break spaces
	})
}
