package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vaguemestre/adapters/httpapi"
	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/serving"
)

type sendFlags struct {
	acting
	kind, urgency, thread, replyTo, actor, function string
	to, cc, attach                                  []string
}

func newSendCommand(t *terminal) *cobra.Command {
	var f sendFlags
	c := &cobra.Command{
		Use:   "send --as PARTY --kind KIND --to PARTY --actor NAME [--attach FILE]… DOC.json --data DIR",
		Short: "Deposit a document and its pieces for another party",
		Long: "Deposit a document, with one --attach for each entry of its pieces, in the same order.\n" +
			"When the receipt is printed the broker has it on disk, and answers for it.\n" +
			"\n" +
			"If no answer comes, give the same command again, however much later: the key of a\n" +
			"submission is kept in DATA/sending until its receipt came, so that it is deposited\n" +
			"once. After the receipt the same command deposits a second message.\n" +
			"\n" +
			"A réserve is no refusal: both sides see it, and a complement is asked.",
		Example: "  vaguemestre send --as ase-59 --kind signalement --to parquet-lille --urgency U0 \\\n" +
			"    --actor 'MODÈLE Alix' --attach rapport.pdf --data ./data signalement.json",
		Args: usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error { return t.send(c.Context(), f, args[0]) },
	}
	f.bind(c)
	v := c.Flags()
	v.StringVar(&f.kind, "kind", "", "kind of the document: vaguemestre schema lists them (required)")
	v.StringArrayVar(&f.to, "to", nil, "recipient that must act; may be given again (required)")
	v.StringArrayVar(&f.cc, "cc", nil, "recipient of a copy; may be given again")
	v.StringVar(&f.urgency, "urgency", "", "U0, U1 or U2; that of the kind when it is left out")
	v.StringVar(&f.thread, "thread", "", "thread of the situation; a new one when it is left out")
	v.StringVar(&f.replyTo, "reply-to", "", "id of the message that this one answers")
	v.StringVar(&f.actor, "actor", "", "person who sends: family name and first name (required)")
	v.StringVar(&f.function, "function", "", "function of that person")
	v.StringArrayVar(&f.attach, "attach", nil, "file of the next piece; may be given again")
	for _, name := range []string{"kind", "to", "actor"} {
		required(c, name)
	}
	_ = c.MarkFlagFilename("attach") // completion only
	return c
}

// receipt is the answer to a submission, as the API gives it.
type receipt struct {
	ID           string         `json:"id"`
	Thread       string         `json:"thread,omitempty"`
	HeaderSHA256 string         `json:"header_sha256"`
	Deposit      []byte         `json:"deposit"`
	DepositSig   string         `json:"deposit_sig"`
	Reserves     []reserveShown `json:"reserves"`
	Repeated     bool           `json:"repeated"`
}

type reserveShown struct {
	Path    string `json:"path"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (t *terminal) send(ctx context.Context, f sendFlags, path string) error {
	s, err := newOutgoing(f, path)
	if err != nil {
		return err
	}
	defer s.close()
	return t.askAs(ctx, f.acting, func(m *mailbox) error {
		key, err := keepKey(f.data, s.fields())
		if err != nil {
			return err
		}
		r, err := m.submit(ctx, s, key.value, t.progress(s.size()))
		if err != nil {
			return errors.Join(unsent(err, key), key.settle(err))
		}
		err = t.printReceipt(m, r)
		if err == nil {
			err = t.printed()
		}
		if err != nil {
			return err // the key stays: the same command prints the receipt again
		}
		return key.forget()
	})
}

// unsent says of a submission whose receipt did not come what to do.
func unsent(err error, k *sendKey) error {
	if p := (*serving.Problem)(nil); errors.As(err, &p) {
		if p.Code == httpapi.CodeConflict {
			return &hinted{errors.New("this very submission was begun before, and the broker does not recognise it: it may have been deposited"),
				"vaguemestre inbox --sent shows what was; only if it is not there, remove " + shellWord(k.path) + " and send again"}
		}
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, errChanged) {
		return err
	}
	return &hinted{&passingError{"no receipt came", err},
		"it may have been deposited or not: give the same command again, it is deposited once"}
}

// submit sends the message and its pieces.
func (m *mailbox) submit(ctx context.Context, s *outgoing, key string, seen io.Writer) (*receipt, error) {
	body, size, ctype := s.body(seen)
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://vaguemestre/v1/messages", body)
	if err != nil {
		return nil, fmt.Errorf("sending: %w", err)
	}
	q.ContentLength = size
	q.Header.Set("Content-Type", ctype)
	q.Header.Set(httpapi.HeaderKey, key)
	resp, err := m.http.Do(q)
	if err != nil {
		if changed := s.changed(); changed != nil {
			return nil, changed
		}
		return nil, errors.Join(errors.Unwrap(err), ctx.Err())
	}
	if resp.StatusCode/100 != 2 {
		err := serving.ProblemOf(resp)
		if changed := s.changed(); changed != nil {
			return nil, changed
		}
		return nil, err
	}
	defer resp.Body.Close()
	var r receipt
	if err := json.NewDecoder(resp.Body).Decode(&r); err != nil {
		return nil, fmt.Errorf("the receipt was cut: %w", err)
	}
	return &r, nil
}

func (t *terminal) printReceipt(m *mailbox, r *receipt) error {
	if t.json {
		return t.answer(r)
	}
	deposit, err := broker.ParseEvidence(r.Deposit)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	t.notice(deposit.Notice)
	if r.Repeated {
		t.print("Pli déjà déposé : voici le reçu d'alors.")
	} else {
		t.print("Pli déposé.")
	}
	t.print("Identifiant : %s", r.ID)
	if r.Thread != "" {
		t.print("Fil : %s", r.Thread)
	}
	t.print("Déposé le : %s", m.hour(deposit.At))
	t.print("Empreinte de l'en-tête : %s", r.HeaderSHA256)
	if len(r.Reserves) > 0 {
		t.print("Réserves, à compléter (%d) :", len(r.Reserves))
		for _, f := range r.Reserves {
			t.print("  %s : %s", typed(f.Path), oneLine(f.Message))
		}
	}
	return nil
}

// least is the size of a submission from which its progress is shown, in bytes.
const least = 4 << 20

// progress shows how much has left, to somebody who watches; otherwise nothing.
func (t *terminal) progress(size int64) io.Writer {
	f, ok := t.talk.(*os.File)
	if !ok || size < least || !term.IsTerminal(int(f.Fd())) {
		return io.Discard
	}
	return &gauge{to: t.talk, size: size, shown: -1}
}

// gauge rewrites one line of a terminal.
type gauge struct {
	to         io.Writer
	size, done int64
	shown      int64 // percent
}

func (g *gauge) Write(b []byte) (int, error) {
	g.done += int64(len(b))
	if now := g.done * 100 / g.size; now > g.shown {
		g.shown = now
		fmt.Fprintf(g.to, "\r%3d %% of %d MB", now, g.size/1_000_000)
		if now == 100 {
			fmt.Fprintln(g.to, ", waiting for the receipt")
		}
	}
	return len(b), nil
}
