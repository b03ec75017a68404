package clock

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func date(y int, m time.Month, d int) day { return day{y, m, d} }

// TestHolidaysOfTheNationalList compares every day of 2024 to 2031, in every
// zone, with the published list.
func TestHolidaysOfTheNationalList(t *testing.T) {
	folder := os.Getenv("VAGUEMESTRE_DATA")
	if folder == "" {
		t.Skip("VAGUEMESTRE_DATA is not set: the folder of jours_feries.csv")
	}
	f, err := os.Open(filepath.Join(folder, "jours_feries.csv"))
	if err != nil {
		t.Skip("VAGUEMESTRE_DATA has no jours_feries.csv")
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	published := map[Zone]map[string]bool{}
	for _, r := range rows[1:] {
		z, err := ParseZone(r[1])
		if err != nil {
			t.Fatalf("zone %q of the list: %v", r[1], err)
		}
		if published[z] == nil {
			published[z] = map[string]bool{}
		}
		published[z][r[0]] = true
	}
	if len(published) != len(Zones()) {
		t.Fatalf("the list has %d zones, the table %d", len(published), len(Zones()))
	}
	for _, z := range Zones() {
		for d := date(2024, 1, 1); d.year < 2032; d = d.plus(1) {
			iso := d.utc().Format(time.DateOnly)
			if _, got := z.holiday(d); got != published[z][iso] {
				t.Errorf("%s %s: holiday %v, published %v", z, iso, got, published[z][iso])
			}
		}
	}
}

// TestEaster compares with another computation, that of Meeus and Butcher.
func TestEaster(t *testing.T) {
	for y := 1900; y <= 2200; y++ {
		a, b, c := y%19, y/100, y%100
		h := (19*a + b - b/4 - (b-(b+8)/25+1)/3 + 15) % 30
		l := (32 + 2*(b%4) + 2*(c/4) - h - c%4) % 7
		n := h + l - 7*((a+11*h+22*l)/451) + 114
		if got, want := easterSunday(y), date(y, time.Month(n/31), n%31+1); got != want {
			t.Errorf("Easter of %d: %v, want %v", y, got, want)
		}
	}
}

// TestZoneDays has one day of each rule, for machines without the list.
func TestZoneDays(t *testing.T) {
	for _, c := range []struct {
		z       Zone
		d       day
		holiday bool
	}{
		{Metropole, date(2026, 4, 6), true}, // lundi de Pâques
		{Metropole, date(2026, 5, 14), true},
		{Metropole, date(2026, 5, 25), true},
		{Metropole, date(2026, 4, 3), false}, // vendredi saint
		{Metropole, date(2026, 12, 26), false},
		{AlsaceMoselle, date(2026, 4, 3), true},
		{AlsaceMoselle, date(2026, 12, 26), true},
		{Mayotte, date(2026, 4, 27), true},
		{Martinique, date(2026, 5, 22), true},
		{Guadeloupe, date(2026, 5, 27), true},
		{SaintMartin, date(2026, 5, 28), true},
		{Guyane, date(2026, 6, 10), true},
		{SaintBarthelemy, date(2026, 10, 9), true},
		{LaReunion, date(2026, 12, 20), true},
		{LaReunion, date(2026, 5, 27), false},
		{NouvelleCaledonie, date(2026, 7, 14), true},
		{PolynesieFrancaise, date(2026, 11, 11), true},
		{SaintPierreEtMiquelon, date(2026, 8, 15), true},
		{WallisEtFutuna, date(2026, 11, 1), true},
		{"", date(2026, 5, 1), true},
	} {
		name, got := c.z.holiday(c.d)
		if got != c.holiday || got != (name != "") {
			t.Errorf("%s %v: holiday %v %q, want %v", c.z, c.d, got, name, c.holiday)
		}
	}
}

// TestLocalDay: the day is that of the place, not of the server.
func TestLocalDay(t *testing.T) {
	at := time.Date(2026, 7, 13, 22, 30, 0, 0, time.UTC) // already the 14th in Paris, still the 13th in Cayenne
	if Metropole.Working(at) || !Guyane.Working(at) {
		t.Error("the public holiday is not read at the local hour")
	}
	if name, ok := Metropole.Holiday(at); !ok || name != "14 juillet" {
		t.Errorf("Holiday: %q %v", name, ok)
	}
}

func TestParseZone(t *testing.T) {
	for _, z := range Zones() {
		got, err := ParseZone(string(z))
		if err != nil || got != z {
			t.Errorf("%s: %q, %v", z, got, err)
		}
		if z.Label() == "" || z.Location() == nil {
			t.Errorf("%s has no label or location", z)
		}
	}
	for _, s := range []string{"", "Metropole", "paris"} {
		if _, err := ParseZone(s); !errors.Is(err, ErrZone) {
			t.Errorf("ParseZone(%q): %v", s, err)
		}
	}
}

func TestZoneOf(t *testing.T) {
	for code, want := range map[string]Zone{
		"59": Metropole, "2A": Metropole, "57": AlsaceMoselle, "67": AlsaceMoselle, "68": AlsaceMoselle,
		"971": Guadeloupe, "974": LaReunion, "976": Mayotte, "988": NouvelleCaledonie, "": Metropole,
	} {
		if got := ZoneOf("", code); got != want {
			t.Errorf("ZoneOf(%q) = %s, want %s", code, got, want)
		}
	}
	if got := ZoneOf("metropole", "57"); got != Metropole { // the name prevails
		t.Errorf("a party that says metropole is counted as %s", got)
	}
}

func FuzzParseZone(f *testing.F) {
	for _, z := range Zones() {
		f.Add(string(z))
	}
	f.Add("metropole\x00")
	f.Fuzz(func(t *testing.T, s string) {
		z, err := ParseZone(s)
		if (err == nil) == (z == "") {
			t.Fatalf("%q, %v", z, err)
		}
		Zone(s).Working(time.Unix(0, 0))
	})
}
