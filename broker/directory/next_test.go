package directory

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The way to a party is a line on its home: direct, or through a relay, which
// goes on directly.
func TestNext(t *testing.T) {
	l := listing()
	l.Brokers[1].Via = "relais"
	d, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from BrokerID
		to   PartyID
		want BrokerID
	}{{"nord", "je-lille", "relais"}, {"relais", "je-lille", "lille"}, {"lille", "je-lille", "lille"}, {"lille", "ase-59", "nord"}, {"relais", "ase-59", "nord"}} {
		if next, ok := d.Next(c.from, c.to); !ok || next.ID != c.want {
			t.Errorf("from %s to %s: %s, want %s", c.from, c.to, next.ID, c.want)
		}
	}
	if _, ok := d.Next("nord", "ase-62"); ok {
		t.Error("a way to an unknown party")
	}
	for _, bad := range []struct {
		broker int
		via    BrokerID
	}{{1, "nord"}, {1, "lille"}, {1, "personne"}, {2, "relais"}} {
		l := listing()
		l.Brokers[bad.broker].Via = bad.via
		if _, err := New(l); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprintf("brokers[%d].via", bad.broker)) {
			t.Errorf("via %s: %v", bad.via, err)
		}
	}
}
