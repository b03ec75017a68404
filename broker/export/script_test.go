package export_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vaguemestre/broker/export"
	"vaguemestre/crypto/keyring"
)

// bothEnv names the file where this program, run by check.sh in the place of
// sh, writes what verifier.sh and Verify answered to the same folder.
const bothEnv = "VAGUEMESTRE_TEST_BOTH"

func TestMain(m *testing.M) {
	if out := os.Getenv(bothEnv); out != "" {
		os.Exit(both(out, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// both runs a script as sh would, then Verify with the same arguments.
func both(out string, args []string) int {
	var said bytes.Buffer
	cmd := exec.Command("sh", args...)
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		code = 99
	}
	fmt.Print(said.String())
	if code != 2 { // misuse is the command's to tell
		f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return 98
		}
		defer f.Close()
		text := said.String()
		if i := strings.Index(text, "ÉCHEC"); i >= 0 {
			text = text[i:]
		}
		fmt.Fprintf(f, "%d\t%s\t%s\n", code, goVerdict(args), strings.Join(strings.Fields(text), " "))
	}
	return code
}

// goVerdict is the exit code that the command gives for Verify, and its words.
func goVerdict(args []string) string {
	dir, anchors := filepath.Dir(args[0]), []export.Anchor(nil)
	for _, a := range args[1:] {
		if !strings.Contains(a, "=") {
			dir = a
			continue
		}
		anchor, err := export.ParseAnchor(a)
		if err != nil {
			return "2\t" + err.Error()
		}
		anchors = append(anchors, anchor)
	}
	_, err := export.Verify(dir, anchors, keyring.Verifier{})
	var f *export.FaultError
	switch {
	case err == nil:
		return "0\t"
	case errors.As(err, &f):
		return "3\t" + f.Error()
	}
	return "1\t" + err.Error()
}

// mayDiffer lists what the script cannot see, or we cannot.
func mayDiffer(f []string) bool {
	switch {
	case f[0] == "0" && strings.HasSuffix(f[2], ".detail.pgp: its content does not hold") && strings.Contains(f[3], "(WebAuthn) n'est pas refaite ici"):
		return true // a shell does not redo WebAuthn signatures; those of check.sh are none
	}
	return false
}

// Every variant that check.sh of the wire folder makes, the good ones and the
// forgeries, has the same verdict here as by verifier.sh.
func TestSameVerdictsAsTheScript(t *testing.T) {
	if !slow() {
		t.Skip("takes some minutes: set VAGUEMESTRE_SLOW=1 to run it")
	}
	needScript(t)
	need(t, map[string]string{"gpg-agent": "gpg-agent"})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "verdicts")
	cmd := exec.Command("sh", "../testdata/wire/check.sh")
	cmd.Env = append(os.Environ(), "SH="+self, bothEnv+"="+out)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("check.sh: %v\n%s", err, said)
	}
	verdicts := strings.Split(strings.TrimSpace(string(read(t, out))), "\n")
	if len(verdicts) < 300 {
		t.Errorf("only %d verdicts", len(verdicts))
	}
	for _, v := range verdicts {
		f := strings.SplitN(v, "\t", 4)
		if len(f) != 4 || f[0] != f[1] && !mayDiffer(f) {
			t.Errorf("verifier.sh: %s, Verify: %s %s (%s)", f[0], f[1], f[2], f[3])
		}
		t.Logf("%s | %s", f[2], f[3])
	}
}
