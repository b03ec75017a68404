package clock

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vaguemestre/broker/directory"
)

// The directory repeats Patience, so that it imports none of ours.
var _ = Patience(directory.Patience{})

func TestOverdue(t *testing.T) {
	for _, c := range []struct {
		name, urgency, at string
		p                 Patience
		z                 Zone
		want              string
	}{
		{"U0 at night", "U0", "2026-11-21 03:00", Patience{}, Metropole, "2026-11-21 03:15"},
		{"U0 of a party", "U0", "2026-11-21 03:00", Patience{U0: 5 * time.Minute}, Metropole, "2026-11-21 03:05"},
		{"unknown urgency", "U9", "2026-11-21 03:00", Patience{}, Metropole, "2026-11-21 03:15"},
		{"U1 in the morning", "U1", "2026-11-20 09:00", Patience{}, Metropole, "2026-11-20 18:00"},
		{"U1 before dawn", "U1", "2026-11-20 02:00", Patience{}, Metropole, "2026-11-20 18:00"},
		{"U1 at the end of the day", "U1", "2026-11-19 18:00", Patience{}, Metropole, "2026-11-20 18:00"},
		{"U1 on a Friday evening", "U1", "2026-11-20 18:01", Patience{}, Metropole, "2026-11-23 18:00"},
		{"U1 on a Saturday", "U1", "2026-11-21 09:00", Patience{}, Metropole, "2026-11-23 18:00"},
		{"U1 on Vendredi saint", "U1", "2026-04-03 09:00", Patience{}, AlsaceMoselle, "2026-04-07 18:00"},
		{"U1 of a party's hours", "U1", "2026-11-20 16:00", Patience{DayEnd: 16*time.Hour + 30*time.Minute}, Metropole, "2026-11-20 16:30"},
		{"U1 of a party's delay", "U1", "2026-11-20 16:00", Patience{U1: 4 * time.Hour}, Metropole, "2026-11-20 20:00"},
		{"U1 the day the hour changes", "U1", "2026-10-24 12:00", Patience{}, Metropole, "2026-10-26 18:00"},
		{"U2 on a Monday", "U2", "2026-11-16 09:00", Patience{}, Metropole, "2026-11-19 18:00"},
		{"U2 over a week-end", "U2", "2026-11-19 09:00", Patience{}, Metropole, "2026-11-24 18:00"},
		{"U2 on a Saturday", "U2", "2026-11-21 09:00", Patience{}, Metropole, "2026-11-25 18:00"},
		{"U2 over Christmas", "U2", "2026-12-23 09:00", Patience{}, Metropole, "2026-12-29 18:00"},
		{"U2 of a party", "U2", "2026-11-16 09:00", Patience{U2Days: 1}, Metropole, "2026-11-17 18:00"},
		{"U2 of a party's delay", "U2", "2026-11-16 09:00", Patience{U2: time.Hour}, Metropole, "2026-11-16 10:00"},
		{"U1 in Cayenne", "U1", "2026-11-20 17:59", Patience{}, Guyane, "2026-11-20 18:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Overdue(c.urgency, local(t, c.z, c.at), c.p, c.z)
			if want := local(t, c.z, c.want); !got.Equal(want) {
				t.Errorf("overdue %s, want %s", got.In(c.z.Location()), want)
			}
			if got.Location() != time.UTC {
				t.Error("not in UTC")
			}
		})
	}
}

// TestOverdueProperties: never before the deposit, never earlier for a later
// deposit, and always on a working day where days are counted.
func TestOverdueProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(Zones()).Draw(t, "zone")
		u := rapid.SampledFrom([]string{"U0", "U1", "U2"}).Draw(t, "urgency")
		at := time.Unix(rapid.Int64Range(1_700_000_000, 2_000_000_000).Draw(t, "at"), 0)
		later := at.Add(time.Duration(rapid.Int64Range(0, 10*24*3600).Draw(t, "later")) * time.Second)
		due, dueLater := Overdue(u, at, Patience{}, z), Overdue(u, later, Patience{}, z)
		if !due.After(at) {
			t.Fatalf("%s deposited at %s is overdue at %s", u, at, due)
		}
		if dueLater.Before(due) {
			t.Fatalf("%s: the later deposit is overdue first", u)
		}
		if u != "U0" && !z.Working(due) {
			t.Fatalf("%s: due on a day that is not worked, %s", u, due)
		}
	})
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		attempt int
		urgent  bool
		want    time.Duration
	}{
		{0, true, time.Second}, {1, true, time.Second}, {2, true, 3 * time.Second}, {3, true, 9 * time.Second},
		{6, true, 243 * time.Second}, {7, true, 5 * time.Minute}, {math.MaxInt, true, 5 * time.Minute},
		{-1, false, 30 * time.Second}, {1, false, 30 * time.Second}, {2, false, 90 * time.Second},
		{5, false, 40*time.Minute + 30*time.Second}, {6, false, time.Hour}, {1000, false, time.Hour},
	} {
		if got := Backoff(c.attempt, c.urgent, 0); got != c.want {
			t.Errorf("attempt %d urgent %v: %s, want %s", c.attempt, c.urgent, got, c.want)
		}
	}
	if got := Backoff(6, false, 0.5); got != 54*time.Minute {
		t.Errorf("half the jitter: %s", got)
	}
	for _, j := range []float64{math.NaN(), -1, 1, math.Inf(1)} {
		if got := Backoff(1, true, j); got != time.Second {
			t.Errorf("jitter %v: %s", j, got)
		}
	}
}

func TestFrench(t *testing.T) {
	at := time.Date(2026, 11, 20, 21, 41, 59, 0, time.UTC)
	first := time.Date(2027, 2, 1, 8, 5, 0, 0, time.UTC)
	end := Add(at, Term{Days: 10}, Metropole, Administrative).Plain
	for got, want := range map[string]string{
		Date(at, Metropole):     "20/11/2026",
		Hour(at, Metropole):     "22 h 41",
		Long(at, Metropole):     "vendredi 20 novembre 2026 à 22 h 41",
		Long(at, LaReunion):     "samedi 21 novembre 2026 à 01 h 41",
		Long(first, Metropole):  "lundi 1er février 2027 à 09 h 05",
		DayOf(end, Metropole):   "30/11/2026",
		LongDue(end, Metropole): "lundi 30 novembre 2026 à 24 h",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
