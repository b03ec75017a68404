package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// A command that is killed while it makes a key leaves a file of no use: a later
// one erases it, and leaves those that another command may be writing.
func TestKeptKeysAreSwept(t *testing.T) {
	data := t.TempDir()
	if _, err := keepKey(data, [][]byte{[]byte("premier")}); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(data, sendFolder, ".new-1"), filepath.Join(data, sendFolder, ".new-2")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(old, yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	again, err := keepKey(data, [][]byte{[]byte("premier")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Error("what a killed command left is there for ever")
	}
	for _, path := range []string{fresh, again.path, filepath.Join(data, sendFolder, sendSalt)} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("swept with it: %v", err)
		}
	}
}
