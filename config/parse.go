package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// parse reads a file without the environment. It walks the decoded tables by
// hand rather than letting the decoder fill the structures: the decoder takes
// keys in any case, and names the last of several tables in its errors.
func parse(data []byte) (Config, error) {
	if len(data) > maxFile {
		return Config{}, &Error{Key: FileName, Problem: "larger than 4 MiB"}
	}
	var tree map[string]any
	if _, err := toml.Decode(string(data), &tree); err != nil {
		return Config{}, syntax(err)
	}
	r := &reader{lines: indexLines(string(data))}
	c := Config{lines: r.lines}
	top := r.open("", tree)
	c.Broker = top.text("broker", true)
	c.Demonstration = top.flag("demonstration")
	c.Limits = r.limits(top.table("limits"))
	c.API = r.api(top.table("api"), c.Limits)
	c.Admin = r.admin(top.table("admin"))
	c.Log = r.log(top.table("log"))
	c.Retention = r.retention(top.table("retention"))
	for _, t := range top.tables("brokers") {
		c.Brokers = append(c.Brokers, t.broker())
	}
	for _, t := range top.tables("parties") {
		c.Parties = append(c.Parties, t.party())
	}
	top.close()
	if !slices.ContainsFunc(c.Brokers, func(b Broker) bool { return b.ID == c.Broker }) {
		r.fault("broker", "want the id of one of the [[brokers]]")
	}
	if err := errors.Join(r.faults...); err != nil {
		return Config{}, err
	}
	return c, nil
}

// syntax keeps the place of a syntax error and drops the decoder's sentence,
// which may quote a value.
func syntax(err error) error {
	const problem = "not valid TOML: a text stands between quotes, a list between brackets, a key only once"
	var p toml.ParseError
	if !errors.As(err, &p) {
		return &Error{Key: FileName, Problem: problem}
	}
	return &Error{Line: p.Position.Line, Key: p.LastKey, Problem: problem}
}

func (r *reader) limits(t *table) Limits {
	l := Limits{
		Body:      t.integer("body", DefaultBody, MinBody, MaxBody),
		FreeSpace: t.integer("free_space", DefaultFreeSpace, MinFreeSpace, 1<<50),
	}
	t.close()
	return l
}

func (r *reader) retention(t *table) Retention {
	c := Retention{ContentDays: t.integer("content_days", 0, 30, MaxRetention)}
	t.close()
	return c
}

func (t *table) broker() Broker {
	b := Broker{
		ID:           t.text("id", true),
		Libelle:      t.text("libelle", true),
		Hosting:      t.text("hosting", false),
		Relay:        t.flag("relay"),
		Via:          t.text("via", false),
		Fetches:      t.flag("fetches"),
		Address:      t.text("address", false),
		TLSPins:      t.texts("tls_pins"),
		Certificates: t.certificates(),
	}
	t.close()
	return b
}

func (t *table) party() Party {
	p := Party{
		ID:           t.text("id", true),
		Role:         t.text("role", true),
		Institution:  t.text("institution", true),
		Departement:  t.text("departement", true),
		Home:         t.text("home", true),
		Telephone:    t.text("telephone", false),
		Zone:         t.text("zone", false),
		Certificates: t.certificates(),
	}
	q := t.table("patience")
	p.Patience = Patience{
		U0:     q.duration("u0"),
		U1:     q.duration("u1"),
		U2:     q.duration("u2"),
		U2Days: int(q.integer("u2_days", 0, 1, 60)),
		DayEnd: q.duration("day_end"),
	}
	q.close()
	t.close()
	return p
}

func (t *table) certificates() []Certificate {
	var out []Certificate
	for _, e := range t.tables("certificates") {
		c := Certificate{Fingerprint: e.text("fingerprint", true), File: e.text("file", true)}
		if c.File != "" && (!filepath.IsLocal(c.File) || strings.ContainsAny(c.File, "\\\x00")) {
			e.r.fault(e.at("file"), "want a path inside the data directory")
		}
		e.close()
		out = append(out, c)
	}
	return out
}

// override applies the variables of the package comment.
func (c *Config) override(environ []string) error {
	const prefix = "VAGUEMESTRE_LIMITS_"
	var faults []error
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		field, low, high := &c.Limits.Body, int64(MinBody), int64(MaxBody)
		switch strings.TrimPrefix(name, prefix) {
		case "BODY":
		case "FREE_SPACE":
			field, low, high = &c.Limits.FreeSpace, MinFreeSpace, 1<<50
		default:
			faults = append(faults, &Error{Key: name, Problem: "unknown variable"})
			continue
		}
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < low || n > high {
			faults = append(faults, &Error{Key: name, Problem: between(low, high)})
			continue
		}
		*field = n
	}
	return errors.Join(faults...)
}

func between(low, high int64) string {
	return fmt.Sprintf("want a whole number from %d to %d", low, high)
}

// reader gathers the faults of one file.
type reader struct {
	lines  map[string]int
	faults []error
}

func (r *reader) fault(key, problem string) {
	r.faults = append(r.faults, &Error{Line: lineOf(r.lines, key), Key: key, Problem: problem})
}

// table is one TOML table; what has been read of it is taken away, so that
// close finds the keys that nobody knows.
type table struct {
	r    *reader
	name string
	left map[string]any
}

func (r *reader) open(name string, m map[string]any) *table {
	left := make(map[string]any, len(m))
	for k, v := range m {
		left[k] = v
	}
	return &table{r: r, name: name, left: left}
}

func (t *table) at(key string) string {
	if t.name == "" {
		return key
	}
	return t.name + "." + key
}

func (t *table) close() {
	for _, k := range sortedKeys(t.left) {
		t.r.fault(t.at(k), "unknown key")
	}
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (t *table) take(key string) (any, bool) {
	v, ok := t.left[key]
	delete(t.left, key)
	return v, ok
}

// get takes the value if it has the wanted type, else notes a fault.
func get[T any](t *table, key, want string) (value T, ok bool) {
	v, found := t.take(key)
	if !found {
		return value, false
	}
	if value, ok = v.(T); !ok {
		t.r.fault(t.at(key), want)
	}
	return value, ok
}

func (t *table) text(key string, required bool) string {
	_, found := t.left[key]
	s, ok := get[string](t, key, "want a text between quotes")
	switch {
	case required && !found:
		t.r.fault(t.at(key), "missing")
	case ok && strings.TrimSpace(s) == "":
		t.r.fault(t.at(key), "want a text that is not empty; leave the key out if it is optional")
	}
	return s
}

func (t *table) flag(key string) bool {
	b, _ := get[bool](t, key, "want true or false")
	return b
}

func (t *table) integer(key string, absent, low, high int64) int64 {
	_, found := t.left[key]
	n, ok := get[int64](t, key, between(low, high))
	if !found {
		return absent
	}
	if ok && (n < low || n > high) {
		t.r.fault(t.at(key), between(low, high))
	}
	return n
}

// duration wants a unit: a bare number would be read as nanoseconds.
func (t *table) duration(key string) time.Duration {
	const want = `want a duration above zero with its unit, such as "15m" or "4h30m"`
	s, ok := get[string](t, key, want)
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		t.r.fault(t.at(key), want)
	}
	return d
}

func (t *table) texts(key string) []string {
	const want = "want a list of texts"
	var out []string
	values, _ := get[[]any](t, key, want)
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			t.r.fault(fmt.Sprintf("%s[%d]", t.at(key), i), want)
		}
		out = append(out, s)
	}
	return out
}

func (t *table) table(key string) *table {
	m, _ := get[map[string]any](t, key, "want a table")
	return t.r.open(t.at(key), m)
}

// tables reads an array of tables in either of its forms: the decoder gives
// them different types.
func (t *table) tables(key string) []*table {
	const want = "want a list of tables"
	v, found := t.take(key)
	if !found {
		return nil
	}
	var out []*table
	add := func(i int, v any) {
		name := fmt.Sprintf("%s[%d]", t.at(key), i)
		m, ok := v.(map[string]any)
		if !ok {
			t.r.fault(name, want)
		}
		out = append(out, t.r.open(name, m))
	}
	switch list := v.(type) {
	case []map[string]any:
		for i, m := range list {
			add(i, m)
		}
	case []any:
		for i, m := range list {
			add(i, m)
		}
	default:
		t.r.fault(t.at(key), want)
	}
	return out
}
