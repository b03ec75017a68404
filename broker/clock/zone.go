package clock

import (
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // a minimal server may have no time-zone files
)

// Zone names a set of public holidays and a local time. The zero value, and
// any name that [ParseZone] would refuse, is counted as Metropole.
type Zone string

// The zones of the national list of public holidays.
const (
	Metropole             Zone = "metropole"
	AlsaceMoselle         Zone = "alsace-moselle"
	Guadeloupe            Zone = "guadeloupe"
	Guyane                Zone = "guyane"
	LaReunion             Zone = "la-reunion"
	Martinique            Zone = "martinique"
	Mayotte               Zone = "mayotte"
	NouvelleCaledonie     Zone = "nouvelle-caledonie"
	PolynesieFrancaise    Zone = "polynesie-francaise"
	SaintBarthelemy       Zone = "saint-barthelemy"
	SaintMartin           Zone = "saint-martin"
	SaintPierreEtMiquelon Zone = "saint-pierre-et-miquelon"
	WallisEtFutuna        Zone = "wallis-et-futuna"
)

// ErrZone is wrapped by the error of [ParseZone].
var ErrZone = errors.New("unknown zone of public holidays")

// zone is a row of the table of zones.
type zone struct {
	name        Zone
	label       string // French
	location    *time.Location
	abolition   monthDay // day of the abolition of slavery, décret 83-1003; zero where none
	departement string   // code of the territory; empty where there are several
}

type monthDay struct {
	month time.Month
	day   int
}

// table is never written after the program starts.
var table = []zone{
	{Metropole, "Métropole", mustLoad("Europe/Paris"), monthDay{}, ""},
	{AlsaceMoselle, "Alsace-Moselle", mustLoad("Europe/Paris"), monthDay{}, ""},
	{Guadeloupe, "Guadeloupe", mustLoad("America/Guadeloupe"), monthDay{time.May, 27}, "971"},
	{Guyane, "Guyane", mustLoad("America/Cayenne"), monthDay{time.June, 10}, "973"},
	{LaReunion, "La Réunion", mustLoad("Indian/Reunion"), monthDay{time.December, 20}, "974"},
	{Martinique, "Martinique", mustLoad("America/Martinique"), monthDay{time.May, 22}, "972"},
	{Mayotte, "Mayotte", mustLoad("Indian/Mayotte"), monthDay{time.April, 27}, "976"},
	{NouvelleCaledonie, "Nouvelle-Calédonie", mustLoad("Pacific/Noumea"), monthDay{}, "988"},
	{PolynesieFrancaise, "Polynésie française", mustLoad("Pacific/Tahiti"), monthDay{}, "987"},
	{SaintBarthelemy, "Saint-Barthélemy", mustLoad("America/St_Barthelemy"), monthDay{time.October, 9}, "977"},
	{SaintMartin, "Saint-Martin", mustLoad("America/Marigot"), monthDay{time.May, 28}, "978"},
	{SaintPierreEtMiquelon, "Saint-Pierre-et-Miquelon", mustLoad("America/Miquelon"), monthDay{}, "975"},
	{WallisEtFutuna, "Wallis-et-Futuna", mustLoad("Pacific/Wallis"), monthDay{}, "986"},
}

// mustLoad reads the embedded time zones: a name that is missing there is a
// fault of this table, seen by every test.
func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil {
		panic("clock: embedded time zones: " + err.Error())
	}
	return l
}

// ParseZone returns the zone of that name, or an error that wraps [ErrZone].
func ParseZone(s string) (Zone, error) {
	for _, r := range table {
		if string(r.name) == s {
			return r.name, nil
		}
	}
	return "", fmt.Errorf("zone: %w", ErrZone)
}

// Zones returns every zone.
func Zones() []Zone {
	out := make([]Zone, len(table))
	for i, r := range table {
		out[i] = r.name
	}
	return out
}

// ZoneOf returns the zone of a party: the one of that name when it is given,
// else that of its département or territory, by its code ("57", "971"). A code
// that has no zone of its own is Metropole.
func ZoneOf(name, departement string) Zone {
	if z, err := ParseZone(name); err == nil {
		return z
	}
	if slices.Contains([]string{"57", "67", "68"}, departement) {
		return AlsaceMoselle
	}
	for _, r := range table {
		if r.departement != "" && r.departement == departement {
			return r.name
		}
	}
	return Metropole
}

func (z Zone) row() zone {
	for _, r := range table {
		if r.name == z {
			return r
		}
	}
	return table[0]
}

// Location is the zone's local time.
func (z Zone) Location() *time.Location { return z.row().location }

// Label is the zone's name in French, for a page that shows a local hour.
func (z Zone) Label() string { return z.row().label }

// Working reports whether the local day of t is a jour ouvrable in the sense
// of CPC 642: neither Saturday, nor Sunday, nor a public holiday.
func (z Zone) Working(t time.Time) bool { return z.working(dayOf(t, z)) }

// Holiday returns the French name of the public holiday that the local day
// of t is, and whether it is one.
func (z Zone) Holiday(t time.Time) (string, bool) { return z.holiday(dayOf(t, z)) }

func (z Zone) working(d day) bool {
	if w := d.weekday(); w == time.Saturday || w == time.Sunday {
		return false
	}
	_, holiday := z.holiday(d)
	return !holiday
}

func (z Zone) holiday(d day) (string, bool) {
	if name, ok := nationalHoliday(d); ok {
		return name, true
	}
	easter := easterSunday(d.year)
	if z == AlsaceMoselle { // code du travail L3134-13
		switch {
		case d == easter.plus(-2):
			return "Vendredi saint", true
		case d.is(time.December, 26):
			return "2e jour de Noël", true
		}
	}
	if a := z.row().abolition; a.day != 0 && d.is(a.month, a.day) {
		return "Abolition de l'esclavage", true
	}
	return "", false
}

// nationalHoliday knows the eleven days of code du travail L3133-1.
func nationalHoliday(d day) (string, bool) {
	switch (monthDay{d.month, d.day}) {
	case monthDay{time.January, 1}:
		return "1er janvier", true
	case monthDay{time.May, 1}:
		return "1er mai", true
	case monthDay{time.May, 8}:
		return "8 mai", true
	case monthDay{time.July, 14}:
		return "14 juillet", true
	case monthDay{time.August, 15}:
		return "Assomption", true
	case monthDay{time.November, 1}:
		return "Toussaint", true
	case monthDay{time.November, 11}:
		return "11 novembre", true
	case monthDay{time.December, 25}:
		return "Jour de Noël", true
	}
	easter := easterSunday(d.year)
	switch d {
	case easter.plus(1):
		return "Lundi de Pâques", true
	case easter.plus(39):
		return "Ascension", true
	case easter.plus(50):
		return "Lundi de Pentecôte", true
	}
	return "", false
}

// easterSunday is the Gregorian computus: the Sunday after the first
// ecclesiastical full moon on or after 21 March.
func easterSunday(year int) day {
	century := year / 100
	golden := year % 19
	// Age of the moon, corrected by the leap years that the Gregorian calendar
	// drops and by the drift of the 19-year cycle.
	epact := (century - century/4 - (8*century+13)/25 + 19*golden + 15) % 30
	// Two dates that the cycle never reaches are brought one day back.
	moon := epact - (epact/28)*(1-(29/(epact+1))*((21-golden)/11))
	sunday := (year + year/4 + moon + 2 - century + century/4) % 7
	return day{year, time.March, 28}.plus(moon - sunday)
}
