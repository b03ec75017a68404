package broker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"vaguemestre/broker/journal"
)

// Acceptance is idempotent by key: the same key with the same submission gives
// the stored receipt, with another submission it is a conflict. Both are kept
// as HMACs under a secret of this broker, since a key or a digest of content
// could be recognised.

// idemRecord is what an idempotency key was used for.
type idemRecord struct {
	MAC string `json:"m"`
	ID  string `json:"i"`
}

func (b *Broker) idemKey(s *submission) string {
	return b.mac("idempotency key", string(s.From), s.Key)
}

// knownKey says what a key served for.
func (b *Broker) knownKey(s *submission) (id, mac string, known bool, err error) {
	err = b.journal.View(func(v journal.View) error {
		var rec idemRecord
		if rec, known = get[idemRecord](v, spaceIdem, b.idemKey(s)); known {
			id, mac = rec.ID, rec.MAC
		}
		return nil
	})
	return id, mac, known, err
}

// repeat answers a submission whose key is known: its pieces are read to
// compare, and not sealed again.
func (b *Broker) repeat(ctx context.Context, s *submission, id, mac string) (Receipt, error) {
	digests := make([]string, 0, len(s.Pieces))
	for i, r := range s.Pieces {
		h := sha256.New()
		if _, err := io.Copy(h, pieceReader{r, i + 1}); err != nil {
			return Receipt{}, temporary("reading a piece", err)
		}
		digests = append(digests, hex.EncodeToString(h.Sum(nil)))
	}
	return b.receiptOf(ctx, s, id, mac, b.submissionMAC(s, digests))
}

// submissionMAC covers everything that the sender chose.
func (b *Broker) submissionMAC(s *submission, pieces []string) string {
	thread := s.thread
	if s.isNew {
		thread = ""
	}
	f := []string{string(s.Kind), string(s.Urgency), thread, s.ReplyTo, s.Actor.Name, s.Actor.Function, string(s.Basis), string(s.Document.Bytes()), string(s.Assertion)}
	for _, p := range s.To {
		f = append(f, "to "+string(p))
	}
	for _, p := range s.Cc {
		f = append(f, "cc "+string(p))
	}
	return b.mac("submission", append(f, pieces...)...)
}

// receiptOf is the stored receipt of a known submission.
func (b *Broker) receiptOf(ctx context.Context, s *submission, id, stored, mac string) (Receipt, error) {
	if stored != mac {
		return Receipt{}, ErrConflict
	}
	r := Receipt{ID: id, Thread: s.Thread, Reserves: s.doc.Reserves(), Repeated: true}
	err := b.journal.View(func(v journal.View) error {
		rec, ok := get[pliRecord](v, spacePli, id)
		if !ok {
			return fmt.Errorf("receipt: %w", ErrNotFound)
		}
		r.HeaderSHA256 = rec.Header
		var err error
		if r.Deposit, err = v.Object(rec.Deposit); err != nil {
			return err
		}
		r.DepositSig, err = v.Object(rec.DepositSig)
		return err
	})
	if err != nil {
		return Receipt{}, temporary("receipt", err)
	}
	if s.isNew {
		// The thread was drawn at the first call and lives inside the pli only.
		c, err := b.Read(ctx, id, s.From)
		if errors.Is(err, ErrNotFound) {
			return r, nil // erased since: the receipt holds, the thread is forgotten
		}
		if err != nil {
			return Receipt{}, temporary("receipt", err)
		}
		defer c.Close()
		r.Thread = c.Inner.Thread
	}
	return r, nil
}
