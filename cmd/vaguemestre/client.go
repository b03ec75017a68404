package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// client is how a command asks the broker of a data directory. Over
// DATA/admin.sock when a broker runs there; otherwise the same handlers are
// called in this process, on a directory that is opened for the command: what a
// command does is the same in both cases.
type client struct {
	http *http.Client
	data string // the data directory
	live bool   // a broker runs
}

// running finds the broker that runs on a data directory; nil when none
// answers.
func running(ctx context.Context, dir string) *client {
	c, err := serving.DialSocket(ctx, dir)
	if err != nil {
		return nil
	}
	c.Close()
	t := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return serving.DialSocket(ctx, dir) },
		DisableKeepAlives: true,
	}
	return &client{http: &http.Client{Transport: t}, data: dir, live: true}
}

// ask calls f with the client of a data directory. Where no broker runs, its
// keys are unlocked and it is opened; nothing is delivered meanwhile: what f
// makes waits in the queue.
func (t *terminal) ask(ctx context.Context, dir string, f func(*client) error) error {
	if c := running(ctx, dir); c != nil {
		return f(c)
	}
	return t.withNode(ctx, dir, func(d *wiring.Data, n *wiring.Node) error {
		api := newAPI(d, n, slog.New(slog.DiscardHandler))
		op := &serving.Operator{Data: d, Node: n, Journal: n.Journal, Explain: explain}
		return f(&client{http: &http.Client{Transport: serving.InProcess(op.Handler(api.Local()))}, data: dir})
	})
}

// askJournal is ask for what only reads the journal: where no broker runs it is
// opened read only, without any key.
func (t *terminal) askJournal(ctx context.Context, dir string, f func(*client) error) error {
	if c := running(ctx, dir); c != nil {
		return f(c)
	}
	s, err := boltstore.OpenReadOnly(dir)
	if err != nil {
		return err
	}
	j, err := journal.New(s, journal.Options{})
	if err != nil {
		return errors.Join(err, s.Close())
	}
	op := &serving.Operator{Journal: j, Explain: explain}
	err = f(&client{http: &http.Client{Transport: serving.InProcess(op.Handler(http.NotFoundHandler()))}, data: dir})
	return errors.Join(err, j.Close(context.WithoutCancel(ctx)))
}

// do sends one call. The answer is one of the 2xx, and its body is to be closed.
func (c *client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("asking the broker: %w", err)
		}
		r = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://vaguemestre"+path, r)
	if err != nil {
		return nil, fmt.Errorf("asking the broker: %w", err)
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(q)
	if err != nil {
		return nil, fmt.Errorf("asking the broker: %w", errors.Join(errors.Unwrap(err), ctx.Err()))
	}
	if resp.StatusCode/100 != 2 {
		return nil, serving.ProblemOf(resp)
	}
	return resp, nil
}

// call sends one call and reads its answer.
func (c *client) call(ctx context.Context, method, path string, body, into any) error {
	resp, err := c.do(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("answer of the broker: %w", err)
	}
	return nil
}

// folder sends one call whose answer is a folder, written at out.
func (c *client) folder(ctx context.Context, path string, body any, out string, result any) error {
	resp, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	return serving.ReceiveFolder(resp, out, result)
}

// each reads a list, line by line.
func each[T any](ctx context.Context, c *client, path string, f func(T) error) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "application/x-ndjson" {
		return errors.New("answer of the broker: not a list")
	}
	for d := json.NewDecoder(resp.Body); ; {
		var row T
		if err := d.Decode(&row); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("answer of the broker: the list was cut: %w", err)
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// explain is how an error goes to a command over the socket.
func explain(err error) *serving.Problem {
	var p *serving.Problem
	if errors.As(err, &p) {
		return p
	}
	code := codeOf(err)
	status := http.StatusUnprocessableEntity
	if code == exitTemporary {
		status = http.StatusServiceUnavailable
	}
	return &serving.Problem{Status: status, Detail: oneLine(err.Error()), Advice: hintOf(err), Exit: code}
}
