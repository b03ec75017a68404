package export_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"vaguemestre/broker/export"
)

// need finds the tools of a test, or skips it; in CI they must be there.
func need(t *testing.T, packages map[string]string) {
	t.Helper()
	for tool, debian := range packages {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is missing: install the Debian package %s", tool, debian)
			}
			t.Skipf("%s is missing: install the Debian package %s", tool, debian)
		}
	}
}

// slow says whether what takes minutes is run too.
func slow() bool { return os.Getenv("CI") == "true" || os.Getenv("VAGUEMESTRE_SLOW") != "" }

func needScript(t *testing.T) {
	need(t, map[string]string{"sh": "dash", "gpg": "gpg", "sha256sum": "coreutils", "xxd": "xxd"})
}

func lines(anchors []export.Anchor) (out []string) {
	for _, a := range anchors {
		out = append(out, a.String())
	}
	return out
}

// script runs verifier.sh as a clerk does, and returns what it said.
func script(dir string, anchors []export.Anchor) (string, error) {
	out, err := exec.Command("sh", append([]string{dir + "/verifier.sh"}, lines(anchors)...)...).CombinedOutput()
	return string(out), err
}

// scriptAccepts and scriptRefuses hold verifier.sh to the same verdict.
func scriptAccepts(t *testing.T, dir string, anchors []export.Anchor) string {
	t.Helper()
	needScript(t)
	said, err := script(dir, anchors)
	if err != nil || !strings.Contains(said, "VÉRIFIÉ") {
		t.Fatalf("verifier.sh: %v\n%s", err, said)
	}
	return said
}

func scriptRefuses(t *testing.T, dir string, anchors []export.Anchor) {
	t.Helper()
	needScript(t)
	said, err := script(dir, anchors)
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 3 || !strings.Contains(said, "ÉCHEC") {
		t.Errorf("verifier.sh: %v\n%s", err, said)
	}
}

// gpgHome is an empty keyring; its path is short, for the agent's socket.
func gpgHome(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = exec.Command("gpgconf", "--homedir", dir, "--kill", "all").Run()
		os.RemoveAll(dir)
	})
	return dir
}

func gpg(t *testing.T, home string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	cmd := exec.Command("gpg", append([]string{"--homedir", home, "--batch", "--no-tty", "--quiet", "--trust-model", "always", "--pinentry-mode", "loopback"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("gpg %v: %v\n%s", args, err, errs.String())
	}
	return out.String(), errs.String()
}
