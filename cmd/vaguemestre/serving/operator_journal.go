package serving

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

// Leaf is one line of the list of leaves.
type Leaf struct {
	N      uint64 `json:"n"`
	At     string `json:"at"`
	Type   string `json:"type"`
	ID     string `json:"id,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// Letter is one line of the list of dead letters.
type Letter struct {
	Seq         uint64 `json:"seq"`
	Topic       string `json:"topic"`
	Destination string `json:"destination"`
	ID          string `json:"id"`
	Entered     string `json:"entered"`
	Attempts    int    `json:"attempts"`
	Reason      string `json:"reason"`
	Explanation string `json:"explanation"`
}

// Alarm is one line of the list of alarms.
type Alarm struct {
	ID        string `json:"id"`
	Recipient string `json:"recipient"`
	Cause     string `json:"cause"`
	Label     string `json:"label"`
	Since     string `json:"since"`
}

// listPage is how many rows are read in one transaction: a long one would make
// the file grow.
const listPage = 512

// lines sends JSON lines, page by page, until page returns none. An error after
// the first line cuts the answer.
func lines[T any](o *Operator, w http.ResponseWriter, ctx context.Context, page func() ([]T, error)) {
	w.Header().Set("Content-Type", typeLines)
	w.Header().Set("Cache-Control", "no-store")
	e, begun := json.NewEncoder(w), false
	for {
		rows, err := page()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil && !begun {
			o.answer(w, nil, err)
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if len(rows) == 0 {
			return
		}
		for _, row := range rows {
			begun = true
			if e.Encode(row) != nil {
				panic(http.ErrAbortHandler)
			}
		}
	}
}

func (o *Operator) leaves(w http.ResponseWriter, r *http.Request) {
	from := uint64(0)
	if s := r.URL.Query().Get("from"); s != "" {
		from, _ = strconv.ParseUint(s, 10, 63) // 0 when it is none: the whole list
	}
	end := o.Journal.Head().Size
	lines(o, w, r.Context(), func() (page []Leaf, err error) {
		err = o.Journal.View(func(v journal.View) error {
			for ; from < end && len(page) < listPage; from++ {
				b, err := v.Leaf(from)
				if err != nil {
					return fmt.Errorf("leaf %d: %w", from, err)
				}
				l, err := journal.ParseLeaf(b)
				if err != nil {
					return fmt.Errorf("leaf %d: %w", from, err)
				}
				page = append(page, Leaf{N: l.N, At: broker.FormatTime(l.At), Type: l.Type, ID: l.ID, Digest: l.Digest})
			}
			return nil
		})
		return page, err
	})
}

func (o *Operator) letters(w http.ResponseWriter, r *http.Request) {
	from := uint64(0)
	lines(o, w, r.Context(), func() (page []Letter, err error) {
		err = o.Journal.View(func(v journal.View) error {
			list, err := broker.ReadLetters(v, from, listPage)
			for _, l := range list {
				page = append(page, Letter{
					Seq: l.Seq, Topic: l.Topic, Destination: string(l.Dest), ID: l.ID, Entered: l.Entered,
					Attempts: l.Attempts, Reason: l.Reason, Explanation: broker.ExplainCode(l.Reason),
				})
				from = l.Seq + 1
			}
			return err
		})
		return page, err
	})
}

// alarms lists what waits for somebody. An alarm that waits for another cause
// than those of the table is shown under its own name.
func (o *Operator) alarms(w http.ResponseWriter, r *http.Request) {
	read := false
	lines(o, w, r.Context(), func() (page []Alarm, err error) {
		if read {
			return nil, nil
		}
		read = true
		var list []broker.Alarm
		err = o.Journal.View(func(v journal.View) error {
			list = broker.ReadAlarms(v)
			return nil
		})
		for _, a := range list {
			label := string(a.Cause)
			if row, ok := broker.LookupEvent(a.Cause); ok {
				label = row.Label
			}
			page = append(page, Alarm{ID: a.ID, Recipient: string(a.Recipient), Cause: string(a.Cause), Label: label, Since: a.Since})
		}
		return page, err
	})
}

// Proving is what a proof is asked with.
type Proving struct {
	Leaves []uint64 `json:"leaves"`
}

// Proof has the members of proof.json, and the signed checkpoint that it leads
// to.
type Proof struct {
	V             int            `json:"v"`
	Broker        string         `json:"broker"`
	Origin        string         `json:"origin"`
	Size          uint64         `json:"size"`
	Root          string         `json:"root"`
	Leaves        []IncludedLeaf `json:"leaves"`
	Checkpoint    string         `json:"checkpoint"`
	CheckpointSig string         `json:"checkpoint_signature"`
}

// IncludedLeaf is one leaf and its inclusion path (RFC 6962 section 2.1.1), hex.
type IncludedLeaf struct {
	Leaf string   `json:"leaf"`
	N    uint64   `json:"n"`
	Path []string `json:"path"`
}

func (o *Operator) proof(w http.ResponseWriter, r *http.Request) {
	var ask Proving
	if !o.asking(w, r, &ask) {
		return
	}
	p, err := o.prove(r.Context(), ask.Leaves)
	o.answer(w, p, err)
}

func (o *Operator) prove(ctx context.Context, leaves []uint64) (Proof, error) {
	text, sig, err := o.Journal.Checkpoint(ctx, o.Journal.Head().Size)
	if err != nil {
		return Proof{}, err
	}
	head, err := journal.ParseCheckpoint(text)
	if err != nil {
		return Proof{}, err
	}
	in, err := o.Journal.Proof(ctx, leaves, head.Size)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{
		V: 1, Broker: head.Broker, Origin: head.Origin, Size: head.Size, Root: hex.EncodeToString(head.Root[:]),
		Checkpoint: string(text), CheckpointSig: string(sig),
	}
	for _, i := range in {
		l := IncludedLeaf{Leaf: hex.EncodeToString(i.Leaf[:]), N: i.N, Path: []string{}}
		for _, node := range i.Path {
			l.Path = append(l.Path, hex.EncodeToString(node[:]))
		}
		p.Leaves = append(p.Leaves, l)
	}
	return p, nil
}

// Verifying is what a verification is asked with: heads that were kept
// elsewhere.
type Verifying struct {
	Heads []boltstore.SignedHead `json:"heads"`
}

func (o *Operator) verify(w http.ResponseWriter, r *http.Request) {
	var ask Verifying
	if !o.asking(w, r, &ask) {
		return
	}
	rep, err := o.verifyCopy(r.Context(), ask.Heads)
	o.answer(w, rep, err)
}

// errNoRoom: a running journal is verified by its copy.
var errNoRoom = errors.New("the disk has no room for a copy of the journal, which is what is verified while the broker runs")

// verifyCopy verifies a copy of the journal as of now, and the bodies where they
// are: the file itself is in use, and pages change under whoever reads it.
func (o *Operator) verifyCopy(ctx context.Context, heads []boltstore.SignedHead) (boltstore.Report, error) {
	info, err := os.Stat(filepath.Join(o.Data.Dir, "journal.db"))
	if err != nil {
		return boltstore.Report{}, fmt.Errorf("verify: %w", err)
	}
	free, err := o.Node.Free()
	if err != nil {
		return boltstore.Report{}, fmt.Errorf("verify: %w", err)
	}
	if free < uint64(info.Size())+uint64(o.Data.Config.Limits.FreeSpace) {
		return boltstore.Report{}, fmt.Errorf("%w: %w", errNoRoom, journal.ErrNoSpace)
	}
	dir, err := o.scratch(false)
	if err != nil {
		return boltstore.Report{}, err
	}
	defer os.RemoveAll(dir)
	release := o.Journal.Bodies().Hold()
	rep, err := o.verifyIn(ctx, dir, heads)
	if rerr := release(); rerr != nil {
		err = errors.Join(err, fmt.Errorf("verify: %w", rerr))
	}
	return rep, err
}

func (o *Operator) verifyIn(ctx context.Context, dir string, heads []boltstore.SignedHead) (boltstore.Report, error) {
	f, err := os.OpenFile(filepath.Join(dir, "journal.db"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return boltstore.Report{}, fmt.Errorf("verify: %w", err)
	}
	if err := errors.Join(o.Journal.Backup(ctx, f), f.Close()); err != nil {
		return boltstore.Report{}, fmt.Errorf("verify: %w", err)
	}
	if err := os.Symlink(filepath.Join("..", "bodies"), filepath.Join(dir, "bodies")); err != nil {
		return boltstore.Report{}, fmt.Errorf("verify: %w", err)
	}
	return boltstore.Verify(ctx, dir, CheckBy(o.Data.Keys), heads...)
}

// ErrCheckpoint: a kept checkpoint is not signed by the broker that it names.
var ErrCheckpoint = errors.New("not verified")

// CheckBy verifies checkpoints by the certificates that are held.
func CheckBy(keys interface {
	Verify(owner string, data, sig []byte) (string, time.Time, error)
}) boltstore.Check {
	return func(broker string, text, sig []byte) error {
		if _, _, err := keys.Verify(broker, text, sig); err != nil {
			return fmt.Errorf("%w: signature of a checkpoint: %w", ErrCheckpoint, err)
		}
		return nil
	}
}
