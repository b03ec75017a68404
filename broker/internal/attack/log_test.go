package attack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/crypto/seal"
)

// past is a town with a history: at a date that is gone, and now.
type past struct {
	*town
	early  string // a copy of the folder at the earlier date
	backup string // the folder of a backup made then
	size   uint64 // of the log of nord, then
	heads  []boltstore.SignedHead
	last   journal.Head // the largest head of nord that the other broker holds now
}

func newPast(t *testing.T) past {
	p := past{town: newTown(t)}
	p.open()
	p.carry(3, "avant")
	var copyOf bytes.Buffer
	if err := p.Nodes[nord].Journal.Backup(context.Background(), &copyOf); err != nil {
		t.Fatal(err)
	}
	p.close()
	p.early = copied(t, p.Plan.Root)
	p.backup = copied(t, p.Plan.Root)
	if err := os.WriteFile(filepath.Join(p.backup, string(nord), "journal.db"), copyOf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	rep, err := p.verify(p.early)
	if err != nil {
		t.Fatal(err)
	}
	p.size = rep.Size
	p.open()
	p.carry(3, "apres")
	p.close()
	p.heads, p.last = p.headsOf(nord, justice)
	if p.last.Size <= p.size {
		t.Fatalf("the head held elsewhere covers %d leaves, want more than %d", p.last.Size, p.size)
	}
	return p
}

func TestLogAttacks(t *testing.T) {
	p := newPast(t)
	for name, attack := range map[string]func(*testing.T){
		"93_delete":                      func(t *testing.T) { p.tampered(t, deleteEvent) },
		"94_alter":                       func(t *testing.T) { p.tampered(t, alterEvent) },
		"95_reorder":                     func(t *testing.T) { p.tampered(t, exchangeEvents) },
		"96_cut_tail":                    p.cutTail,
		"97_fork":                        p.fork,
		"98_old_backup_restored":         p.oldBackup,
		"99_whole_chain_rehashed_no_key": p.rehashed,
	} {
		t.Run(name, func(t *testing.T) {
			attack(t)
			if rep, err := p.verify(p.Plan.Root, p.heads...); err != nil || rep.Heads != len(p.heads) {
				t.Errorf("the lawful journal, with %d heads: %v", len(p.heads), err)
			}
		})
	}
}

// verdict is the line that the table of attacks is made of. It wants the error
// to quote nothing that an event holds.
func verdict(t *testing.T, err error) {
	t.Helper()
	text, _, _ := strings.Cut(err.Error(), "\n")
	if strings.Contains(text, "MODÈLE") {
		t.Error("the error names a person")
	}
	t.Logf("verdict: %s", text)
}

const victim = 7 // the event that is tampered with

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func deleteEvent(b *bolt.Bucket) error { return b.Delete(key(victim)) }

func alterEvent(b *bolt.Bucket) error {
	row := bytes.Clone(b.Get(key(victim)))
	row[10] ^= 1
	return b.Put(key(victim), row)
}

func exchangeEvents(b *bolt.Bucket) error {
	one, two := bytes.Clone(b.Get(key(victim))), bytes.Clone(b.Get(key(victim+1)))
	return errors.Join(b.Put(key(victim), two), b.Put(key(victim+1), one))
}

// tampered changes rows of the file without its program: found without a head,
// and the event is named.
func (p past) tampered(t *testing.T, change func(*bolt.Bucket) error) {
	root := copied(t, p.Plan.Root)
	db, err := bolt.Open(filepath.Join(root, string(nord), "journal.db"), 0o600, &bolt.Options{Timeout: time.Second})
	if err == nil {
		err = errors.Join(db.Update(func(tx *bolt.Tx) error { return change(tx.Bucket([]byte("events"))) }), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.verify(root)
	var bad *boltstore.BadRecordError
	if !errors.As(err, &bad) || bad.N != victim {
		t.Fatalf("%v, want record %d", err, victim)
	}
	verdict(t, err)
}

// cutTail: the journal as it was, whole in itself. A head that another broker
// was shown since names the first record that is missing.
func (p past) cutTail(t *testing.T) {
	if _, err := p.verify(p.early); err != nil {
		t.Fatalf("the attack should be whole in itself: %v", err)
	}
	_, err := p.verify(p.early, p.heads...)
	var bad *boltstore.BadRecordError
	if !errors.As(err, &bad) || bad.N <= p.size-1 || bad.N > p.size+1 {
		t.Fatalf("%v, want the record after %d", err, p.size)
	}
	verdict(t, err)
}

// fork: from the same past and with the right keys, another continuation.
func (p past) fork(t *testing.T) {
	other := p.elsewhere(t, copied(t, p.early))
	other.open()
	other.carry(6, "autre")
	other.close()
	rep, err := p.verify(other.Plan.Root)
	if err != nil || rep.Origin != p.last.Origin || rep.Size < p.last.Size {
		t.Fatalf("the attack should be whole in itself, and as long: %v", err)
	}
	_, err = p.verify(other.Plan.Root, p.heads...)
	var fork *boltstore.HeadError
	if !errors.As(err, &fork) || !fork.Known || fork.Good == 0 || fork.Good > p.size {
		t.Fatalf("%v, want a fork after %d at most", err, p.size)
	}
	verdict(t, err)
}

// oldBackup: a restored copy serves again under a new log that names the old
// one; what it lost is named by the heads that others hold.
func (p past) oldBackup(t *testing.T) {
	restored := p.elsewhere(t, copied(t, p.backup))
	restored.open()
	restored.carry(1, "restauration")
	restored.close()
	rep, err := p.verify(restored.Plan.Root)
	if err != nil || len(rep.Logs) != 2 || rep.Logs[0].Origin != p.last.Origin || rep.Origin == p.last.Origin || rep.Logs[0].Size >= p.last.Size {
		t.Fatalf("%+v, %v", rep.Logs, err)
	}
	_, err = p.verify(restored.Plan.Root, p.heads...)
	var bad *boltstore.BadRecordError
	if !errors.As(err, &bad) || bad.Origin != p.last.Origin || bad.N < rep.Logs[0].Size || bad.N > rep.Logs[0].Size+1 {
		t.Fatalf("%v, want what follows %d of %s", err, rep.Logs[0].Size, p.last.Origin)
	}
	verdict(t, err)
}

// rehashed: one event is changed and everything recomputed after it, origin and
// all. No key signs the checkpoint; heads of others tell without it.
func (p past) rehashed(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, string(nord))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.rewrite(t, dir)
	if _, err := boltstore.Verify(context.Background(), dir, nil); err != nil {
		t.Fatalf("the attack should be whole in itself: %v", err)
	}
	_, err := boltstore.Verify(context.Background(), dir, nil, p.heads...)
	var fork *boltstore.HeadError
	if !errors.As(err, &fork) || !fork.Known {
		t.Errorf("with heads and without signatures: %v", err)
	}
	if _, err = p.verify(root); err == nil {
		t.Fatal("a checkpoint that a stranger signed was believed")
	}
	verdict(t, err)
}

// rewrite copies the log of nord into a new file with one event changed, and
// signs its checkpoint with a key that nobody knows.
func (p past) rewrite(t *testing.T, dir string) {
	t.Helper()
	_, id, _ := strings.Cut(p.last.Origin, "/log/")
	origin, err := hex.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	from, err := boltstore.OpenReadOnly(p.Dir(nord))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if err := boltstore.Create(dir, string(nord), boltstore.WithRand(io.MultiReader(bytes.NewReader(origin), rand.Reader))); err != nil {
		t.Fatal(err)
	}
	to, err := boltstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := seal.Generate(string(nord), seal.Options{SignOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	err = from.View(func(v journal.View) error {
		return to.Update(func(tx journal.Tx) error {
			for n := uint64(1); n < v.Size(); n++ {
				e, err := v.Record(n)
				if err != nil {
					return err
				}
				if e.Changes = (journal.Changes{Objects: e.Objects}); n == victim {
					e.At = e.At.Add(-24 * time.Hour)
				}
				if _, err := tx.Append(e); err != nil {
					return err
				}
			}
			text := tx.Head().Checkpoint()
			sig, err := seal.Sign(context.Background(), stranger, text, time.Now())
			if err != nil {
				return err
			}
			return tx.KeepCheckpoint(text, sig)
		})
	})
	if err := errors.Join(err, to.Close()); err != nil {
		t.Fatal(err)
	}
}
