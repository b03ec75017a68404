package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// journalFlags are common to the commands of the journal.
type journalFlags struct {
	data  string
	heads []string
}

func newJournalCommand(t *terminal) *cobra.Command {
	return group("journal", "Verify, list, prove and copy the journal; take a dead letter up again",
		newJournalVerifyCommand(t), newJournalListCommand(t), newJournalProofCommand(t), newJournalBackupCommand(t),
		newJournalRequeueCommand(t), newJournalRenewSecretCommand(t),
		newJournalHeadsCommand(t), newJournalResendCommand(t), newJournalSettledCommand(t), newJournalCompactCommand(t))
}

// bind adds --data and --head. A head makes any of these commands verify the
// whole journal first: a list or a proof from a rewritten journal is worth
// nothing.
func (f *journalFlags) bind(c *cobra.Command) {
	dataFlag(c, &f.data)
	c.Flags().StringArrayVar(&f.heads, "head", nil, "checkpoint kept elsewhere (the checkpoint.txt of an export), which the journal must extend; may be repeated")
}

// maxHead is far above the three lines of a checkpoint and its signature.
const maxHead = 64 << 10

// readHeads reads checkpoints, each with the signature beside it if there is
// one.
func (f *journalFlags) readHeads() ([]boltstore.SignedHead, error) {
	var out []boltstore.SignedHead
	for _, path := range f.heads {
		text, err := readSmall(path)
		if err != nil {
			return nil, fmt.Errorf("--head: %w", err)
		}
		sig, err := readSmall(path + ".asc")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("--head: %w", err)
		}
		// One checkpoint, or several with an empty line between them.
		for _, one := range bytes.SplitAfter(text, []byte("\n\n")) {
			one = bytes.TrimSuffix(one, []byte("\n\n"))
			if len(one) > 0 && one[len(one)-1] != '\n' {
				one = append(bytes.Clone(one), '\n')
			}
			if _, err := journal.ParseCheckpoint(one); err != nil {
				return nil, &hinted{fmt.Errorf("--head %s: %w", path, err), "give a checkpoint.txt as an export holds it, or what journal heads printed"}
			}
			out = append(out, boltstore.SignedHead{Text: one, Sig: sig})
		}
	}
	return out, nil
}

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHead+1))
	if err == nil && len(b) > maxHead {
		err = fmt.Errorf("%s: too large", path)
	}
	return b, err
}

// verify verifies the journal of a data directory, or a copy of its file
// alone. Signatures are checked by the certificates of the configuration; a
// copy without one is verified without them, and that is said.
func (f *journalFlags) verify(ctx context.Context, t *terminal) (boltstore.Report, error) {
	heads, err := f.readHeads()
	if err != nil {
		return boltstore.Report{}, err
	}
	if b := running(ctx, f.data); b != nil {
		t.say("A broker is running: a copy of its journal as of now is verified.")
		var r boltstore.Report
		err := b.call(ctx, http.MethodPost, "/admin/v1/journal/verify", serving.Verifying{Heads: heads}, &r)
		return r, err
	}
	var check boltstore.Check
	switch d, err := wiring.Load(f.data, nil); {
	case err == nil:
		check = serving.CheckBy(d.Keys)
	case errors.Is(err, fs.ErrNotExist):
		t.say("No configuration beside this journal: the signatures of checkpoints are not checked.")
	default:
		return boltstore.Report{}, err
	}
	r, err := boltstore.Verify(ctx, f.data, check, heads...)
	if err == nil {
		err = wiring.CheckBackup(ctx, f.data)
	}
	return r, err
}

// guard verifies first when a head was given.
func (f *journalFlags) guard(ctx context.Context, t *terminal) error {
	if len(f.heads) == 0 {
		return nil
	}
	_, err := f.verify(ctx, t)
	return err
}
