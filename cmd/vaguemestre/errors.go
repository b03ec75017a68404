package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/export"
	"vaguemestre/broker/journal"
	"vaguemestre/broker/journal/boltstore"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
)

// Exit codes (DESIGN section 11).
const (
	exitOK         = 0
	exitFailure    = 1
	exitUsage      = 2
	exitUnverified = 3
	exitTemporary  = 4
)

// usageError says that the command was called wrongly.
type usageError struct{ text, hint string }

func (e *usageError) Error() string { return e.text }

// Hint says how to call it.
func (e *usageError) Hint() string { return e.hint }

// hinted adds to an error what to do next.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint says what to do next.
func (e *hinted) Hint() string { return e.hint }

// fail prints an error and its hint, and returns the exit code.
func (t *terminal) fail(err error) int {
	text := oneLine(err.Error())
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
	}
	t.say("vaguemestre: error: %s", text)
	if h := hintOf(err); h != "" {
		t.say("vaguemestre: hint: %s", oneLine(h))
	}
	return codeOf(err)
}

// oneLine keeps joined errors readable by what reads the terminal line by
// line.
func oneLine(s string) string { return strings.ReplaceAll(s, "\n", "; ") }

func codeOf(err error) int {
	var (
		usage  *usageError
		fault  *export.FaultError
		record *boltstore.BadRecordError
		head   *boltstore.HeadError
	)
	if p := (*serving.Problem)(nil); errors.As(err, &p) {
		return exitOfProblem(p)
	}
	switch {
	case errors.As(err, &usage), isCompletionUsage(err):
		return exitUsage
	case errors.As(err, &fault), errors.As(err, &record), errors.As(err, &head), errors.Is(err, serving.ErrCheckpoint), errors.Is(err, wiring.ErrBackup):
		return exitUnverified
	case errors.Is(err, broker.ErrTemporary), errors.Is(err, journal.ErrInUse), errors.Is(err, journal.ErrNoSpace), errors.Is(err, journal.ErrFailed), errors.Is(err, journal.ErrBusy), errors.Is(err, serving.ErrAnswered):
		return exitTemporary
	}
	return exitFailure
}

// exitOfProblem is the exit code of what a broker answered.
func exitOfProblem(p *serving.Problem) int {
	switch {
	case p.Exit != 0:
		return p.Exit
	case p.Status == http.StatusServiceUnavailable, p.Status == http.StatusTooManyRequests:
		return exitTemporary
	}
	return exitFailure
}

// isCompletionUsage: the command that cobra adds has no error type.
func isCompletionUsage(err error) bool { return strings.HasPrefix(err.Error(), "unknown command ") }

// hints are those of sentinel errors, the first that fits; errors that carry
// their own come before.
func hints() []struct {
	err  error
	hint string
} {
	return []struct {
		err  error
		hint string
	}{
		{journal.ErrInUse, "another process has this data directory open: wait for it, stop it, or work on a copy"},
		{journal.ErrNoJournal, "give the data directory of a broker, the one that holds journal.db"},
		{journal.ErrFormat, "this program is older than the journal, or journal.db is not one"},
		{journal.ErrNoSpace, "free some space on the disk of the data directory, then repeat"},
		{journal.ErrBusy, "a compaction goes on, or the broker is too busy for one: call again later"},
		{journal.ErrDamaged, "stop the broker, copy the whole directory as it is, and verify the copy: vaguemestre journal verify --data COPY"},
		{journal.ErrGone, "no dead letter has that number: vaguemestre journal list --letters --data DIR"},
		{journal.ErrFailed, "the disk refused a write: look at it, then start again; what was accepted is kept"},
		{keyring.ErrPassphrase, "give the passphrase of this data directory, in VAGUEMESTRE_PASSPHRASE or at the prompt"},
		{keyring.ErrExposed, "take the rights of others away: chmod -R go= DATA/keys"},
		{wiring.ErrNoSecret, "put DATA/secret back from a backup of this directory; only if no copy is left, see vaguemestre journal renew-secret --help"},
		{wiring.ErrSecret, "move DATA/secret away, and put back the one of this very directory from a backup"},
		{wiring.ErrSecretExposed, "take the rights of others away: chmod go= DATA/secret"},
		{wiring.ErrSecretHeld, "nothing to do: this is only for a secret that is lost"},
		{wiring.ErrBackup, "do not restore this copy: take another one"},
		{wiring.ErrFingerprint, "the file was exchanged, or the configuration has a slip: compare it with the printed sheet"},
		{wiring.ErrOwner, "add the party or broker to vaguemestre.toml first; vaguemestre keys list --data DIR shows them"},
		{wiring.ErrOwnKey, "import it at the other brokers: this one makes its own keys"},
		{wiring.ErrTaken, "compare it with the printed sheets: one of the two is wrong"},
		{wiring.ErrOther, "do not use this file; ask its owner again, by another way"},
		{wiring.ErrNotEmpty, "choose a folder that does not exist"},
		{export.ErrExists, "choose a folder that does not exist"},
		{serving.ErrExists, "choose a folder that does not exist"},
		{serving.ErrAnswered, "a broker serves this directory already: stop it first"},
		{serving.ErrNotSocket, "move DATA/admin.sock away: the broker makes a socket of that name"},
		{serving.ErrLongPath, "choose a data directory with a shorter path"},
		{wiring.ErrOccupied, "choose a folder that does not exist, or is empty: a new broker is made over nothing"},
		{wiring.ErrMade, "it is made: vaguemestre serve --config DATA/vaguemestre.toml"},
		{wiring.ErrHasKey, "nothing to do; vaguemestre keys list --data DIR shows them"},
		{wiring.ErrElsewhere, "its keys are made by the broker that is its home; import its certificate here"},
		{config.ErrOwner, "add the party or broker to vaguemestre.toml first"},
		{directory.ErrInvalid, "vaguemestre config check --config FILE names each fault with its line; a party without a certificate: vaguemestre keys generate --owner ID --data DIR"},
		{export.ErrNoBody, "ask the other side for its export"},
		{export.ErrParty, "give a party of this pli that lives at this broker"},
		{export.ErrAnchor, "copy the lines that keys sheet prints: PARTY@HOME=FINGERPRINT and BROKER=FINGERPRINT"},
		{broker.ErrAlready, "nothing to do: it was done before"},
		{broker.ErrNotFound, "this journal holds no such pli: vaguemestre journal list --data DIR"},
		{config.ErrInvalid, "correct vaguemestre.toml in the data directory"},
		{fs.ErrPermission, "run it as the owner of these files"},
	}
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	var r *broker.Refusal
	if errors.As(err, &r) && r.Hint != "" {
		return r.Hint
	}
	if isCompletionUsage(err) {
		return "see vaguemestre completion --help"
	}
	for _, row := range hints() {
		if errors.Is(err, row.err) {
			return row.hint
		}
	}
	return ""
}

// noData says what is missing when a data directory is not one.
func noData(dir string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &hinted{
		error: fmt.Errorf("%s is not a complete data directory: %w", dir, err),
		hint:  "give the directory that holds vaguemestre.toml and journal.db; vaguemestre demo --once --data DIR makes two to try",
	}
}
