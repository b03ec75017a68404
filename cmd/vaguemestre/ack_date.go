package main

import (
	"strings"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/clock"
)

// doneAt reads the date of an act as people write it, in the local time of
// their party, and gives it as the API takes it; "" for none.
func doneAt(s string, z clock.Zone) (string, error) {
	if s == "" {
		return "", nil
	}
	at, ok := parseLocal(s, z.Location())
	if !ok {
		return "", &usageError{text: "--date: not a date", hint: "20/11/2026, 20/11/2026 14 h 30, 2026-11-20, 2026-11-20 14:30, or 2026-11-20T14:30:00+01:00"}
	}
	return broker.FormatTime(at), nil
}

// parseLocal reads one of the forms of a date and an hour. An hour that the
// clocks skipped, or a day that a month does not have, is no date.
func parseLocal(s string, l *time.Location) (time.Time, bool) {
	s = strings.Join(strings.Fields(s), " ")
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return at, true
	}
	s = strings.ReplaceAll(strings.ReplaceAll(s, " à ", " "), " h", "h")
	for _, day := range []string{"2/1/2006", "2006-01-02"} {
		for _, hour := range []string{"", " 15:04", " 15h 04", " 15h04", " 15h", "T15:04"} {
			at, err := time.ParseInLocation(day+hour, s, l)
			if err != nil {
				continue
			}
			written, err := time.Parse(day+hour, s)
			return at, err == nil && at.Format(time.DateTime) == written.Format(time.DateTime)
		}
	}
	return time.Time{}, false
}
