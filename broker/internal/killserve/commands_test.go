package killserve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker"
	"vaguemestre/broker/internal/served"
)

// byCommands is a clerk who files, reads and acts with the commands, beside the
// broker; alone on its directory while it is down. Some of the commands are
// killed too.
func (c *crowd) byCommands(draw *rand.Rand) {
	for !c.over.Load() {
		if !c.clerk(draw) {
			return
		}
	}
}

// clerk takes one letter all the way. It says whether there is any use in
// another.
func (c *crowd) clerk(draw *rand.Rand) bool {
	l := newLetter(int(c.letters.Add(1)))
	dir := filepath.Join(c.work, fmt.Sprint(l.number))
	send, err := c.files(l, dir)
	if err != nil {
		c.book.fault(broken, "the files of letter %d: %v", l.number, err)
		return false
	}
	var r receipt
	if !c.command(draw, fmt.Sprintf("send of letter %d", l.number), &r, send...) {
		return true
	}
	if r.Repeated {
		c.repeated.Add(1)
	}
	c.book.accepted(l, r).byCommand = true
	for _, p := range l.recipients() {
		if c.arrives(l, r.ID, p) {
			c.commandsOf(draw, l, r.ID, p, dir)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		c.book.fault(broken, "the files of letter %d: %v", l.number, err)
		return false
	}
	return true
}

// age makes what killed commands left in DATA/sending look old: the next send
// is to erase it, and would leave alone what another may be writing.
func (c *crowd) age() error {
	left, err := filepath.Glob(filepath.Join(c.house.Data, "sending", ".new-*"))
	for _, path := range left {
		yesterday := time.Now().Add(-24 * time.Hour)
		err = errors.Join(err, os.Chtimes(path, yesterday, yesterday))
	}
	return err
}

// files writes what is sent, and gives the call that sends it.
func (c *crowd) files(l letter, dir string) (args []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	doc := filepath.Join(dir, "document.json")
	args = []string{"send", "--as", l.from, "--kind", l.kind, "--actor", sender.Name, "--function", sender.Function, "--data", c.house.Data}
	for _, p := range l.to {
		args = append(args, "--to", p)
	}
	for _, p := range l.cc {
		args = append(args, "--cc", p)
	}
	if l.urgency != "" {
		args = append(args, "--urgency", l.urgency)
	}
	for i, p := range l.pieces {
		name := filepath.Join(dir, fmt.Sprintf("piece-%d", i))
		if err := os.WriteFile(name, p, 0o600); err != nil {
			return nil, err
		}
		args = append(args, "--attach", name)
	}
	return append(args, doc), os.WriteFile(doc, l.document, 0o600)
}

// arrives waits until a recipient has the letter: the API says so without a
// trace.
func (c *crowd) arrives(l letter, id, party string) bool {
	_, ok := c.insist(request{what: fmt.Sprintf("letter %d for %s", l.number, party), party: party, method: "GET", path: "/v1/messages/" + id, absent: true})
	return ok
}

// odds draws one chance in n; a clerk who draws nothing has none.
func odds(draw *rand.Rand, n int) bool { return draw != nil && draw.IntN(n) == 0 }

// commandsOf is what a recipient does.
func (c *crowd) commandsOf(draw *rand.Rand, l letter, id, party, dir string) {
	if odds(draw, 3) {
		out := filepath.Join(dir, party)
		if c.command(draw, fmt.Sprintf("read of letter %d", l.number), nil, "read", id, "--as", party, "--out", out, "--data", c.house.Data) {
			c.book.fetched(l, party)
			c.compare(l, out)
		}
	}
	for _, a := range l.acts[party] {
		args := []string{"ack", id, "--as", party, "--event", a.Event, "--actor", a.Actor.Name, "--data", c.house.Data}
		for flag, v := range map[string]string{"--function": a.Actor.Function, "--number": a.Number, "--date": a.DoneAt, "--reason-code": a.ReasonCode, "--reason": a.Reason} {
			if v != "" {
				args = append(args, flag, v)
			}
		}
		for range 2 {
			var e evidence
			if c.command(draw, fmt.Sprintf("ack %s of letter %d", a.Event, l.number), &e, args...) {
				c.book.acted(l, party, a.Event, e)
			}
			if !odds(draw, 5) {
				break
			}
		}
	}
}

// compare holds what read wrote against what was sent.
func (c *crowd) compare(l letter, out string) {
	files, err := filepath.Glob(filepath.Join(out, "piece-*"))
	if err != nil || len(files) != len(l.pieces) {
		c.book.fault(differs, "read of letter %d: %d pieces, want %d", l.number, len(files), len(l.pieces))
		return
	}
	slices.Sort(files)
	for i, name := range append(files, filepath.Join(out, broker.PartDocument)) {
		want := l.document
		if i < len(l.pieces) {
			want = l.pieces[i]
		}
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			c.book.fault(differs, "read of letter %d: file %d is not what was sent", l.number, i+1)
		}
	}
}

// Exit codes of the commands (DESIGN section 11).
const (
	exitFailure   = 1
	exitTemporary = 4
)

// command repeats a command until it says that it is done, and reads its
// answer.
func (c *crowd) command(draw *rand.Rand, what string, into any, args ...string) bool {
	for deadline := time.Now().Add(c.patience); time.Now().Before(deadline); {
		if !odds(draw, 5) {
			c.life() // else it may open the directory itself, which takes a second
		}
		before := c.now()
		ctx, cancel := context.Background(), context.CancelFunc(func() {})
		if odds(draw, 8) {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(draw.IntN(80))*time.Millisecond)
		}
		c.commands.Add(1)
		cmd := c.house.Command(ctx, append(args, "--json")...)
		var out, talk bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &talk
		err := cmd.Run()
		killed := ctx.Err() != nil
		cancel()
		exit := -1
		if cmd.ProcessState != nil {
			exit = cmd.ProcessState.ExitCode()
		}
		switch {
		case err == nil:
			if into == nil {
				return true
			}
			if err := json.Unmarshal(out.Bytes(), into); err != nil {
				c.book.fault(broken, "%s: the answer is no JSON: %v", what, err)
				return false
			}
			return true
		case killed && into != nil && json.Unmarshal(out.Bytes(), into) == nil:
			c.killedCommands.Add(1) // after its answer, which nobody asks for again
			return true
		case killed:
			c.killedCommands.Add(1)
			c.forgetFolder(args)
		case exit == exitTemporary, exit == exitFailure && c.diedSince(before):
			c.lost.Add(1)
			deadline = time.Now().Add(c.patience)
			c.forgetFolder(args)
			time.Sleep(5 * time.Millisecond)
		default:
			c.book.fault(broken, "%s ends with %d: %s", what, exit, strings.TrimSpace(talk.String()))
			return false
		}
	}
	c.book.fault(silent, "%s never ends well", what)
	return false
}

// forgetFolder erases what a reading that was cut off has written: read never
// replaces a file.
func (c *crowd) forgetFolder(args []string) {
	if i := slices.Index(args, "--out"); i > 0 {
		if err := os.RemoveAll(args[i+1]); err != nil {
			c.book.fault(broken, "the folder of a reading: %v", err)
		}
	}
}

// diedSince says whether the process that lived then is gone: the failure of a
// command is then that of its broker.
func (c *crowd) diedSince(then *served.Process) bool {
	if then == nil {
		return c.now() != nil // one came meanwhile, and took the directory
	}
	select {
	case <-then.Gone:
		return true
	case <-time.After(50 * time.Millisecond): // its death is known a little later
		return c.now() != then
	}
}

// now is the process that lives, or nil.
func (c *crowd) now() *served.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.alive
}
