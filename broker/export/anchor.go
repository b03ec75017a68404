package export

import (
	"errors"
	"fmt"
	"strings"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
)

// ErrAnchor says that an anchor is not written PARTY@HOME=FINGERPRINT or
// BROKER=FINGERPRINT, or that two anchors contradict each other.
var ErrAnchor = errors.New("export: not an anchor")

// Anchor says whose a certificate is, from a source other than the export: a
// printed sheet. Verify believes nothing else.
type Anchor struct {
	Party       broker.PartyID // "" for the anchor of a broker
	Broker      broker.BrokerID
	Fingerprint string // of the primary key: 40 lower-case hexadecimal digits
}

// ParseAnchor reads one line of the sheet. Upper-case digits are accepted, as
// gpg prints them. It returns ErrAnchor, wrapped.
func ParseAnchor(s string) (Anchor, error) {
	who, fingerprint, ok := strings.Cut(s, "=")
	fingerprint = strings.ToLower(fingerprint)
	if !ok || !isHex(fingerprint, 40) {
		return Anchor{}, fmt.Errorf("%w: a fingerprint has 40 hexadecimal digits, without spaces", ErrAnchor)
	}
	party, home, ofParty := strings.Cut(who, "@")
	if !ofParty {
		home = who
	}
	if ofParty && !isParty(party) || !isBroker(home) {
		return Anchor{}, fmt.Errorf("%w: write PARTY@HOME=FINGERPRINT or BROKER=FINGERPRINT", ErrAnchor)
	}
	a := Anchor{Broker: broker.BrokerID(home), Fingerprint: fingerprint}
	if ofParty {
		a.Party = broker.PartyID(party)
	}
	return a, nil
}

// String is the form that ParseAnchor and verifier.sh read.
func (a Anchor) String() string {
	if a.Party == "" {
		return string(a.Broker) + "=" + a.Fingerprint
	}
	return string(a.Party) + "@" + string(a.Broker) + "=" + a.Fingerprint
}

// Anchors lists every certificate of a directory in the form of the printed
// sheet: parties, then brokers, each sorted by id, the current certificate
// first.
func Anchors(d *directory.Directory) []Anchor {
	var out []Anchor
	for _, p := range d.Parties() {
		for _, f := range p.Certificates {
			out = append(out, Anchor{Party: p.ID, Broker: p.Home, Fingerprint: f})
		}
	}
	for _, b := range d.Brokers() {
		for _, f := range b.Certificates {
			out = append(out, Anchor{Broker: b.ID, Fingerprint: f})
		}
	}
	return out
}

// anchorSet answers the questions that Verify asks of the anchors.
type anchorSet map[Anchor]bool

// newAnchorSet refuses a fingerprint that is given to two.
func newAnchorSet(list []Anchor) (anchorSet, error) {
	set, owner := anchorSet{}, map[string]Anchor{}
	for _, a := range list {
		if other, taken := owner[a.Fingerprint]; taken && other != a {
			return nil, fmt.Errorf("%w: one fingerprint is given to %s and to %s", ErrAnchor, name(other), name(a))
		}
		owner[a.Fingerprint] = a
		set[a] = true
	}
	return set, nil
}

func name(a Anchor) string {
	who, _, _ := strings.Cut(a.String(), "=")
	return who
}

// broker says whether a certificate is anchored as this broker's.
func (s anchorSet) broker(id broker.BrokerID, fingerprint string) bool {
	return s[Anchor{Broker: id, Fingerprint: fingerprint}]
}

// party says whether a certificate is anchored as this party's, at this home.
func (s anchorSet) party(p broker.PartyID, home broker.BrokerID, fingerprint string) bool {
	return p != "" && s[Anchor{Party: p, Broker: home, Fingerprint: fingerprint}]
}

// anyHome is party for whatever home.
func (s anchorSet) anyHome(p broker.PartyID, fingerprint string) bool {
	for a := range s {
		if a.Party == p && p != "" && a.Fingerprint == fingerprint {
			return true
		}
	}
	return false
}

// home says whether a broker is, by the anchors, home of one of these parties.
func (s anchorSet) home(id broker.BrokerID, of ...broker.PartyID) bool {
	for a := range s {
		for _, p := range of {
			if p != "" && a.Party == p && a.Broker == id {
				return true
			}
		}
	}
	return false
}

// isParty and isBroker hold the forms of MEMBERS: "all" is no id, it is
// what the file of an evidence for all is called.
func isParty(s string) bool {
	_, err := directory.ParsePartyID(s)
	return err == nil && s != forAll
}

func isBroker(s string) bool {
	_, err := directory.ParseBrokerID(s)
	return err == nil && s != forAll
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdef") == ""
}
