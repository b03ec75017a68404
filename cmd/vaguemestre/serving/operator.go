package serving

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Operator serves what only the owner of the data directory may ask. Journal is
// required; the routes that need Data and Node are there when these are.
type Operator struct {
	Data    *wiring.Data
	Node    *wiring.Node
	Journal *journal.Journal
	Explain func(error) *Problem // of any error of the packages below, with its hint and exit code
	Status  func() Status        // of the process, when it is serve
	Ready   func(context.Context) Ready
}

// Status says where a running broker is heard.
type Status struct {
	Broker   string `json:"broker"`
	Version  string `json:"version"`
	PID      int    `json:"pid"`
	API      string `json:"api"` // host:port, "" when there is none
	TLS      bool   `json:"tls"`
	Admin    string `json:"admin"`
	Draining bool   `json:"draining"`
}

// Handler is every route below /admin/v1/ that this package knows; what it does
// not know goes to next.
func (o *Operator) Handler(next http.Handler) http.Handler {
	m := http.NewServeMux()
	m.Handle("/", next)
	m.HandleFunc("GET /admin/v1/journal/leaves", o.leaves)
	m.HandleFunc("GET /admin/v1/journal/letters", o.letters)
	m.HandleFunc("GET /admin/v1/journal/alarms", o.alarms)
	m.HandleFunc("GET /admin/v1/journal/changes", o.changes)
	if o.Status != nil {
		m.HandleFunc("GET /admin/v1/status", func(w http.ResponseWriter, r *http.Request) { o.answer(w, o.Status(), nil) })
	}
	if o.Ready != nil {
		m.HandleFunc("GET /admin/v1/ready", func(w http.ResponseWriter, r *http.Request) { o.answer(w, o.Ready(r.Context()), nil) })
	}
	if o.Node != nil {
		m.HandleFunc("POST /admin/v1/journal/proof", o.proof)
		m.HandleFunc("POST /admin/v1/journal/verify", o.changing(o.verify))
		m.HandleFunc("POST /admin/v1/journal/backup", o.changing(o.backup))
		m.HandleFunc("POST /admin/v1/journal/compact", o.changing(o.compact))
		m.HandleFunc("GET /admin/v1/journal/heads", o.heads)
		m.HandleFunc("POST /admin/v1/journal/resend", o.changing(o.resend))
		m.HandleFunc("POST /admin/v1/journal/settled", o.changing(o.settled))
		m.HandleFunc("POST /admin/v1/letters/{seq}/requeue", o.changing(o.requeue))
		m.HandleFunc("POST /admin/v1/messages/{id}/purge", o.changing(o.purge))
		m.HandleFunc("POST /admin/v1/messages/{id}/export", o.changing(o.export))
		m.HandleFunc("POST /admin/v1/keys/{owner}/exported", o.changing(o.secretExported))
	}
	return unredirected(m)
}

// changing refuses what would change something while the broker is on its way
// out.
func (o *Operator) changing(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if o.draining() {
			(&Problem{Status: http.StatusServiceUnavailable, Code: "draining", Detail: "the broker is stopping", Advice: "call again once it is back"}).write(w)
			return
		}
		h(w, r)
	}
}

func (o *Operator) draining() bool { return o.Status != nil && o.Status().Draining }

// answer writes a value, or what went wrong.
func (o *Operator) answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		o.Explain(err).write(w)
		return
	}
	w.Header().Set("Content-Type", typeJSON)
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone
}

var errTrailing = errors.New("something follows the call")

// asking reads the body of a call; false when the answer was given.
func (o *Operator) asking(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(io.LimitReader(r.Body, maxAsked))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if _, end := d.Token(); err == nil && end != io.EOF {
		err = errTrailing // or a body that was cut: half a call is none
	}
	if err != nil {
		(&Problem{Status: http.StatusBadRequest, Code: "format", Detail: "the call is not of this version", Advice: "use the command of the same version as the broker", Exit: 1}).write(w)
		return false
	}
	return true
}

func (o *Operator) requeue(w http.ResponseWriter, r *http.Request) {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		err = journal.ErrGone // its own error quotes what was sent
	} else {
		err = o.Node.Broker.Requeue(r.Context(), seq)
	}
	o.answer(w, map[string]any{"seq": seq, "requeued": true}, err)
}

func (o *Operator) purge(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	err := o.Node.Broker.Purge(r.Context(), id)
	o.answer(w, map[string]any{"id": id, "purged": true}, err)
}

// secretExported journals that private keys are about to be exported. They are
// not here: the command unlocks them itself, with the passphrase.
func (o *Operator) secretExported(w http.ResponseWriter, r *http.Request) {
	owner := r.PathValue("owner")
	if !o.Node.Keys.Has(owner) {
		o.answer(w, nil, wiring.ErrElsewhere)
		return
	}
	err := o.Node.Broker.Note(r.Context(), "", "export_secret "+owner)
	if err != nil {
		err = fmt.Errorf("journaling the use: %w", err)
	}
	o.answer(w, map[string]any{"owner": owner, "journaled": true}, err)
}

// Exporting is what an export is asked with.
type Exporting struct {
	Open bool   `json:"open"`
	As   string `json:"as"`
}

// export writes the folder of a proof, sends it, and erases it.
func (o *Operator) export(w http.ResponseWriter, r *http.Request) {
	var ask Exporting
	if !o.asking(w, r, &ask) {
		return
	}
	s := newSender(w)
	sum, err := o.sendExport(r.Context(), s, r.PathValue("id"), ask)
	o.end(s, sum, err)
}

func (o *Operator) sendExport(ctx context.Context, s *sender, id string, ask Exporting) (export.Summary, error) {
	dir, err := o.scratch(ask.Open)
	if err != nil {
		return export.Summary{}, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "export")
	sum, err := export.Write(ctx, o.Node.Broker, id, out, export.Options{Open: ask.Open, As: broker.PartyID(ask.As)})
	if err != nil {
		return export.Summary{}, err
	}
	return sum, s.tree(ctx, out)
}

// scratch is a folder of our own for one call. What is in clear never lies on
// a disk that nobody asked for: such a folder is in memory.
func (o *Operator) scratch(clear bool) (string, error) {
	parent, prefix := o.Data.Dir, scratchPrefix
	if clear {
		var err error
		if parent, err = memoryFolder(); err != nil {
			return "", err
		}
		prefix = clearPrefix(o.Data.Dir)
	}
	dir, err := os.MkdirTemp(parent, prefix+"*") // 0700
	if err != nil {
		return "", fmt.Errorf("folder of an export: %w", err)
	}
	return dir, nil
}

const scratchPrefix = ".vaguemestre-"

// clearPrefix begins the names of the folders in memory of one data directory:
// other brokers of this machine have theirs beside.
func clearPrefix(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil {
		dir = whole
	}
	sum := sha256.Sum256([]byte(dir))
	return scratchPrefix + hex.EncodeToString(sum[:8]) + "-"
}

// sweepScratch erases what a crash left.
func sweepScratch(dir string) {
	patterns := []string{filepath.Join(dir, scratchPrefix+"*"), filepath.Join(dir, ".sock-*")}
	if memory, err := memoryFolder(); err == nil {
		patterns = append(patterns, filepath.Join(memory, clearPrefix(dir)+"*"))
	}
	for _, pattern := range patterns {
		left, _ := filepath.Glob(pattern) // of a folder with [ in its name nothing is found
		for _, path := range left {
			if info, err := os.Lstat(path); err == nil && info.IsDir() {
				_ = os.RemoveAll(path) // the next start tries again
			}
		}
	}
}

// backup sends a copy of the data directory, as of one moment.
func (o *Operator) backup(w http.ResponseWriter, r *http.Request) {
	var ask wiring.BackupOptions
	if !o.asking(w, r, &ask) {
		return
	}
	s := newSender(w)
	inv, err := o.Data.BackupTo(r.Context(), o.Node, ask, s.put)
	o.end(s, inv, err)
}

// end ends a folder. What cannot be said any more cuts the answer.
func (o *Operator) end(s *sender, result any, err error) {
	var p *Problem
	if err != nil {
		p = o.Explain(err)
	}
	if s.end(result, p) != nil {
		panic(http.ErrAbortHandler)
	}
}
