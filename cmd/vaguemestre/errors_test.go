package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"vaguemestre/broker/journal/boltstore"
)

// A journal that another process has open is not a failure: the same call may
// succeed later, and the program says what holds it.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	if err := boltstore.Create(dir, "courrier-nord"); err != nil {
		t.Fatal(err)
	}
	s, err := boltstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"journal", "list"}, {"journal", "verify"}} {
		var out, talk bytes.Buffer
		got := run(context.Background(), append(args, "--data", dir), strings.NewReader(""), &out, &talk)
		if got != exitTemporary || !strings.Contains(talk.String(), "\nvaguemestre: hint: another process") || out.Len() > 0 {
			t.Errorf("%v: exit code %d, %q", args, got, talk.String())
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var out, talk bytes.Buffer
	if got := run(context.Background(), []string{"journal", "verify", "--data", dir}, strings.NewReader(""), &out, &talk); got != exitOK {
		t.Errorf("once it is closed: exit code %d, %s", got, talk.String())
	}
	// The program says so when it could not check signatures.
	if !strings.Contains(talk.String(), "not checked") {
		t.Errorf("said: %q", talk.String())
	}
}
