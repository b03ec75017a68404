package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
)

func newReadCommand(t *terminal) *cobra.Command {
	var a acting
	var out string
	c := &cobra.Command{
		Use:   "read ID --as PARTY --data DIR [--out DIR]",
		Short: "Print the document of a message, or write all that it holds",
		Long: "Print the document in readable French; with --json, the document itself. With\n" +
			"--out, write the document in both forms and every piece into a folder, in clear,\n" +
			"under names of ours: a file that is there already is never replaced.\n" +
			"\n" +
			"The first reading by a recipient is recorded as \"fetched\": the program took the\n" +
			"document. That a person read it is said with ack --event opened.",
		Example: "  vaguemestre read 01981c0e-… --as parquet-lille --data ./data --out ./pli",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("out") && out == "" {
				return &usageError{text: "--out is empty", hint: "name a folder; without --out the document is printed"}
			}
			return t.askAs(c.Context(), a, func(m *mailbox) error {
				if err := t.warnWithheld(c.Context(), m, args[0]); err != nil {
					return err
				}
				if out == "" {
					return t.printDocument(c.Context(), m, args[0])
				}
				return t.writeParts(c.Context(), m, args[0], out)
			})
		},
	}
	a.bind(c)
	c.Flags().StringVar(&out, "out", "", "folder to write the document and the pieces in, in clear")
	_ = c.MarkFlagDirname("out") // completion only
	return c
}

func messagePath(id string, rest ...string) string {
	return "/v1/messages/" + strings.Join(append([]string{url.PathEscape(id)}, rest...), "/")
}

// warnWithheld says that a person must telephone, before anything is shown.
func (t *terminal) warnWithheld(ctx context.Context, m *mailbox, id string) error {
	var v listed
	if err := m.call(ctx, http.MethodGet, messagePath(id), nil, &v); err != nil {
		return err
	}
	if v.withheldFor(m.party) {
		t.say("vaguemestre: warning: this message is withheld: telephone its sender before any step")
	}
	return nil
}

// withheldFor says whether a recipient must telephone first.
func (l *listed) withheldFor(p broker.PartyID) bool {
	return slices.ContainsFunc(l.States, func(s statedState) bool {
		return s.Recipient == string(p) && slices.Contains(s.Flags, string(broker.Quarantined))
	})
}

// document asks for one form of the document.
func (m *mailbox) document(ctx context.Context, id, form string) (*http.Response, error) {
	c := &client{http: &http.Client{Transport: accepting{m.http.Transport, form}}, data: m.data, live: m.live}
	return c.do(ctx, http.MethodGet, messagePath(id, "document"), nil)
}

// accepting asks for one media type.
type accepting struct {
	next http.RoundTripper
	form string
}

// RoundTrip implements http.RoundTripper.
func (a accepting) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", a.form)
	return a.next.RoundTrip(r)
}

func (t *terminal) printDocument(ctx context.Context, m *mailbox, id string) error {
	form := "text/plain"
	if t.json {
		form = "application/json"
	}
	r, err := m.document(ctx, id, form)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if _, err := io.Copy(t.out, r.Body); err != nil {
		return fmt.Errorf("printing the document: %w", err)
	}
	if t.json {
		t.print("")
	}
	return nil
}

// summarized is what a message holds beside its document.
type summarized struct {
	Kind           string `json:"kind"`
	Thread         string `json:"thread"`
	DocumentSHA256 string `json:"document_sha256"`
	Pieces         []struct {
		Name   string `json:"name"`
		Size   int64  `json:"size"`
		SHA256 string `json:"sha256"`
	} `json:"pieces"`
}

// partWritten is one line of `read --out --json`.
type partWritten struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// partForm is the form of the names that we give (DESIGN section 4).
var partForm = regexp.MustCompile(`^piece-[0-9]{2,4}(\.[a-z0-9]{1,8})?$`)

// writeParts asks once for all that the message holds: its body is opened
// once, and nothing lies in clear anywhere but in the folder.
func (t *terminal) writeParts(ctx context.Context, m *mailbox, id, out string) error {
	r, err := m.do(ctx, http.MethodGet, "/admin"+messagePath(id, "parts"), nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		return errNotParts
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	s, wanted, err := summaryPart(parts)
	if err != nil {
		return err
	}
	if err := vacant(out, wanted); err != nil {
		return err
	}
	var written []partWritten
	for _, want := range wanted {
		p, err := nextPart(parts, want.name)
		if err != nil {
			return fmt.Errorf("%s: %w", want.name, err)
		}
		w, err := writePart(filepath.Join(out, want.name), p, want.sha256)
		if err != nil {
			return fmt.Errorf("%s: %w", want.name, err)
		}
		written = append(written, *w)
	}
	if _, err := parts.NextRawPart(); err != io.EOF {
		return errCut
	}
	if t.json {
		return t.answer(map[string]any{"id": id, "kind": s.Kind, "thread": s.Thread, "files": written})
	}
	for _, w := range written {
		t.print("%s  %s", w.SHA256, w.Name)
	}
	t.say("Written in clear in %s: erase it when it has served.", shellWord(out))
	return nil
}

var errNotParts = errors.New("answer of the broker: not the parts of a message")

// wantedPart is a part that must come, under a name that was looked at.
type wantedPart struct {
	name   string
	sha256 string // "" where the summary does not say
}

// summaryPart reads what comes first: what the message is, and which parts
// follow.
func summaryPart(parts *multipart.Reader) (s summarized, wanted []wantedPart, err error) {
	p, err := nextPart(parts, httpapi.PartSummary)
	if err != nil {
		return s, nil, err
	}
	if err := json.NewDecoder(p).Decode(&s); err != nil {
		return s, nil, errCut
	}
	wanted = []wantedPart{{broker.PartText, ""}, {broker.PartDocument, s.DocumentSHA256}}
	for _, p := range s.Pieces {
		if !partForm.MatchString(p.Name) {
			return s, nil, errors.New("answer of the broker: not a name of a piece")
		}
		wanted = append(wanted, wantedPart{p.Name, p.SHA256})
	}
	return s, wanted, nil
}

// nextPart moves to the part of that name, which is next.
func nextPart(parts *multipart.Reader, name string) (*multipart.Part, error) {
	p, err := parts.NextRawPart()
	if err != nil {
		return nil, errCut
	}
	if p.FileName() != name {
		return nil, errNotParts
	}
	return p, nil
}

// errStands says that a file is in the place of a part.
var errStands = errors.New("a file of that name is there already, and is never replaced")

// vacant makes the folder, and looks at every name before one is written.
func vacant(out string, parts []wantedPart) error {
	if err := os.MkdirAll(out, 0o700); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, p := range parts {
		if _, err := os.Lstat(filepath.Join(out, p.name)); !errors.Is(err, fs.ErrNotExist) {
			return &hinted{fmt.Errorf("--out: %s: %w", p.name, errors.Join(errStands, err)), "choose a folder that does not exist"}
		}
	}
	return nil
}

// writePart writes one part whole or not at all.
func writePart(path string, r io.Reader, digest string) (_ *partWritten, err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("writing: %w", nameless(err))
	}
	defer func() {
		if err != nil {
			os.Remove(path) // half of it would pass for it
		}
	}()
	h := sha256.New()
	source := &partReader{r: r}
	n, err := io.Copy(io.MultiWriter(f, h), source)
	if source.err != nil {
		err = errCut
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("writing: %w", nameless(err))
	}
	w := &partWritten{Name: filepath.Base(path), Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}
	if digest != "" && w.SHA256 != digest {
		return nil, errCut
	}
	return w, nil
}

// partReader tells what the connection failed with from what the disk did.
type partReader struct {
	r   io.Reader
	err error
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		p.err = err
	}
	return n, err
}

var errCut error = &passingError{text: "it was cut on its way"}
