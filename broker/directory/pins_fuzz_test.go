package directory

import (
	"strings"
	"testing"
)

// FuzzPins: of what can be written as the pin of a broker's TLS key, or as its
// id, only 64 lower-case digits and a plain id come in; a fault quotes neither.
func FuzzPins(f *testing.F) {
	f.Add(strings.Repeat("ab", 32), "courrier-nord")
	f.Add(strings.Repeat("AB", 32), "courrier-nord")
	f.Add(strings.Repeat("a", 63)+"\n", "../nord")
	f.Fuzz(func(t *testing.T, pin, id string) {
		l := listing()
		l.Brokers[0].TLSPins = []string{pin}
		_, err := New(l)
		if plain := len(pin) == 64 && strings.Trim(pin, "0123456789abcdef") == ""; (err == nil) != plain {
			t.Errorf("pin of %d bytes: %v", len(pin), err)
		}
		b, err := ParseBrokerID(id)
		if err == nil && (string(b) != id || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(id) > 40) {
			t.Errorf("accepted an id of %d bytes", len(id))
		}
	})
}
