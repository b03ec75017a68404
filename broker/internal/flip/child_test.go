package flip

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// Environment of the child process.
const (
	childRoot    = "VAGUEMESTRE_FLIP_CHILD"   // the folder of the data directory
	childCreated = "VAGUEMESTRE_FLIP_CREATED" // Unix time of the keys
)

// TestMain lets the test binary be its own child.
func TestMain(m *testing.M) {
	if root := os.Getenv(childRoot); root != "" {
		if err := obey(root, os.Getenv(childCreated), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// step is what the child is asked to do.
type step string

const (
	stepVerify step = "verify"
	stepRead   step = "read"
	stepServe  step = "serve"
)

type request struct {
	Step step         `json:"step"`
	IDs  []string     `json:"ids,omitempty"`
	Head journal.Head `json:"head"`
}

// response: Error is the verdict of verify, or why the broker refused to start.
type response struct {
	Error   string  `json:"error,omitempty"`
	Sum     string  `json:"sum,omitempty"`
	Answers answers `json:"answers,omitempty"`
}

// obey answers requests until its input ends.
func obey(root, created string, in io.Reader, out io.Writer) error {
	at, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return err
	}
	w, err := newWorld(root, time.Unix(at, 0))
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var q request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return err
		}
		var r response
		switch q.Step {
		case stepVerify:
			r = verify(w)
		case stepRead:
			r = read(filepath.Join(w.Dir(nord), "journal.db"))
		case stepServe:
			r = serve(w, q)
		}
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return lines.Err()
}

// verify is what `journal verify` does beside no broker.
func verify(w *wiring.World) response {
	ctx, dir := context.Background(), w.Dir(nord)
	_, err := boltstore.Verify(ctx, dir, serving.CheckBy(w.Ring(nord)))
	if err == nil {
		err = wiring.CheckBackup(ctx, dir)
	}
	return said(err)
}

func said(err error) response {
	if err == nil {
		return response{}
	}
	return response{Error: err.Error()}
}

// read digests every row that the store engine gives.
func read(path string) (r response) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			r = response{Error: "panic"}
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return said(err)
	}
	sum := sha256.New()
	err = db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			fmt.Fprintf(sum, "bucket %q\n", name)
			return b.ForEach(func(k, v []byte) error {
				fmt.Fprintf(sum, "%d %d\n", len(k), len(v))
				sum.Write(k)
				sum.Write(v)
				return nil
			})
		})
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return said(err)
	}
	return response{Sum: hex.EncodeToString(sum.Sum(nil))}
}

// serve starts the broker, asks it, and ends it.
func serve(w *wiring.World, q request) response {
	ctx := context.Background()
	n, err := w.OpenNode(ctx, nord)
	if err != nil {
		return said(err)
	}
	r := response{Answers: ask(n, q.IDs, q.Head)}
	w.Net.Join(nord, nil)
	delete(w.Nodes, nord)
	if err := n.Close(ctx); err != nil {
		r.Answers["close"] = noAnswer
	}
	return r
}
