package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"vaguemestre/broker/journal"
)

// A broker whose key cannot sign any more (expired, revoked, lost) closes its
// journal without a last checkpoint. What a command did is done and durable,
// and must not look like a failure; what it could not do must.
func TestNoLastCheckpoint(t *testing.T) {
	dir, id := givenUp(t)
	keys, err := filepath.Glob(filepath.Join(dir, "keys", "courrier-nord", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if err := os.Remove(keys[0]); err != nil {
		t.Fatal(err)
	}
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "demonstration")
	const warned = "vaguemestre: warning: "
	out, _ := called(t, exitOK, "journal", "list", "--letters", "--data", dir)
	seq, err := strconv.Atoi(strings.Fields(out)[0])
	if err != nil {
		t.Fatal(err)
	}
	out, talk := called(t, exitOK, "journal", "requeue", strconv.Itoa(seq), "--data", dir)
	if !strings.Contains(out, "in the queue again") || strings.Count(talk, warned) != 1 || strings.Contains(talk, "error") {
		t.Errorf("requeue: %q, %q", out, talk)
	}
	t.Setenv(exportPassphraseName, "four plain words here")
	if _, talk = called(t, exitOK, "keys", "export-secret", "ase-59", "--data", dir); strings.Count(talk, warned) != 1 {
		t.Errorf("export-secret: %q", talk)
	}
	if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if _, talk = called(t, exitOK, "journal", "renew-secret", "--data", dir); strings.Count(talk, warned) != 1 {
		t.Errorf("renew-secret: %q", talk)
	}
	// An export is signed, and so is a purge: these did not happen.
	for command, code := range map[string]int{"export": exitFailure, "purge": exitTemporary} {
		args := []string{command, id, "--data", dir}
		if command == "export" {
			args = append(args, "--out", filepath.Join(t.TempDir(), "x"))
		}
		out, talk = called(t, code, args...)
		if out != "" || strings.Count(talk, "vaguemestre: error: ") != 1 || strings.Contains(talk, "is done") || !strings.Contains(talk, "vaguemestre: hint: ") {
			t.Errorf("%v: %q, %q", args, out, talk)
		}
	}
}

// A disk that refused a write is never a mere warning.
func TestClosingOnABadDisk(t *testing.T) {
	var talk bytes.Buffer
	term := &terminal{talk: &talk}
	bad, own := fmt.Errorf("closing: %w", journal.ErrFailed), errors.New("its own")
	for _, done := range []error{nil, own} {
		if err := term.closed(done, bad); codeOf(err) != exitTemporary || done != nil && !errors.Is(err, done) {
			t.Errorf("after %v: %v", done, err)
		}
	}
	if talk.Len() > 0 {
		t.Errorf("said: %q", talk.String())
	}
}
