package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaguemestre/broker"
)

// A command that finds the local secret missing does nothing and says what to
// do; only a person who asks for it gets another one.
func TestLostSecret(t *testing.T) {
	dir, id := givenUp(t)
	t.Setenv("VAGUEMESTRE_PASSPHRASE", "demonstration")
	path := filepath.Join(dir, "secret")
	_, talk := called(t, exitFailure, "journal", "renew-secret", "--data", dir)
	if !strings.Contains(talk, "hint: nothing to do") {
		t.Errorf("a secret that is there: %q", talk)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, talk = called(t, exitFailure, "purge", id, "--data", dir); !strings.Contains(talk, "hint: take the rights of others away: chmod go= DATA/secret\n") {
		t.Errorf("rights: %q", talk)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, talk = called(t, exitFailure, "purge", id, "--data", dir)
	for _, want := range []string{"local secret of this data directory is missing", "hint: put DATA/secret back from a backup", "journal renew-secret --help"} {
		if !strings.Contains(talk, want) {
			t.Errorf("no %q in %q", want, talk)
		}
	}
	// Whoever only looks needs no secret.
	called(t, exitOK, "journal", "list", "--data", dir)
	called(t, exitOK, "journal", "verify", "--data", dir)
	out, talk := called(t, exitOK, "journal", "renew-secret", "--json", "--data", dir)
	if out != `{"renewed":true,"waiting":0}`+"\n" || !strings.Contains(talk, "do not repeat them") {
		t.Errorf("renewed: %q, %q", out, talk)
	}
	called(t, exitOK, "purge", id, "--data", dir)
	if err := os.WriteFile(path, []byte(strings.Repeat("x", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, talk = called(t, exitFailure, "purge", id, "--data", dir); !strings.Contains(talk, "hint: move DATA/secret away") {
		t.Errorf("another secret: %q", talk)
	}
	out, _ = called(t, exitOK, "journal", "list", "--data", dir)
	if strings.Count(out, "  "+string(broker.Purged)+" ") != 1 {
		t.Errorf("journal: %q", out)
	}
}
