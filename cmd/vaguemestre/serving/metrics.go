package serving

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// metrics writes the text exposition format of Prometheus, version 0.0.4. It is
// written by hand: what there is to say is some thirty lines, and a library for
// it would bring more code than the rest of this package.
type metrics struct {
	data    *wiring.Data
	node    *wiring.Node
	counts  *counts
	gate    *gate
	keys    []keyLife
	version string
	started time.Time
	now     func() time.Time
	refused func() uint64 // connections
}

// keyLife is when a certificate of the directory ends.
type keyLife struct {
	owner   string
	expires time.Time // zero: never
}

// headsSeen bounds how many lanes of one destination are looked at for the
// oldest that waits: a read must be short.
const headsSeen = 256

func (m *metrics) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	var e exposition
	err := m.counts.read()
	if err == nil {
		err = m.journal(&e)
	}
	if err != nil {
		// Half of the truth would look like all of it.
		http.Error(w, "the journal cannot be read", http.StatusServiceUnavailable)
		return
	}
	m.events(&e)
	m.process(&e)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write([]byte(e.b.String())) // whoever asked is gone
}

func (m *metrics) events(e *exposition) {
	m.counts.mu.Lock()
	defer m.counts.mu.Unlock()
	names := map[string]bool{
		journal.TypePli: true, journal.TypeDelivered: true, journal.TypeRetried: true, journal.TypeDead: true,
		journal.TypeRequeued: true, journal.TypeNoted: true,
	}
	for _, row := range broker.EventTable() {
		names[string(row.Event)] = true
	}
	for t := range m.counts.events {
		names[t] = true
	}
	e.family("vaguemestre_events_total", "counter", "Events journaled since the process began, by type: accepted plis, evidences made or received, deliveries, retries, dead letters.")
	for _, t := range slices.Sorted(maps.Keys(names)) {
		e.sample("vaguemestre_events_total", float64(m.counts.events[t]), "type", t)
	}
	e.family("vaguemestre_refusals_total", "counter", "Submissions and parcels refused since the process began, by code.")
	for _, code := range slices.Sorted(maps.Keys(m.counts.refusals)) {
		e.sample("vaguemestre_refusals_total", float64(m.counts.refusals[code]), "code", code)
	}
	g := &m.counts.groups
	e.family("vaguemestre_commit_events", "histogram", "Events that shared one commit, and its fsync.")
	for i, bound := range groupBounds {
		e.sample("vaguemestre_commit_events_bucket", float64(g.below[i].Load()), "le", strconv.FormatUint(bound, 10))
	}
	e.sample("vaguemestre_commit_events_bucket", float64(g.commits.Load()), "le", "+Inf")
	e.sample("vaguemestre_commit_events_sum", float64(g.events.Load()))
	e.sample("vaguemestre_commit_events_count", float64(g.commits.Load()))
}

// journal reads what waits and what is held, in one transaction.
func (m *metrics) journal(e *exposition) error {
	now := m.now()
	pending, oldest := map[string]int{}, map[string]time.Time{}
	letters, alarms, size := 0, map[broker.Event]int{broker.Overdue: 0}, uint64(0)
	err := m.node.Journal.View(func(v journal.View) error {
		size = v.Position()
		for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
			pending[topic] = v.Pending(topic)
			for _, dest := range v.Dests(topic) {
				// Far ahead, so that those that wait for another try are seen too.
				for _, it := range v.Heads(topic, dest, now.AddDate(1, 0, 0), headsSeen) {
					if at := oldest[topic]; at.IsZero() || it.Entered.Before(at) {
						oldest[topic] = it.Entered
					}
				}
			}
		}
		letters = len(v.Letters(0, 10_000))
		for _, a := range broker.ReadAlarms(v) {
			alarms[a.Cause]++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	topics := []string{broker.TopicPli, broker.TopicEvidence}
	e.family("vaguemestre_queue_items", "gauge", "Deliveries that wait, by what is delivered.")
	for _, topic := range topics {
		e.sample("vaguemestre_queue_items", float64(pending[topic]), "topic", topic)
	}
	e.family("vaguemestre_queue_oldest_seconds", "gauge", "Age of the oldest delivery that is at the head of its lane; 0 when none waits.")
	for _, topic := range topics {
		age := 0.0
		if at := oldest[topic]; !at.IsZero() {
			age = max(0, now.Sub(at).Seconds())
		}
		e.sample("vaguemestre_queue_oldest_seconds", age, "topic", topic)
	}
	e.gauge("vaguemestre_dead_letters", "Deliveries that were given up and wait for a person.", float64(letters))
	e.gauge("vaguemestre_overdue", "Recipients who have been silent for too long.", float64(alarms[broker.Overdue]))
	e.family("vaguemestre_alarms", "gauge", "Alarms that wait for a person, by cause.")
	for _, cause := range slices.Sorted(maps.Keys(alarms)) {
		e.sample("vaguemestre_alarms", float64(alarms[cause]), "cause", string(cause))
	}
	e.gauge("vaguemestre_journal_events", "Events in the journal, in all its logs.", float64(size))
	return nil
}

func (m *metrics) process(e *exposition) {
	if info, err := os.Stat(filepath.Join(m.node.Dir, "journal.db")); err == nil {
		e.gauge("vaguemestre_journal_bytes", "Size of the journal file.", float64(info.Size()))
	}
	if free, err := m.node.Free(); err == nil {
		e.gauge("vaguemestre_free_bytes", "Bytes left on the disk of the data directory.", float64(free))
	}
	e.gauge("vaguemestre_free_bytes_wanted", "Below this many free bytes nothing new is accepted.", float64(m.data.Config.Limits.FreeSpace))
	e.family("vaguemestre_key_days_left", "gauge", "Days until the current certificate of a party or broker expires.")
	for _, k := range m.keys {
		if !k.expires.IsZero() {
			e.sample("vaguemestre_key_days_left", k.expires.Sub(m.now()).Hours()/24, "owner", k.owner)
		}
	}
	e.family("vaguemestre_http_answers_total", "counter", "Answers to applications and commands, by class of status.")
	for class := 2; class < len(m.gate.answered); class++ {
		e.sample("vaguemestre_http_answers_total", float64(m.gate.answered[class].Load()), "class", strconv.Itoa(class)+"xx")
	}
	e.family("vaguemestre_connections_refused_total", "counter", "Connections closed at once because their address had enough of them.")
	e.sample("vaguemestre_connections_refused_total", float64(m.refused()))
	e.gauge("vaguemestre_http_calls", "Calls being served.", float64(m.gate.within.Load()))
	draining := 0.0
	if m.gate.draining.Load() {
		draining = 1
	}
	e.gauge("vaguemestre_draining", "1 while the broker is stopping.", draining)
	e.family("vaguemestre_build_info", "gauge", "1, with what runs.")
	e.sample("vaguemestre_build_info", 1, "version", m.version, "go", runtime.Version(), "broker", m.data.Config.Broker)
	e.gauge("go_goroutines", "Goroutines of the process.", float64(runtime.NumGoroutine()))
	e.gauge("process_start_time_seconds", "When the process began, in seconds since 1970.", float64(m.started.UnixMilli())/1000)
}

// exposition is the text being written.
type exposition struct{ b strings.Builder }

// family begins a metric; its samples follow.
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(&e.b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one value, with labels by pairs of name and value.
func (e *exposition) sample(name string, value float64, labels ...string) {
	e.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		open := ","
		if i == 0 {
			open = "{"
		}
		fmt.Fprintf(&e.b, "%s%s=\"%s\"", open, labels[i], strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(labels[i+1]))
	}
	if len(labels) > 0 {
		e.b.WriteByte('}')
	}
	fmt.Fprintf(&e.b, " %s\n", strconv.FormatFloat(value, 'g', -1, 64))
}

func (e *exposition) gauge(name, help string, value float64) {
	e.family(name, "gauge", help)
	e.sample(name, value)
}
