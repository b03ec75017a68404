package boltstore_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
)

var kills = flag.Int("kills", 30, "how often TestKill kills")

// Environment of the child process that TestKill kills.
const (
	childDir   = "VAGUEMESTRE_TEST_CHILD"
	childEarly = "VAGUEMESTRE_TEST_EARLY" // sabotage: it answers before the commit
)

// TestMain lets the test binary be its own child.
func TestMain(m *testing.M) {
	flag.Parse()
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir, os.Getenv(childEarly) != ""))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child commits until it is killed, and names on its output what it answered.
func child(dir string, early bool) error {
	s, err := boltstore.Open(dir, boltstore.WithFoldMax(100)) // so that it dies while it folds, too
	if err != nil {
		return err
	}
	j, err := journal.New(s, journal.Options{Sign: func(context.Context, []byte) ([]byte, error) { return []byte("signature"), nil }})
	if err != nil {
		return err
	}
	var from uint64 // names are of this life only
	if err := j.View(func(v journal.View) error { from = v.Head().Size; return nil }); err != nil {
		return err
	}
	failed := make(chan error)
	for worker := range 16 {
		go func() {
			for n := 0; ; n++ {
				name := fmt.Sprintf("%d/%d/%d", from, worker, n)
				if early {
					fmt.Println(name)
				}
				_, err := j.Commit(context.Background(), func(journal.View) (journal.Batch, error) {
					return journal.Batch{Events: []journal.Event{
						{Type: "pli", Changes: journal.Changes{Objects: [][]byte{[]byte(name)}, Enqueue: []journal.Item{{Topic: "t", Lane: "a"}}}},
						{Type: "accepted", Changes: journal.Changes{Puts: []journal.Put{{Space: "kept", Key: name, Value: []byte("x")}}}},
					}}, nil
				})
				if err != nil {
					failed <- err
					return
				}
				if !early {
					fmt.Println(name)
				}
				if _, _, err := j.Checkpoint(context.Background(), 0); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// life runs the child until a random moment, and returns what it answered.
func life(t *testing.T, dir string, early bool) (answered []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	if early {
		cmd.Env = append(cmd.Env, childEarly+"=1")
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	first, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("the child did nothing: %v %s", cmd.Wait(), stderr.String())
	}
	time.AfterFunc(time.Duration(rand.IntN(40))*time.Millisecond, func() { cmd.Process.Kill() })
	rest, err := io.ReadAll(r)
	cmd.Wait() // it was killed
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("child: %v %s", err, stderr.String())
	}
	lines := strings.Split(first+string(rest), "\n")
	return lines[:len(lines)-1] // the last is cut, or empty
}

// missing counts the answers that the journal does not keep.
func missing(t *testing.T, dir string, answered []string) (lost int) {
	t.Helper()
	s, err := boltstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = s.View(func(v journal.View) error {
		for _, name := range answered {
			if _, ok := v.Get("kept", name); !ok {
				lost++
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return lost
}

// TestKill: nothing that was answered is lost when the process dies, the
// journal verifies, and extends every head that it had.
func TestKill(t *testing.T) {
	if testing.Short() {
		*kills = min(*kills, 8)
	}
	dir := t.TempDir()
	newStore(t, dir).Close()
	var answered []string
	var heads []boltstore.SignedHead
	for range *kills {
		answered = append(answered, life(t, dir, false)...)
		if lost := missing(t, dir, answered); lost > 0 {
			t.Fatalf("%d answers of %d lost", lost, len(answered))
		}
		rep, err := verify(dir, heads...)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, boltstore.SignedHead{Text: rep.Head.Checkpoint()})
	}
	t.Logf("%d kills, %d answers kept", *kills, len(answered))
}

// TestKillSabotaged: the harness finds a program that answers before the
// commit.
func TestKillSabotaged(t *testing.T) {
	dir := t.TempDir()
	newStore(t, dir).Close()
	for range 20 {
		if missing(t, dir, life(t, dir, true)) > 0 {
			return
		}
	}
	t.Error("20 kills found nothing")
}
