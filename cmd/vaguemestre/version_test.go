package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// What is installed says which version it is: the one that was linked in, by
// the name that deploy/build.sh gives it.
func TestVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("it links the program: slow")
	}
	script, err := os.ReadFile("../../deploy/build.sh")
	if err != nil {
		t.Fatal(err)
	}
	flags := "-X main.stamped=9.8.7~essai"
	if !strings.Contains(string(script), "-X main.stamped=$version") {
		t.Error("deploy/build.sh does not link the version in")
	}
	program := filepath.Join(t.TempDir(), "vaguemestre")
	if out, err := exec.Command("go", "build", "-ldflags", flags, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(program, "--version").Output()
	if line := string(out); err != nil || !strings.HasPrefix(line, "vaguemestre 9.8.7~essai (") || !strings.HasSuffix(line, runtime.Version()+")\n") {
		t.Errorf("%v: %q", err, line)
	}
	var b built
	if out, err = exec.Command(program, "--version", "--json").Output(); err != nil || json.Unmarshal(out, &b) != nil || b.Version != "9.8.7~essai" || b.Go != runtime.Version() {
		t.Errorf("%v: %q", err, out)
	}
	// Without a stamp it is what Go knows of the sources, and never nothing.
	said, _ := called(t, exitOK, "--version")
	if !strings.HasPrefix(said, "vaguemestre ") || strings.HasPrefix(said, "vaguemestre  ") {
		t.Errorf("%q", said)
	}
}
