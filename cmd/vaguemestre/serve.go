package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
)

func newServeCommand(t *terminal) *cobra.Command {
	var file string
	var heads []string
	c := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the broker of a data directory",
		Long: "Run a broker, until it is told to stop: the API for applications, DATA/admin.sock for\n" +
			"the commands, health and metrics for this machine. The data directory is the folder\n" +
			"of the configuration file.\n" +
			"\n" +
			"The first signal (Ctrl+C, or systemctl stop) drains: nothing new is taken, what goes\n" +
			"on comes to its end. A second one stops at once; nothing that was answered is lost\n" +
			"by that.\n" +
			"\n" +
			"After a backup was restored, give what the other brokers saw of its journal with\n" +
			"--head: an end that is missing is an alarm that names it, and a journal that differs\n" +
			"is not served.",
		Example: "  vaguemestre serve --config /var/lib/vaguemestre/vaguemestre.toml",
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return t.serve(c.Context(), file, heads) },
	}
	c.Flags().StringVar(&file, "config", "", "configuration file, in its data directory (required)")
	c.Flags().StringArrayVar(&heads, "head", nil, "checkpoints that others kept (journal heads), compared before anything is served; may be repeated")
	required(c, "config")
	_ = c.MarkFlagFilename("config", "toml") // completion only
	return c
}

func (t *terminal) serve(ctx context.Context, file string, heads []string) error {
	d, err := t.served(ctx, file)
	if err != nil {
		return err
	}
	missing, err := (&journalFlags{data: d.Dir, heads: heads}).compared(ctx, t)
	if err != nil {
		return err
	}
	log := t.logger(d.Config.Log.Format)
	// What unlocking keys takes (Argon2) is hundreds of megabytes, and never again.
	debug.FreeOSMemory()
	n, err := d.Serve(ctx, wiring.Parts{Log: log})
	if err != nil {
		return noData(d.Dir, err)
	}
	if missing != nil {
		err := n.Broker.Missing(ctx, broker.MissingRange{Origin: missing.Head.Origin, From: missing.From, To: missing.Head.Size})
		if err != nil {
			return t.closed(err, n.Close(context.WithoutCancel(ctx)))
		}
	}
	api := newAPI(d, n, log)
	err = serving.Run(ctx, serving.Options{
		Data: d, Node: n, Public: api.Public(), Local: api.Local(), Drain: api.Drain, Explain: explain, Log: log, Version: build().Version,
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		err = &hinted{err, "another program listens there: stop it, or change that address in vaguemestre.toml"}
	}
	return t.closed(err, n.Close(context.WithoutCancel(ctx)))
}

// served reads and judges the data directory before it asks for a passphrase.
func (t *terminal) served(ctx context.Context, file string) (*wiring.Data, error) {
	if filepath.Base(file) != config.FileName {
		return nil, &usageError{text: "--config: want a file named " + config.FileName, hint: "its folder is the data directory: give DATA/" + config.FileName}
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, config.FileName)); errors.Is(err, fs.ErrNotExist) {
		return nil, &hinted{fmt.Errorf("there is no configuration: %w", err), "vaguemestre init makes a broker; give its DATA/" + config.FileName}
	}
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o022 != 0 {
		// They could put a socket of theirs in the place of admin.sock.
		return nil, &hinted{errors.New("others than its owner may write in the data directory"), "chmod go-w " + shellWord(dir)}
	}
	d, err := wiring.Load(dir, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hinted{err, "put that file back, or correct its path in vaguemestre.toml: vaguemestre config check --config FILE"}
	}
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "journal.db")); err != nil {
		// A new one would begin to forget what was accepted.
		return nil, &hinted{fmt.Errorf("this data directory has no journal, and none is guessed: %w", err),
			"put journal.db and bodies/ back from a backup; for a new broker, call vaguemestre init on an empty folder"}
	}
	if err := d.Reachable(); err != nil {
		return nil, err
	}
	if running(ctx, dir) != nil {
		return nil, serving.ErrAnswered
	}
	passphrase, err := keyring.Passphrase(t.file(), t.talk)
	if err != nil {
		return nil, err
	}
	return wiring.Load(dir, passphrase)
}

// logger speaks on standard error, in JSON unless somebody reads it there.
func (t *terminal) logger(format string) *slog.Logger {
	f, ok := t.talk.(*os.File)
	if format == config.LogText || format == config.LogAuto && ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(t.talk, nil))
	}
	return slog.New(slog.NewJSONHandler(t.talk, nil))
}
