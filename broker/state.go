package broker

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"time"

	"vaguemestre/broker/journal"
)

// Spaces of the journal's projections. Keys are ids and digests only.
const (
	spacePli       = "pli"       // <id>
	spaceState     = "state"     // <id>/<recipient>
	spaceEvidence  = "evidence"  // <id>/<position, 16 hex>
	spaceUnique    = "unique"    // <id>/<recipient>/<event>/<by>/<16 of header_sha256>
	spaceIdem      = "idem"      // <hmac of party and key>
	spaceInbox     = "inbox"     // <party>/<id>
	spaceSent      = "sent"      // <party>/<id>
	spaceAlarm     = "alarm"     // <id>/<recipient>/<cause>
	spaceCert      = "cert"      // <digest of the certificate>
	spaceDirectory = "directory" // "current"
)

// Topics of the queue, timers' prefixes and blob names.
const (
	TopicPli      = "pli"
	TopicEvidence = "evidence"

	timerOverdue = "overdue/"
	blobSealed   = "sealed/"
)

// State is what became of a pli for one recipient.
type State struct {
	Progress Event    `json:"p,omitempty"` // the furthest fact; never goes back
	Closure  Event    `json:"c,omitempty"` // rejected, else the first that closed it
	ClosedAt string   `json:"t,omitempty"` // its `at`
	Flags    Flag     `json:"f,omitempty"`
	Acted    bool     `json:"a,omitempty"` // an act came
	Judged   bool     `json:"j,omitempty"` // consigned came: nothing is withheld any more
	Heads    []string `json:"h,omitempty"` // evidences that none of the others names in prev
	Named    []string `json:"n,omitempty"` // evidences that another names in prev, arrived or not
}

// Apply folds one evidence into the state. It is the only place where states
// change, so a state is what its evidences say, in any order of arrival.
func (s State) Apply(e Evidence, digest string) State {
	row, ok := LookupEvent(e.Event)
	if !ok {
		return s
	}
	if current, _ := LookupEvent(s.Progress); row.Rank > current.Rank {
		s.Progress = e.Event
	}
	if row.Closes && s.closesBefore(e) {
		s.Closure, s.ClosedAt = e.Event, e.At
	}
	s.Acted = s.Acted || row.Act
	s.Judged = s.Judged || e.Event == Consigned
	s.Flags = s.raise(row)
	s.Named = union(s.Named, e.Prev)
	s.Heads = slices.DeleteFunc(union(s.Heads, []string{digest}), func(h string) bool {
		return slices.Contains(s.Named, h)
	})
	return s
}

// closesBefore says whether e closes the pair rather than what did so far: a
// refusal at deposit prevails, else the first by its own date, whatever the
// order of arrival.
func (s State) closesBefore(e Evidence) bool {
	switch {
	case s.Closure == "":
		return true
	case (s.Closure == Rejected) != (e.Event == Rejected):
		return e.Event == Rejected
	case e.At != s.ClosedAt:
		return e.At < s.ClosedAt
	}
	return e.Event < s.Closure
}

// union is a new sorted list of what is in either.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// raise keeps flags independent of the order of arrival: a failure that comes
// after the success that clears it stays down.
func (s State) raise(row EventRow) Flag {
	f := (s.Flags | row.Sets) &^ row.Clears
	progress, _ := LookupEvent(s.Progress)
	consigned, _ := LookupEvent(Consigned)
	if progress.Rank >= consigned.Rank {
		f &^= consigned.Clears &^ FlagQuarantined
	}
	if s.Acted {
		f &^= FlagOverdue
	}
	if s.Acted || s.Judged {
		f &^= FlagQuarantined // what a machine fetches, or a person looks at, stays withheld
	}
	return f
}

// Has says whether a flag is up.
func (s State) Has(f Flag) bool { return s.Flags&f != 0 }

// FlagWords lists the flags that are up, in a fixed order.
func (s State) FlagWords() []string {
	var out []string
	for _, row := range EventTable() {
		if row.Sets != 0 && s.Has(row.Sets) {
			out = append(out, string(row.Event))
		}
	}
	return out
}

// Delivered says whether the recipient holds the pli, verified and readable.
func (s State) Delivered() bool {
	progress, _ := LookupEvent(s.Progress)
	consigned, _ := LookupEvent(Consigned)
	return progress.Rank >= consigned.Rank
}

// Readable says whether the recipient may open the pli: it is delivered, or
// kept for a person to decide, who may have sent it back since.
func (s State) Readable() bool { return s.Delivered() || s.Has(FlagQuarantined) || s.Acted }

// pliRecord says where the parts of a pli are. Every string is a digest. A
// position is counted over all logs (journal.View.Position): it names the log
// and the leaf, also after a restored backup.
type pliRecord struct {
	Header      string `json:"h"`
	HeaderSig   string `json:"hs"`
	Deposit     string `json:"d,omitempty"` // absent when no valid stamp came
	DepositSig  string `json:"ds,omitempty"`
	Body        string `json:"b"`
	Sent        bool   `json:"s,omitempty"` // deposited here
	Pos         uint64 `json:"n"`           // of the pli
	DepositPos  uint64 `json:"dn,omitempty"`
	FromCert    string `json:"fc"` // certificates as they were when judged
	DepositCert string `json:"dc,omitempty"`
	Directory   string `json:"dir,omitempty"` // directory in force
}

// evidenceRecord says where one evidence is; its key says at which position.
type evidenceRecord struct {
	Digest string `json:"d"`
	Sig    string `json:"s"`
	Cert   string `json:"c"`
	Sealed string `json:"x,omitempty"` // blob of evidence.pgp as it came
}

func stateKey(id string, p PartyID) string { return id + "/" + string(p) }

func uniqueKey(e Evidence) string {
	return e.ID + "/" + string(e.Recipient) + "/" + string(e.Event) + "/" + e.By + "/" + e.HeaderSHA256[:16]
}

func evidenceKey(id string, pos uint64) string {
	return id + "/" + hex.EncodeToString(binary.BigEndian.AppendUint64(nil, pos))
}

func alarmKey(id string, p PartyID, cause Event) string {
	return id + "/" + string(p) + "/" + string(cause)
}

// reader is what the core may look at.
type reader interface {
	Get(space, key string) ([]byte, bool)
	Scan(space, prefix, from string, f func(key string, value []byte) bool)
	Object(sha256 string) ([]byte, error)
	HasBlob(name string) bool
	Head() journal.Head
	Position() uint64
	Timer(key string) (journal.Timer, bool)
	Letters(from uint64, n int) []journal.Item
	Heads(topic, dest string, now time.Time, n int) []journal.Item
}
