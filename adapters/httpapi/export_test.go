package httpapi

import (
	"net/http"
	"time"

	"vaguemestre/broker"
)

// ServerPaced is Server with a pace for tests that cannot wait.
func ServerPaced(h http.Handler, stall, window time.Duration, least int64) *http.Server {
	return server(h, nil, nil, pace{stall, window, least})
}

// RouteRow is a row of the table, for the tests that hold it to its
// description and try every one.
type RouteRow struct {
	Method, Path, Right string
	Alone               bool
}

// PublicRoutes lists what applications have.
func PublicRoutes() []RouteRow {
	var out []RouteRow
	for _, r := range routes() {
		if !r.local {
			out = append(out, RouteRow{r.method, r.path, string(r.right), r.alone})
		}
	}
	return out
}

// Codes lists every code of a problem.
func Codes() []string {
	var out []string
	for _, r := range problemTable() {
		out = append(out, r.code)
	}
	return out
}

// ParseMessage reads the JSON of a message: how many faults, and what document.
func ParseMessage(text []byte) (kind string, document []byte, faults []string) {
	m, list := parseMessage(text)
	for _, f := range list {
		faults = append(faults, f.Path+" "+f.Code)
	}
	return string(m.kind), m.document.Bytes(), faults
}

// ParseAct reads the JSON of an act.
func ParseAct(text []byte) (broker.Act, []string) {
	a, list := parseAct(text)
	var faults []string
	for _, f := range list {
		faults = append(faults, f.Path+" "+f.Code)
	}
	return a, faults
}

// ParseRelease reads the JSON of a release.
func ParseRelease(text []byte) (broker.Release, []string) {
	r, list := parseRelease(text)
	var faults []string
	for _, f := range list {
		faults = append(faults, f.Path+" "+f.Code)
	}
	return r, faults
}

// Doors for tests of parsers.
var (
	Negotiate = negotiate
	IsID      = isID
	FirstID   = firstID
)

// Cursor and ParseCursor read and write a cursor.
func Cursor(b, id string) string                     { return cursor(box(b), id) }
func ParseCursor(s, b string) (id string, err error) { return parseCursor(s, box(b)) }
