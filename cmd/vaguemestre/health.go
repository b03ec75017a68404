package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/cmd/vaguemestre/serving"
)

// errUnready says that a broker runs and cannot accept. It is temporary.
var errUnready error = &passingError{text: "the broker cannot accept now"}

// answerWithin is how long a broker may take to say how it is: more than it
// waits for its own journal.
const answerWithin = 8 * time.Second

func newHealthCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "health --data DIR",
		Short: "Say whether the broker of a data directory can accept",
		Long: "Ask the broker that runs on a data directory whether it can accept: journal, space,\n" +
			"its own key, not stopping. Exits with 0 when all is right, 4 when something is not\n" +
			"or no broker answers. It asks over DATA/admin.sock, for whoever watches from where\n" +
			"the admin listener cannot be reached, such as a container.",
		Example: "  vaguemestre health --data ./data",
		Args:    usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(c.Context(), answerWithin)
			defer cancel()
			b := running(ctx, data)
			if b == nil {
				return &hinted{&passingError{text: "no broker answers there"}, "start it: vaguemestre serve --config DIR/vaguemestre.toml"}
			}
			var r serving.Ready
			if err := b.call(ctx, http.MethodGet, "/admin/v1/ready", nil, &r); err != nil {
				return unheard(err)
			}
			return t.printReady(r)
		},
	}
	dataFlag(c, &data)
	return c
}

// unheard makes an error of whatever kept the answer away one that may pass.
func unheard(err error) error {
	if errors.Is(err, broker.ErrTemporary) {
		return err
	}
	return &passingError{"the broker did not answer", err}
}

func (t *terminal) printReady(r serving.Ready) error {
	if t.json {
		if err := t.answer(r); err != nil {
			return err
		}
	}
	if r.Ready {
		if !t.json {
			t.print("ready")
		}
		return nil
	}
	for _, c := range []struct {
		name string
		serving.Check
	}{{"journal", r.Journal}, {"space", r.Space}, {"keys", r.Keys}, {"draining", r.Draining}} {
		if !c.OK {
			t.say("vaguemestre: fault: %s: %s", c.name, oneLine(c.Detail))
		}
	}
	return &hinted{errUnready, "the log of the broker says more; docs/install.md, section 9, says what to do"}
}
