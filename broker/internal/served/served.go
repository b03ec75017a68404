// Package served makes a data directory with the program's own commands and
// runs `vaguemestre serve` on it as a real process, for harnesses that ask what
// a client sees of it. It is for tests.
//
// The broker is home of an ASE, a parquet and a judge (hosting = "shared"), and
// listens on ports of its own choice at one address of this machine, another
// for each house: a client that asks a process which is gone is never answered
// by somebody else's.
package served

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// The parties of a house, and its broker.
const (
	Broker  = "courrier-lille"
	ASE     = "ase-59"
	Parquet = "parquet-lille"
	Juge    = "je-lille"
)

// passphrase locks the keys of a house.
const passphrase = "phrase d'essai de la maison"

// more is what is added to the configuration that init wrote.
const more = `
[[parties]]
id = "ase-59"
role = "ase"
institution = "Département du Nord"
departement = "59"
home = "courrier-lille"

[[parties]]
id = "je-lille"
role = "juge"
institution = "Tribunal judiciaire de Lille"
departement = "59"
home = "courrier-lille"
`

// House is a program and its data directory.
type House struct {
	Program string // the binary
	Data    string // the data directory
	Tmp     string // TMPDIR of every process
	address string
}

// New names a house below a folder. Nothing is made but the folder of temporary
// files.
func New(program, root string) (*House, error) {
	h := &House{Program: program, Data: filepath.Join(root, "data"), Tmp: filepath.Join(root, "tmp")}
	h.address = fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), 1+rand.IntN(250), 1+rand.IntN(250))
	if err := os.MkdirAll(h.Tmp, 0o700); err != nil {
		return nil, fmt.Errorf("served: %w", err)
	}
	return h, nil
}

// Make makes the data directory, as an operator does.
func (h *House) Make(ctx context.Context) error {
	if _, err := h.Call(ctx, "init", "--data", h.Data, "--broker", Broker, "--party", Parquet, "--role", "parquet",
		"--institution", "Parquet de Lille", "--departement", "59", "--listen", h.address+":0"); err != nil {
		return err
	}
	b, err := os.ReadFile(h.Config())
	if err != nil {
		return fmt.Errorf("served: %w", err)
	}
	text := string(b) + more
	for old, new := range map[string]string{
		`# hosting = "shared"`: `hosting = "shared"`, "127.0.0.1:8481": h.address + ":0",
		"rate_per_second = 20": "rate_per_second = 100000", "burst = 60": "burst = 100000",
	} {
		if strings.Count(text, old) != 1 {
			return fmt.Errorf("served: the configuration of init has no %s", old)
		}
		text = strings.Replace(text, old, new, 1)
	}
	if err := os.WriteFile(h.Config(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("served: %w", err)
	}
	for _, party := range []string{ASE, Juge} {
		if _, err := h.Call(ctx, "keys", "generate", "--owner", party, "--data", h.Data); err != nil {
			return err
		}
	}
	return nil
}

// Passphrase locks the keys of a house.
func (h *House) Passphrase() []byte { return []byte(passphrase) }

// Config is the path of the configuration.
func (h *House) Config() string { return filepath.Join(h.Data, "vaguemestre.toml") }

// Token makes a token with rights, beside a running broker or without one.
func (h *House) Token(ctx context.Context, party, application string, rights ...string) (string, error) {
	out, err := h.Call(ctx, "token", "create", "--party", party, "--application", application, "--right", strings.Join(rights, ","), "--data", h.Data, "--json")
	if err != nil {
		return "", err
	}
	var made struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(out, &made); err != nil {
		return "", fmt.Errorf("served: token: %w", err)
	}
	return made.Token, nil
}

// Command is a call of the program, not yet started.
func (h *House) Command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, h.Program, args...)
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.Tmp, "TMPDIR=" + h.Tmp, "TZ=Europe/Paris", "GOTRACEBACK=all",
		"VAGUEMESTRE_PASSPHRASE=" + passphrase,
	}
	return c
}

// Call runs a command to its end and returns its answer. Its error holds what
// the command said.
func (h *House) Call(ctx context.Context, args ...string) ([]byte, error) {
	c := h.Command(ctx, args...)
	var out, talk bytes.Buffer
	c.Stdout, c.Stderr = &out, &talk
	if err := c.Run(); err != nil {
		return out.Bytes(), fmt.Errorf("served: %s: %w\n%s", args[0], err, talk.Bytes())
	}
	return out.Bytes(), nil
}

// Process is one life of the broker.
type Process struct {
	Cmd   *exec.Cmd
	Ready chan struct{} // closed once it says where it is heard
	Gone  chan struct{} // closed once its output has ended

	mu         sync.Mutex
	api, admin string       // guarded by mu
	last       bytes.Buffer // what it said but for the lines of requests; guarded by mu
}

// maxSaid bounds what is kept of a life that says much.
const maxSaid = 1 << 20

// Start starts the broker. What it says goes to log too, unless that is nil.
func (h *House) Start(log io.Writer) (*Process, error) {
	p := &Process{Cmd: h.Command(context.Background(), "serve", "--config", h.Config()), Ready: make(chan struct{}), Gone: make(chan struct{})}
	talk, err := p.Cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("served: %w", err)
	}
	if log != nil {
		p.Cmd.Stdout = log
	}
	if err := p.Cmd.Start(); err != nil {
		return nil, fmt.Errorf("served: %w", err)
	}
	go p.listen(talk, log)
	return p, nil
}

func (p *Process) listen(talk io.Reader, log io.Writer) {
	defer close(p.Gone)
	r := bufio.NewReader(talk)
	for {
		line, err := r.ReadBytes('\n')
		if log != nil {
			_, _ = log.Write(line) // what is missing there is missed there
		}
		if !bytes.Contains(line, []byte(`"msg":"request"`)) {
			p.heed(line)
		}
		if err != nil {
			return
		}
	}
}

func (p *Process) heed(line []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.Len() < maxSaid {
		p.last.Write(line)
	}
	var said struct{ Msg, API, Admin string }
	if json.Unmarshal(line, &said) == nil && said.Msg == "serving" && p.api == "" {
		p.api, p.admin = said.API, said.Admin
		close(p.Ready)
	}
}

// API is host:port of the API, "" before Ready.
func (p *Process) API() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.api
}

// Admin is host:port of health and metrics, "" before Ready.
func (p *Process) Admin() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.admin
}

// Said is what the process said, but for the lines of requests.
func (p *Process) Said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last.String()
}

// Wait waits for the end, and gives the exit code; -1 when a signal ended it.
func (p *Process) Wait() (int, error) {
	<-p.Gone
	err := p.Cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("served: %w", err)
	}
	return p.Cmd.ProcessState.ExitCode(), nil
}
