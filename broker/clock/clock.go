// Package clock counts time as the law and the service count it: working days
// by zone, legal periods, the moment a silence becomes overdue, the retries of
// a delivery. Every function is pure: the time is an argument.
//
// # Zones
//
// A [Zone] has its public holidays and its local time. The thirteen zones are
// those of the national list of public holidays: code du travail L3133-1 (the
// eleven national days), L3134-13 (Alsace-Moselle: Vendredi saint and 26
// December), L3422-2 and décret 83-1003 (overseas, the day of the abolition of
// slavery). They are computed, with no data file: four national days move with
// Easter, all else is a fixed date, which is less code than a library that
// knows the eleven only. Vendredi saint is kept in the whole of Alsace-Moselle
// although the text names only the communes with a temple; territorial days that
// the national list omits (Nouvelle-Calédonie, Polynésie française,
// Wallis-et-Futuna) are not holidays here: the date shown is then the earlier
// one. Polynésie française is counted at Tahiti's hour.
//
// # Legal periods
//
// [Add] counts by the code de procédure civile: the day of the start is not
// counted (641 al. 1); a period in months or years ends on the day of the same
// number, else on the last of the month (641 al. 2); months are counted before
// days (641 al. 3); a period ends at 24:00 of its last day, and one that would
// end on a Saturday, a Sunday or a holiday goes on to the next working day (642).
// Days are calendar days: only the last one moves. A period in hours runs from
// hour to hour. Administrative periods are counted the same way and never move.
//
// 24:00 is the instant that begins the next day: every time of a [Due] is the
// first instant at which the period is over. [DayOf] and [LongDue] show it as
// the day that ends.
//
// [Terms] lists the periods that we watch. All of it is indicative, always: see
// [Indicative].
//
// # Silence
//
// [Overdue] is the moment at which a pli without any act raises an alarm. No
// text gives these delays; [Patience] sets them for each party.
package clock

import (
	"math"
	"time"
)

// Patience says how long a party may stay silent. A zero field means the
// default, so the zero value is the rule of the issue: 15 minutes, the end of
// the working day, the end of the third working day after that of deposit.
type Patience struct {
	U0     time.Duration // default 15 minutes
	U1     time.Duration // default: until the end of the working day
	U2     time.Duration // default: until the end of working day number U2Days
	U2Days int           // working days after the day of deposit; default 3
	DayEnd time.Duration // end of the working day, since midnight, local; default 18 h
}

// Defaults of [Patience].
const (
	DefaultU0     = 15 * time.Minute
	DefaultU2Days = 3
	DefaultDayEnd = 18 * time.Hour
)

// Overdue returns when a pli deposited at that time becomes overdue, in UTC.
//
//   - U0: 15 minutes later, day and night.
//   - U1: the end of the working day; when it was deposited at or after that end,
//     or on a day that is not worked, the end of the next working day.
//   - U2: the end of the third working day after the day of deposit, which does
//     not count (as in CPC 641).
//
// An urgency that is not known is treated as U0: the error of too early an
// alarm is the one that a person can repair.
func Overdue(urgency string, at time.Time, p Patience, z Zone) time.Time {
	switch urgency {
	case "U1":
		if p.U1 > 0 {
			return at.Add(p.U1).UTC()
		}
		return endOfWork(at, p, z).UTC()
	case "U2":
		if p.U2 > 0 {
			return at.Add(p.U2).UTC()
		}
		return endOfWorkAfter(at, p, z).UTC()
	default:
		if p.U0 > 0 {
			return at.Add(p.U0).UTC()
		}
		return at.Add(DefaultU0).UTC()
	}
}

func endOfWork(at time.Time, p Patience, z Zone) time.Time {
	day := dayOf(at, z)
	for {
		if end := day.at(p.dayEnd(), z); z.working(day) && at.Before(end) {
			return end
		}
		day = day.plus(1)
	}
}

func endOfWorkAfter(at time.Time, p Patience, z Zone) time.Time {
	left := p.U2Days
	if left <= 0 {
		left = DefaultU2Days
	}
	day := dayOf(at, z)
	for left > 0 {
		day = day.plus(1)
		if z.working(day) {
			left--
		}
	}
	return day.at(p.dayEnd(), z)
}

func (p Patience) dayEnd() time.Duration {
	if p.DayEnd <= 0 || p.DayEnd > 24*time.Hour {
		return DefaultDayEnd
	}
	return p.DayEnd
}

// GiveUp is how long a delivery is retried before it becomes a dead letter.
const GiveUp = 7 * 24 * time.Hour

// Backoff returns how long to wait after failed attempt number attempt, counted
// from 1. An urgent (U0) delivery waits 1 s, then three times more at each
// failure, at most 5 minutes; any other starts at 30 s, at most one hour.
// Jitter, in [0,1), shortens the wait by up to a fifth, so that the senders of
// a recipient that comes back do not all knock at once; the caller draws it,
// and a value outside its range counts as 0.
func Backoff(attempt int, urgent bool, jitter float64) time.Duration {
	wait, most := 30*time.Second, time.Hour
	if urgent {
		wait, most = time.Second, 5*time.Minute
	}
	for i := 1; i < attempt && wait < most; i++ {
		wait *= 3
	}
	wait = min(wait, most)
	if math.IsNaN(jitter) || jitter < 0 || jitter >= 1 {
		jitter = 0
	}
	return wait - time.Duration(jitter*float64(wait)/5)
}
