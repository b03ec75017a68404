package clock

import (
	"fmt"
	"time"
)

// Date writes the local date as in 20/11/2026.
func Date(t time.Time, z Zone) string { return t.In(z.Location()).Format("02/01/2006") }

// Hour writes the local hour as in 22 h 41, with ordinary spaces: a page that
// wants no break there says so in its style.
func Hour(t time.Time, z Zone) string { return t.In(z.Location()).Format("15 h 04") }

// Long writes the local time as in vendredi 20 novembre 2026 à 22 h 41.
func Long(t time.Time, z Zone) string {
	return longDay(dayOf(t, z)) + " à " + Hour(t, z)
}

// DayOf writes the date of the end of a period as in 28/11/2026: the day that
// ends, where the instant is the midnight that follows it.
func DayOf(end time.Time, z Zone) string { return Date(lastInstant(end, z), z) }

// LongDue writes the end of a period as in samedi 28 novembre 2026 à 24 h, or
// with its hour when it does not end with a day.
func LongDue(end time.Time, z Zone) string {
	if last := lastInstant(end, z); !last.Equal(end) {
		return longDay(dayOf(last, z)) + " à 24 h"
	}
	return Long(end, z)
}

func lastInstant(end time.Time, z Zone) time.Time {
	if end.Equal(dayOf(end, z).at(0, z)) {
		return end.Add(-time.Nanosecond)
	}
	return end
}

func longDay(d day) string {
	number := fmt.Sprint(d.day)
	if d.day == 1 {
		number = "1er"
	}
	return fmt.Sprintf("%s %s %s %d", weekdays[d.weekday()], number, months[d.month-1], d.year)
}

var (
	weekdays = [...]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}
	months   = [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet",
		"août", "septembre", "octobre", "novembre", "décembre"}
)
