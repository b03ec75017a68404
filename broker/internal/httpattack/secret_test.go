package httpattack

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stop ends the broker as systemd does.
func (g *ground) stop(t *testing.T) {
	t.Helper()
	if err := g.proc.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code, err := g.proc.Wait(); code != 0 || err != nil {
		t.Errorf("its end: %d, %v: %s", code, err, g.proc.Said())
	}
}

// noCore aborts a broker that was started under a limit that allows core files.
func (g *ground) noCore(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc, and prctl")
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: was.Max, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_CORE, &was)
	if was.Max == 0 {
		t.Log("this process may not allow core files: the limit shows nothing here")
	}
	c := g.house.Command(t.Context(), "serve", "--config", g.house.Config())
	c.Env = append(slices.DeleteFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, "GOTRACEBACK=") }), "GOTRACEBACK=crash")
	c.Dir = t.TempDir()
	said := &logBook{}
	c.Stderr = said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness", func() bool { return strings.Contains(said.String(), `"msg":"serving"`) })
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", c.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && !slices.Equal(strings.Fields(rest)[:2], []string{"0", "0"}) {
			t.Errorf("the limit of a core file: %q", rest)
		}
	}
	// What a process that may be dumped owns itself belongs to the system here.
	if os.Getuid() != 0 {
		if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", c.Process.Pid)); err == nil {
			t.Error("another process of the same user may read its memory")
		}
	}
	if err := c.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was aborted
	if s := c.ProcessState.Sys().(syscall.WaitStatus); !s.Signaled() || s.CoreDump() {
		t.Errorf("it ended so: signalled %v, core %v", s.Signaled(), s.CoreDump())
	}
	for _, dir := range []string{c.Dir, g.house.Data, g.house.Tmp} {
		if left, _ := filepath.Glob(filepath.Join(dir, "core*")); len(left) > 0 {
			t.Error("a core file was left")
		}
	}
	if bytes.Contains([]byte(strings.ToLower(said.String())), g.house.Passphrase()) {
		t.Error("the passphrase stands in what it said last")
	}
}

// locked starts the broker without its passphrase: nothing is served, in clear
// or otherwise, and the operator is told why.
func (g *ground) locked(t *testing.T) {
	for what, env := range map[string]string{"none": "X=", "empty": "VAGUEMESTRE_PASSPHRASE=", "wrong": "VAGUEMESTRE_PASSPHRASE=une autre phrase"} {
		c := g.house.Command(t.Context(), "serve", "--config", g.house.Config())
		c.Env = append(slices.DeleteFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, "VAGUEMESTRE_PASSPHRASE=") }), env)
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Run(); err == nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "passphrase") {
			t.Errorf("%s: exit %d: %s", what, c.ProcessState.ExitCode(), said.String())
		}
	}
	// By the credential of a service manager, it is unlocked again.
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "vaguemestre-passphrase"), append(g.house.Passphrase(), '\n'), 0o400); err != nil {
		t.Fatal(err)
	}
	c := g.house.Command(t.Context(), "serve", "--config", g.house.Config())
	c.Env = append(slices.DeleteFunc(c.Env, func(s string) bool { return strings.HasPrefix(s, "VAGUEMESTRE_PASSPHRASE=") }), "CREDENTIALS_DIRECTORY="+dir)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "readiness", func() bool {
		conn, err := net.DialTimeout("unix", filepath.Join(g.house.Data, "admin.sock"), time.Second)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	_ = c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(g.house.Data, "admin.sock")); !os.IsNotExist(err) {
		t.Errorf("its socket: %v, want %v", err, fs.ErrNotExist)
	}
}
