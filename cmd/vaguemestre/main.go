// Command vaguemestre carries the mail of child protection between
// institutions: sealed, registered, and handed over against signature. Its
// commands wire the packages of this module together and print; whatever
// decides is in them.
//
// What a command answers goes to standard output, what it says meanwhile to
// standard error. It exits with 0 when it did what was asked, 1 when it
// failed, 2 when it was called wrongly, 3 when something does not verify, and
// 4 when the same call may succeed later.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"vaguemestre/cmd/vaguemestre/wiring"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains; then signals have their own effect again, so
	// that the second stops at once.
	context.AfterFunc(ctx, stop)
	if err := wiring.NoCore(); err != nil { // before any key is in memory
		os.Exit((&terminal{talk: os.Stderr}).fail(err))
	}
	wiring.Tune()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	t := &terminal{stdin: stdin, out: &answers{to: stdout}, talk: stderr}
	root := newRootCommand(t)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = t.printed()
	}
	if err != nil {
		return t.fail(err)
	}
	return exitOK
}
