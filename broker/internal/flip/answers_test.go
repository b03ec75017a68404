package flip

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"vaguemestre/broker"
	"vaguemestre/broker/journal"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// answers are what a broker says, by question: a digest, or "error".
type answers map[string]string

const noAnswer = "error"

func (a answers) set(question string, f func() (string, error)) {
	text, err := f()
	if err != nil {
		a[question] = noAnswer
		return
	}
	sum := sha256.Sum256([]byte(text))
	a[question] = hex.EncodeToString(sum[:8])
}

// ask puts every question to a broker that was just started: size and origin
// are those of the log when the sample was made. Then it accepts something new.
func ask(n *wiring.Node, ids []string, head journal.Head) answers {
	ctx, a, b := context.Background(), answers{}, n.Broker
	for i, id := range ids {
		a.set("dossier "+id, func() (string, error) { return dossier(ctx, b, id) })
		a.set("status "+id, func() (string, error) { s, err := b.Status(id); return fmt.Sprintf("%+v", s), err })
		a.set("content "+id, func() (string, error) { return content(ctx, b, id) })
		a.set("again "+id, func() (string, error) {
			sub, err := submission(i)
			if err != nil {
				return "", err
			}
			r, err := b.Accept(ctx, sub)
			return fmt.Sprintf("%s %x %x", r.ID, r.Deposit, r.DepositSig), err
		})
	}
	a.set("plis", func() (string, error) { s, r, err := b.Plis(ase); return fmt.Sprint(s, r), err })
	a.set("alarms", func() (string, error) { l, err := b.Alarms(); return fmt.Sprint(l), err })
	a.set("tokens", func() (string, error) { l, err := b.Tokens(); return fmt.Sprint(l), err })
	for what, read := range map[string]func(journal.View) (string, error){
		"logs": logs, "work": work, "timers": timers,
	} {
		a.set(what, func() (text string, err error) {
			err = n.Journal.View(func(v journal.View) (err error) { text, err = read(v); return err })
			return text, err
		})
	}
	for l := range head.Size {
		a.set(fmt.Sprint("leaf ", l), func() (string, error) { return leaf(n.Journal, head, l) })
	}
	a.set("proofs", func() (string, error) { return proofs(n.Journal, head) })
	a.set("consistency", func() (string, error) { return consistency(n.Journal, head) })
	a.set("accept", func() (string, error) {
		sub, err := submission(letters)
		if err != nil {
			return "", err
		}
		r, err := b.Accept(ctx, sub)
		if err == nil && r.Repeated {
			return "repeated", nil
		}
		return "accepted", err
	})
	return a
}

func dossier(ctx context.Context, b *broker.Broker, id string) (string, error) {
	d, err := b.Dossier(id)
	if err != nil {
		return "", err
	}
	body := "erased"
	r, err := d.Body(ctx)
	if err != nil && !errors.Is(err, broker.ErrNotFound) {
		return "", err
	}
	if err == nil {
		all, err := io.ReadAll(r)
		if err != nil {
			return "", err
		}
		// Whoever is given a body holds it against its header: another one is
		// no answer.
		if body = broker.Digest(all); body != d.Header.BodySHA256 {
			return "", fmt.Errorf("another body")
		}
		r.Close()
	}
	d.Body = nil
	return spelled(*d) + body, nil
}

func content(ctx context.Context, b *broker.Broker, id string) (string, error) {
	c, err := b.Read(ctx, id, ase)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return fmt.Sprintf("%s %+v", c.Sums, c.Pieces), nil
}

func logs(v journal.View) (string, error) {
	var out strings.Builder
	all := v.Logs()
	for _, h := range all {
		fmt.Fprintln(&out, h.Broker)
	}
	for _, h := range all[:len(all)-1] { // the one in course of a copy is new each time
		fmt.Fprintln(&out, h)
	}
	return out.String(), nil
}

func work(v journal.View) (string, error) {
	var out strings.Builder
	far := time.Now().AddDate(1, 0, 0)
	for _, topic := range []string{broker.TopicPli, broker.TopicEvidence} {
		fmt.Fprintln(&out, topic, v.Pending(topic), v.Dests(topic))
		for _, dest := range v.Dests(topic) {
			for _, it := range v.Heads(topic, dest, far, 1000) {
				one, ok := v.Item(it.Seq)
				fmt.Fprintf(&out, "%+v %+v %v\n", it, one, ok)
			}
		}
	}
	letters, err := broker.ReadLetters(v, 0, 1000)
	fmt.Fprintf(&out, "%+v\n", letters)
	return out.String(), err
}

func timers(v journal.View) (string, error) {
	next, ok := v.NextTimer()
	return fmt.Sprintf("%+v %v %v", v.DueTimers(time.Now().AddDate(10, 0, 0), 1000), next, ok), nil
}

// leaf asks for one event.
func leaf(j *journal.Journal, head journal.Head, n uint64) (text string, err error) {
	err = j.View(func(v journal.View) error {
		l, err := v.Log(head.Origin)
		if err != nil {
			return err
		}
		leaf, err := l.Leaf(n)
		if err != nil {
			return err
		}
		e, err := l.Record(n)
		text = string(leaf) + spelled(e)
		return err
	})
	return text, err
}

// proofs asks for the inclusion of leaves in the tree of the sample. One
// that does not hold is no answer: whoever takes it checks it.
func proofs(j *journal.Journal, head journal.Head) (string, error) {
	var all []uint64
	for n := uint64(0); n < head.Size; n += 9 {
		all = append(all, n)
	}
	in, err := j.ProofIn(context.Background(), head.Origin, all, head.Size)
	if err != nil {
		return "", err
	}
	for _, one := range in {
		var path tlog.RecordProof
		for _, h := range one.Path {
			path = append(path, h)
		}
		if err := tlog.CheckRecord(path, int64(head.Size), tlog.Hash(head.Root), int64(one.N), tlog.Hash(one.Leaf)); err != nil {
			return "", err
		}
	}
	return "proven", nil
}

// consistency asks whether the log in course extends that of the sample.
func consistency(j *journal.Journal, head journal.Head) (string, error) {
	now := j.Head()
	if now.Origin != head.Origin {
		return "another log", nil
	}
	path, err := j.Consistency(head.Size, now.Size)
	if err != nil {
		return "", err
	}
	var proof tlog.TreeProof
	for _, h := range path {
		proof = append(proof, h)
	}
	if err := tlog.CheckTree(proof, int64(now.Size), tlog.Hash(now.Root), int64(head.Size), tlog.Hash(head.Root)); err != nil {
		return "", err
	}
	return "extends", nil
}

// compare counts the questions that got no answer, and lists those that got
// another one than wanted.
func (want answers) compare(got answers) (none int, wrong []string) {
	for q, w := range want {
		switch g := got[q]; {
		case g == w:
		case g == noAnswer:
			none++
		default:
			wrong = append(wrong, q)
		}
	}
	return none, wrong
}

// spelled gives every member of a value, bytes as hex.
func spelled(v any) string { return fmt.Sprintf("%x", v) }
