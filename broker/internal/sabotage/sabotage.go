// Package sabotage builds the program with one deliberate fault, to run a
// harness on it, so that a harness that sees nothing is seen. It is for tests.
//
// The fault is an edit that is laid over one source file for the length of one
// build (the -overlay flag of the go command): nothing of it is in the sources,
// so the program has no switch that could ever be turned. An edit names its
// place by the text that stands there; a source that has changed since is
// ErrStale, and the edit must be written again.
package sabotage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Edit replaces the one occurrence of a text in a source file.
type Edit struct {
	File string // relative to the root of the module
	Old  string
	New  string
}

// Errors that ask for a decision.
var (
	ErrStale  = errors.New("sabotage: the text to replace does not occur exactly once") // write the edit again
	ErrBuild  = errors.New("sabotage: the sabotaged program does not build")            // write the edit again
	ErrNoTool = errors.New("sabotage: no go command in PATH (Debian package golang-go)")
)

// Result is what a harness said of a sabotaged program.
type Result struct {
	Failed bool // the harness found something
	Output string
}

// Test runs `go test` with the edits laid over the sources of the module at
// root. Args follow `go test`: the package, and flags. Env is added to the
// environment. It returns ErrNoTool, ErrStale, ErrBuild, wrapped, or what kept
// the command from running; a failing test is a Result.
func Test(ctx context.Context, root string, edits []Edit, env []string, args ...string) (Result, error) {
	out, failed, err := run(ctx, root, edits, env, "test", append([]string{"-vet=off", "-count=1"}, args...)...)
	switch {
	case err != nil:
		return Result{}, err
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		return Result{Output: out}, fmt.Errorf("%w:\n%s", ErrBuild, out)
	}
	return Result{Failed: failed, Output: out}, nil
}

// Build builds a command of the module at root into a file, with the edits laid
// over its sources: a harness that runs the program as a process gives it this
// one. Without edits it is the sound program. It returns ErrNoTool, ErrStale,
// ErrBuild, wrapped, or what kept the command from running.
func Build(ctx context.Context, root string, edits []Edit, command, file string) error {
	out, failed, err := run(ctx, root, edits, nil, "build", "-o", file, command)
	if err == nil && failed {
		err = fmt.Errorf("%w:\n%s", ErrBuild, out)
	}
	return err
}

// run runs the go command with an overlay, and says whether it failed.
func run(ctx context.Context, root string, edits []Edit, env []string, verb string, args ...string) (output string, failed bool, err error) {
	tool, err := exec.LookPath("go")
	if err != nil {
		return "", false, ErrNoTool
	}
	dir, err := os.MkdirTemp("", "sabotage-")
	if err != nil {
		return "", false, fmt.Errorf("sabotage: %w", err)
	}
	defer os.RemoveAll(dir) // copies of sources: nothing is lost if some stay
	overlay, err := lay(root, dir, edits)
	if err != nil {
		return "", false, err
	}
	cmd := exec.CommandContext(ctx, tool, append([]string{verb, "-overlay", overlay}, args...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return out.String(), true, nil
	case err != nil:
		return out.String(), false, fmt.Errorf("sabotage: %w", err)
	}
	return out.String(), false, nil
}

// lay writes the edited copies, and the file that tells the go command.
func lay(root, dir string, edits []Edit) (string, error) {
	texts := map[string]string{}
	for _, e := range edits {
		path := filepath.Join(root, filepath.FromSlash(e.File))
		text, ok := texts[path]
		if !ok {
			b, err := os.ReadFile(path)
			if err != nil {
				return "", fmt.Errorf("sabotage: %w", err)
			}
			text = string(b)
		}
		if strings.Count(text, e.Old) != 1 {
			return "", fmt.Errorf("%w: %s: %q", ErrStale, e.File, e.Old)
		}
		texts[path] = strings.Replace(text, e.Old, e.New, 1)
	}
	replace := map[string]string{}
	for path, text := range texts {
		copied := filepath.Join(dir, fmt.Sprintf("%d-%s", len(replace), filepath.Base(path)))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", fmt.Errorf("sabotage: %w", err)
		}
		replace[path] = copied
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", fmt.Errorf("sabotage: %w", err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, list, 0o600); err != nil {
		return "", fmt.Errorf("sabotage: %w", err)
	}
	return overlay, nil
}

// Root finds the root of the module above the working directory: that of a
// test is its package.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("sabotage: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("sabotage: no go.mod above the working directory: %w", fs.ErrNotExist)
		}
		dir = filepath.Dir(dir)
	}
}
