package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"vaguemestre/cmd/vaguemestre/serving"
)

// The exchange by the commands alone: beside a broker, without one, and when an
// answer is lost.
func TestCommandScripts(t *testing.T) {
	papers, err := filepath.Abs("papers")
	if err != nil {
		t.Fatal(err)
	}
	cmds := serveCommands()
	maps.Copy(cmds, map[string]func(*testscript.TestScript, bool, []string){
		"code": code, "canary": canary, "isjson": isJSON, "town": town, "carry": carry, "cut": cut, "mend": mend,
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/commands",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PAPERS", papers)
			e.Setenv("TOWN", filepath.Join(filepath.Dir(papers), "testdata", "commands", "parties.toml"))
			e.Setenv("VAGUEMESTRE_PASSPHRASE", "demonstration")
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Values[heldKey{}] = map[string]*held{}
			e.Values[proxyKey{}] = map[string]*proxy{}
			return nil
		},
		Cmds: cmds,
	})
}

// town DIR: a broker that is home of a parquet, an ASE and a judge.
func town(ts *testscript.TestScript, neg bool, args []string) {
	must := func(args ...string) { ts.Check(ts.Exec("vaguemestre", args...)) }
	must("init", "--data", args[0], "--broker", "courrier-lille", "--party", "parquet-lille", "--role", "parquet",
		"--institution", "Parquet de Lille", "--departement", "59", "--listen", "127.0.0.1:0")
	path := ts.MkAbs(filepath.Join(args[0], "vaguemestre.toml"))
	text, err := os.ReadFile(path)
	ts.Check(err)
	more, err := os.ReadFile(ts.Getenv("TOWN"))
	ts.Check(err)
	s := strings.Replace(string(text), `# hosting = "shared"`, `hosting = "shared"`, 1)
	s = strings.Replace(s, "127.0.0.1:8481", "127.0.0.1:0", 1)
	ts.Check(os.WriteFile(path, []byte(s+string(more)), 0o600))
	must("keys", "generate", "--owner", "ase-59", "--data", args[0])
	must("keys", "generate", "--owner", "je-lille", "--data", args[0])
}

// carry DIR: runs a broker until nothing is left to carry.
func carry(ts *testscript.TestScript, neg bool, args []string) {
	path := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, "vaguemestre"); path == "" && exec.Command(p, "--help").Run() == nil {
			path = p
		}
	}
	c := exec.Command(path, "serve", "--config", ts.MkAbs(filepath.Join(args[0], "vaguemestre.toml")))
	c.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR"), "VAGUEMESTRE_PASSPHRASE=" + ts.Getenv("VAGUEMESTRE_PASSPHRASE")}
	ts.Check(c.Start())
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	ts.Defer(func() { _ = c.Process.Kill() }) // it ended long ago, if all went well
	ready(ts, false, args)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r, err := http.Get("http://" + ts.Getenv("ADMIN") + "/metrics")
		ts.Check(err)
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		ts.Check(err)
		if strings.Contains(string(b), "vaguemestre_queue_items{topic=\"pli\"} 0\n") && strings.Contains(string(b), "vaguemestre_queue_items{topic=\"evidence\"} 0\n") {
			break
		}
		if time.Now().After(end) {
			ts.Fatalf("something is not carried")
		}
	}
	ts.Check(c.Process.Signal(syscall.SIGTERM))
	ts.Check(<-ended)
}

type proxyKey struct{}

// proxy stands where the socket of a broker was, and loses the answers to what
// is sent.
type proxy struct {
	l    net.Listener
	real string
	wait sync.WaitGroup
}

// cut DIR: from now on the answer to every call is lost.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	sock := ts.MkAbs(filepath.Join(args[0], "admin.sock"))
	p := &proxy{real: sock + ".real"}
	ts.Check(os.Rename(sock, p.real))
	l, err := net.Listen("unix", sock)
	ts.Check(err)
	ts.Check(os.Chmod(sock, 0o600))
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	p.l = l
	ts.Value(proxyKey{}).(map[string]*proxy)[args[0]] = p
	p.wait.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				p.wait.Go(func() { p.lose(c) })
			}
		}
	})
}

// lose carries one call to the broker, waits for its answer, and drops it.
func (p *proxy) lose(c net.Conn) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return // somebody only looked whether a broker runs
	}
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", "vaguemestre", ""
	real := &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", p.real) }}
	if resp, err := real.RoundTrip(r); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// mend DIR: the answers come again.
func mend(ts *testscript.TestScript, neg bool, args []string) {
	p := ts.Value(proxyKey{}).(map[string]*proxy)[args[0]]
	ts.Check(p.l.Close())
	p.wait.Wait()
	ts.Check(os.Rename(p.real, strings.TrimSuffix(p.real, ".real")))
	c, err := serving.DialSocket(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	c.Close()
}
