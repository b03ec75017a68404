package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/cmd/vaguemestre/demo"
)

//go:embed papers/*.json papers/pdf/*.pdf
var samplePapers embed.FS

// demoPassphrase locks the keys of a demonstration that is kept, when no
// other is given. It protects nothing, and is said.
const demoPassphrase = "demonstration"

// Pauses of a demonstration that somebody watches: time to open the page, then
// to read each line.
const (
	watchFirst = 2 * time.Second
	watchPace  = 250 * time.Millisecond
)

type demoFlags struct {
	once bool
	data string
}

func newDemoCommand(t *terminal) *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play one exchange between two brokers, with sample papers, and prove it",
		Long: "Play one exchange between two brokers in this process, on real keys, real\n" +
			"journals and the real clock, then verify every signature, export and journal.\n" +
			"Persons and papers are fictitious. Exits with 1 if any step is missing.",
		Example: "  vaguemestre demo --once\n  vaguemestre demo\n  vaguemestre demo --once --data ./essai",
		Args:    usageArgs(cobra.NoArgs),
		RunE:    func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), t, f) },
	}
	c.Flags().BoolVar(&f.once, "once", false, "print the timeline and exit, instead of serving a follow-up page")
	c.Flags().StringVar(&f.data, "data", "", "keep the data directories in this folder, which must be empty")
	_ = c.MarkFlagDirname("data") // completion only
	return c
}

func runDemo(ctx context.Context, t *terminal, f demoFlags) (err error) {
	o := demo.Options{}
	if o.Papers, err = fs.Sub(samplePapers, "papers"); err != nil {
		return fmt.Errorf("sample papers: %w", err)
	}
	if f.data == "" {
		if o.Root, err = os.MkdirTemp("", "vaguemestre-demo-"); err != nil {
			return fmt.Errorf("temporary folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Root)) }()
	} else {
		if o.Root, err = emptyFolder(f.data); err != nil {
			return err
		}
		o.Passphrase = []byte(demoPassphrase)
		if p, ok := os.LookupEnv("VAGUEMESTRE_PASSPHRASE"); ok && p != "" {
			o.Passphrase = []byte(p)
		} else {
			t.say("The keys are locked with the word %q, which protects nothing.", demoPassphrase)
		}
	}
	if !f.once {
		o.Pace = watchPace
	}
	d, err := demo.New(ctx, o)
	if err != nil {
		return err
	}
	if f.once {
		return t.playDemo(ctx, d, f)
	}
	return t.showDemo(ctx, d, f)
}

// playDemo plays and prints.
func (t *terminal) playDemo(ctx context.Context, d *demo.Demo, f demoFlags) error {
	r, err := d.Play(ctx)
	if err != nil {
		return err
	}
	if f.data == "" {
		for i := range r.Brokers {
			r.Brokers[i].Data = "" // removed with the temporary folder
		}
	}
	if t.json {
		err = t.answer(r)
	} else {
		v, _ := d.Board().Look()
		err = demo.WriteTimeline(t.out, v, r)
	}
	if err == nil && f.data != "" {
		t.nextCommands(r)
	}
	return err
}

// showDemo plays while a page follows, and stays until it is told to stop.
func (t *terminal) showDemo(ctx context.Context, d *demo.Demo, f demoFlags) error {
	h, err := demo.Handler(d.Board())
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	opened := make(chan string, 1)
	served := make(chan error, 1)
	go func() { served <- demo.Serve(ctx, h, func(url string) { opened <- url }) }()
	select {
	case err := <-served:
		return err
	case url := <-opened:
		if t.json {
			t.say("Follow-up page: %s", url)
		} else {
			fmt.Fprintf(t.out, "Page de suivi : %s (Ctrl+C pour arrêter)\n", url)
		}
	}
	select {
	case <-ctx.Done():
	case <-time.After(watchFirst):
	}
	err = t.playDemo(ctx, d, f)
	if err != nil {
		d.Board().End("L'échange n'est pas allé à son terme : voir le terminal.")
		stop()
		return errors.Join(err, <-served)
	}
	d.Board().End("L'échange est terminé : journaux fermés et vérifiés, exports vérifiés.")
	return <-served
}

// emptyFolder makes the folder of a demonstration that is kept. It refuses one
// that holds anything: nothing of somebody's is written over.
func emptyFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("folder of the demonstration: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("folder of the demonstration: %w", err)
	}
	if len(entries) > 0 {
		return "", &hinted{errors.New("the folder of --data is not empty"), "choose a new folder: the demonstration writes over nothing"}
	}
	return dir, nil
}
