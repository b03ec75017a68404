package clock

import (
	"testing"
	"time"
)

func local(t *testing.T, z Zone, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", s, z.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestAdd: the cases decided by the courts, and each rule of CPC 641 and 642.
// A date is the last day of the period, which ends at 24:00.
func TestAdd(t *testing.T) {
	for _, c := range []struct {
		name, start     string
		term            Term
		z               Zone
		r               Rule
		plain, extended string
	}{
		{"OPP of a Friday", "2026-11-20 22:41", Term{Days: 8}, Metropole, Doubtful, "28/11/2026", "30/11/2026"},
		{"ends on Christmas", "2026-12-10 09:00", Term{Days: 15}, Metropole, CPC, "25/12/2026", "28/12/2026"},
		{"Vendredi saint in métropole", "2026-03-19 09:00", Term{Days: 15}, Metropole, CPC, "03/04/2026", "03/04/2026"},
		{"Vendredi saint in Alsace-Moselle", "2026-03-19 09:00", Term{Days: 15}, AlsaceMoselle, CPC, "03/04/2026", "07/04/2026"},
		{"month without a day 31", "2026-08-31 09:00", Term{Months: 6}, Metropole, CPC, "28/02/2027", "01/03/2027"},
		{"Cass. on 28 July 2022", "2022-07-28 09:00", Term{Days: 15}, Metropole, CPC, "12/08/2022", "12/08/2022"},
		{"Cass. on 10 September 2015", "2015-09-10 09:00", Term{Months: 6}, Metropole, CPC, "10/03/2016", "10/03/2016"},
		{"leap day", "2028-02-29 09:00", Term{Years: 1}, Metropole, Administrative, "28/02/2029", "28/02/2029"},
		{"29 February exists", "2027-08-31 09:00", Term{Months: 6}, Metropole, Administrative, "29/02/2028", "29/02/2028"},
		{"months before days", "2026-01-31 09:00", Term{Months: 1, Days: 1}, Metropole, Administrative, "01/03/2026", "01/03/2026"},
		{"over the new year", "2026-11-15 09:00", Term{Months: 3}, Metropole, Administrative, "15/02/2027", "15/02/2027"},
		{"administrative is not extended", "2026-11-20 09:00", Term{Days: 8}, Metropole, Administrative, "28/11/2026", "28/11/2026"},
		{"last minute of the day", "2026-11-20 23:59", Term{Days: 1}, Metropole, CPC, "21/11/2026", "23/11/2026"},
		{"first minute of the day", "2026-11-20 00:00", Term{Days: 1}, Metropole, CPC, "21/11/2026", "23/11/2026"},
		{"day of 23 hours", "2026-03-28 12:00", Term{Days: 1}, Metropole, Administrative, "29/03/2026", "29/03/2026"},
		{"day of 25 hours", "2026-10-24 12:00", Term{Days: 1}, Metropole, Administrative, "25/10/2026", "25/10/2026"},
		{"back from the hearing, on a Sunday", "2026-11-30 10:00", Term{Days: 8}, Metropole, Backward, "22/11/2026", "22/11/2026"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := local(t, c.z, c.start)
			due := Add(start.UTC(), c.term, c.z, c.r)
			if got := DayOf(due.Plain, c.z); got != c.plain {
				t.Errorf("plain %s, want %s", got, c.plain)
			}
			if got := DayOf(due.Extended, c.z); got != c.extended {
				t.Errorf("extended %s, want %s", got, c.extended)
			}
			if h, m, s := due.Plain.Clock(); h != 0 || m != 0 || s != 0 {
				t.Errorf("plain ends at %s, want 24 h", due.Plain)
			}
		})
	}
}

// TestAddUsesTheLocalDay: the same instant is two days.
func TestAddUsesTheLocalDay(t *testing.T) {
	start := time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC) // the 21st in Paris
	if got := DayOf(Add(start, Term{Days: 1}, Metropole, Administrative).Plain, Metropole); got != "22/11/2026" {
		t.Errorf("Paris: %s", got)
	}
	if got := DayOf(Add(start, Term{Days: 1}, Martinique, Administrative).Plain, Martinique); got != "21/11/2026" {
		t.Errorf("Fort-de-France: %s", got)
	}
}

func TestAddHours(t *testing.T) {
	start := local(t, Metropole, "2026-10-23 22:00") // Friday; 72 hours hold the change of hour
	due := Add(start, Term{Hours: 72}, Metropole, Administrative)
	if got := Long(due.Plain, Metropole); got != "lundi 26 octobre 2026 à 21 h 00" {
		t.Errorf("72 hours: %s", got)
	}
	if !due.Extended.Equal(due.Plain) {
		t.Error("an administrative period was extended")
	}
	due = Add(start, Term{Hours: 24}, Metropole, CPC)
	if got := LongDue(due.Plain, Metropole); got != "samedi 24 octobre 2026 à 22 h 00" {
		t.Errorf("24 hours: %s", got)
	}
	if got := LongDue(due.Extended, Metropole); got != "lundi 26 octobre 2026 à 24 h" {
		t.Errorf("24 hours, extended: %s", got)
	}
	if back := Add(start, Term{Hours: 1}, Metropole, Backward); !back.Plain.Equal(start.Add(-time.Hour)) {
		t.Errorf("one hour before: %s", back.Plain)
	}
}

func TestAlarmIsOnTheSureDate(t *testing.T) {
	due := Add(local(t, Metropole, "2026-11-20 22:41"), Term{Days: 8}, Metropole, Doubtful)
	if got := due.Alarm(Doubtful); !got.Equal(due.Plain) {
		t.Errorf("doubtful: %s", got)
	}
	if got := due.Alarm(CPC); !got.Equal(due.Extended) {
		t.Errorf("CPC: %s", got)
	}
}

func TestTerms(t *testing.T) {
	seen := map[string]bool{}
	start := local(t, Metropole, "2026-11-20 22:41")
	for _, l := range Terms() {
		if l.Name == "" || seen[l.Name] || l.Label == "" || l.Article == "" || l.Starts == "" {
			t.Errorf("%s: incomplete, or given twice", l.Name)
		}
		seen[l.Name] = true
		if l.Term == (Term{}) || (l.Term.Hours != 0 && l.Term != Term{Hours: l.Term.Hours}) {
			t.Errorf("%s: no length, or hours with days", l.Name)
		}
		if due := l.Due(start, Metropole); due.Plain.Before(start) != (l.Rule == Backward) || due.Extended.Before(due.Plain) {
			t.Errorf("%s: due %v", l.Name, due)
		}
	}
	for name, want := range map[string]string{"opp_saisine": "28/11/2026", "opp_audience": "07/12/2026", "fond": "20/05/2027"} {
		if !seen[name] {
			t.Fatalf("no %s", name)
		}
		for _, l := range Terms() {
			if l.Name == name {
				if got := DayOf(l.Due(start, Metropole).Alarm(l.Rule), Metropole); got != want {
					t.Errorf("%s: %s, want %s", name, got, want)
				}
			}
		}
	}
}
