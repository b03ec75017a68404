package clock

import "time"

// day is a calendar date, without an hour or a place.
type day struct {
	year  int
	month time.Month
	day   int
}

func dayOf(t time.Time, z Zone) day {
	y, m, d := t.In(z.Location()).Date()
	return day{y, m, d}
}

func (d day) utc() time.Time { return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC) }

func (d day) plus(days int) day {
	y, m, n := d.utc().AddDate(0, 0, days).Date()
	return day{y, m, n}
}

// plusMonths ends on the day of the same number, else on the last day of the
// month (CPC 641 al. 2): time.AddDate would overflow into the next month.
func (d day) plusMonths(months int) day {
	first := time.Date(d.year, d.month+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return day{first.Year(), first.Month(), min(d.day, last)}
}

func (d day) weekday() time.Weekday { return d.utc().Weekday() }

func (d day) is(m time.Month, n int) bool { return d.month == m && d.day == n }

// at is the instant of an hour of the day, as the clock on the wall shows it:
// the date's own hour, also on a day of 23 or 25 hours.
func (d day) at(sinceMidnight time.Duration, z Zone) time.Time {
	s := int(sinceMidnight / time.Second)
	return time.Date(d.year, d.month, d.day, s/3600, s/60%60, s%60, 0, z.Location())
}

// end is 24:00, the first instant of the next day.
func (d day) end(z Zone) time.Time { return d.plus(1).at(0, z) }
