package broker

import (
	"testing"
	"time"
)

// FuzzParseTime: what is read is written the same, and nothing else is an
// instant of the wire.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{
		someTime, "0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2024-02-29T00:00:00.000Z", "2026-02-29T00:00:00.000Z",
		"2026-11-20T24:00:00.000Z", "2026-11-20T23:59:60.000Z", "2026-11-20T22:41:07,123Z", "2026-11-20t22:41:07.123z", "2026-11-20 22:41:07.123Z",
		"2026-11-20T2:41:07.1234Z", "2026-11-20T22:41:07.12Z", "2026-11-20T22:41:07+01:00", "2026-11-20T22:41:07.1+1Z", "+026-11-20T22:41:07.123Z", "",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, wantErr := time.Parse(TimeForm, s)
		if wantErr == nil && FormatTime(want) != s {
			wantErr = ErrFormat
		}
		got, err := parseTime(s)
		if (err == nil) != (wantErr == nil) || err == nil && (!got.Equal(want) || got.Location() != time.UTC) {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	})
}
