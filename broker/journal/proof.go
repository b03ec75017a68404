package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// kept is a checkpoint that was signed.
type kept struct {
	size      uint64
	at        time.Time // when it was signed by this process
	text, sig []byte
}

// Inclusion proves that a leaf is in a tree (RFC 6962 section 2.1.1).
type Inclusion struct {
	N    uint64
	Leaf [32]byte   // hash of the leaf
	Path [][32]byte // from the leaf to the root
}

// ErrSize says that a proof is asked for leaves or sizes that the log has not.
var ErrSize = errors.New("journal: the log is shorter than that")

// Checkpoint returns a signed checkpoint of the log in course that covers at
// least its first atLeast leaves, which must be durable (else ErrSize). At
// most one is signed a second, unless the last is too short. Errors:
// ErrNoSigner, ErrSize, that of Options.Sign.
func (j *Journal) Checkpoint(ctx context.Context, atLeast uint64) (text, sig []byte, err error) {
	if j.o.Sign == nil {
		return nil, nil, ErrNoSigner
	}
	j.signing.Lock()
	defer j.signing.Unlock()
	head := j.Head()
	if atLeast > head.Size {
		return nil, nil, ErrSize
	}
	k, now := j.kept, j.o.Now()
	young := !k.at.IsZero() && now.Sub(k.at) < time.Second && !now.Before(k.at)
	if k.text != nil && (k.size == head.Size || young && k.size >= atLeast) {
		return k.text, k.sig, nil
	}
	text = head.Checkpoint()
	if sig, err = j.o.Sign(ctx, text); err != nil {
		return nil, nil, fmt.Errorf("journal: sign a checkpoint: %w", err)
	}
	j.kept = kept{size: head.Size, at: now, text: text, sig: sig}
	next := j.kept
	j.unkept.Store(&next) // written with the next commit, at no fsync of its own
	return text, sig, nil
}

// keepLast signs and writes a checkpoint of the head, at an fsync of its own:
// before a backup, and before the end.
func (j *Journal) keepLast(ctx context.Context) error {
	text, sig, err := j.Checkpoint(ctx, j.Head().Size)
	if err != nil {
		return err
	}
	keep := j.unkept.Swap(nil)
	if keep == nil {
		return nil // kept already
	}
	err = j.store.Update(func(tx Tx) error { return tx.KeepCheckpoint(text, sig) })
	if errors.Is(err, ErrFailed) {
		j.fail(err)
	}
	return err
}

// Backup writes a consistent copy of the journal file to w while commits go
// on, marked as a copy, with a checkpoint of this moment where one can be
// signed: a broker whose key has expired needs its backups more than others.
// Large bodies are files beside it: copy them after.
func (j *Journal) Backup(ctx context.Context, w io.Writer) error {
	if err := j.Err(); err != nil {
		return err
	}
	if j.o.Sign != nil {
		_ = j.keepLast(ctx) // the copy holds the last that was kept
		if err := j.Err(); err != nil {
			return err
		}
	}
	return j.store.Backup(ctx, w)
}

// Compact gives the space of what was erased and replaced back to the disk,
// while commits go on; see Store.Compact. The watermark of LowSpace is spared.
func (j *Journal) Compact(ctx context.Context) (before, after int64, err error) {
	if err := j.Err(); err != nil {
		return 0, 0, err
	}
	before, after, err = j.store.Compact(ctx, j.o.MinFree)
	if errors.Is(err, ErrFailed) {
		j.fail(err)
	}
	return before, after, err
}

// Proof proves leaves of the log in course against its tree of that size.
// Errors: ErrSize.
func (j *Journal) Proof(ctx context.Context, leaves []uint64, size uint64) ([]Inclusion, error) {
	return j.ProofIn(ctx, j.Head().Origin, leaves, size)
}

// ProofIn is Proof for any log of the file, by its origin; ErrNotFound when it
// has none of that name.
func (j *Journal) ProofIn(ctx context.Context, origin string, leaves []uint64, size uint64) ([]Inclusion, error) {
	out := make([]Inclusion, 0, len(leaves))
	err := j.inLog(origin, size, func(l Log) error {
		for _, n := range leaves {
			if err := ctx.Err(); err != nil {
				return err
			}
			if n >= size {
				return ErrSize
			}
			leaf, err := l.Leaf(n)
			if err != nil {
				return err
			}
			path, err := tlog.ProveRecord(int64(size), int64(n), l.Hashes())
			if err != nil {
				return fmt.Errorf("journal: prove leaf %d: %w", n, err)
			}
			out = append(out, Inclusion{N: n, Leaf: LeafHash(leaf), Path: hashes(path)})
		}
		return nil
	})
	return out, err
}

// Consistency proves that the tree of size new extends that of size old
// (RFC 6962 section 2.1.2), in the log in course. Errors: ErrSize, also for a
// size of 0, which proves nothing.
func (j *Journal) Consistency(old, new uint64) (path [][32]byte, err error) {
	if old == 0 || old > new {
		return nil, ErrSize
	}
	err = j.inLog(j.Head().Origin, new, func(l Log) error {
		p, err := tlog.ProveTree(int64(new), int64(old), l.Hashes())
		if err != nil {
			return fmt.Errorf("journal: prove a tree: %w", err)
		}
		path = hashes(p)
		return nil
	})
	return path, err
}

func (j *Journal) inLog(origin string, size uint64, f func(Log) error) error {
	return j.View(func(v View) error {
		l, err := v.Log(origin)
		if err != nil {
			return err
		}
		if size > l.Head().Size {
			return ErrSize
		}
		return f(l)
	})
}

func hashes[P ~[]tlog.Hash](p P) [][32]byte {
	out := make([][32]byte, len(p))
	for i := range p {
		out[i] = p[i]
	}
	return out
}
