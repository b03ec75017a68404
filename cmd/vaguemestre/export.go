package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
	"vaguemestre/cmd/vaguemestre/serving"
	"vaguemestre/cmd/vaguemestre/wiring"
)

// exported is what `export --json` prints.
type exported struct {
	ID        string `json:"id"`
	Out       string `json:"out"`
	Notice    string `json:"notice,omitempty"`
	Evidences int    `json:"evidences"` // the deposit not included
	Files     int    `json:"files"`
	Body      bool   `json:"body"` // false once erased
	Opened    bool   `json:"opened"`
	Origin    string `json:"origin"`
	Size      uint64 `json:"size"`
}

func newExportCommand(t *terminal) *cobra.Command {
	var data, out, as string
	var open bool
	c := &cobra.Command{
		Use:   "export ID --data DIR --out DIR",
		Short: "Write the proof of one pli, which stands alone",
		Long: "Write a folder that proves who deposited the pli, who received it and when. It\n" +
			"is checked without this program: its LISEZMOI.txt says how. Nothing in it is in\n" +
			"clear, unless --open is given: that use is journaled.",
		Example: "  vaguemestre export 01981c0e-… --data ./data --out ./preuve",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := t.export(c.Context(), data, args[0], out, serving.Exporting{Open: open, As: as})
			if err != nil {
				return err
			}
			if open && !s.Opened {
				t.say("Nothing could be opened: the content is erased, or sealed for others.")
			}
			return t.printExported(s, out)
		},
	}
	dataFlag(c, &data)
	c.Flags().StringVar(&out, "out", "", "folder to write, which must not exist or be empty (required)")
	required(c, "out")
	_ = c.MarkFlagDirname("out") // completion only
	c.Flags().BoolVar(&open, "open", false, "add everything in clear, in open/; journaled")
	c.Flags().StringVar(&as, "as", "", "export for one party that lives here; without it, all that the journal holds")
	return c
}

// export writes the folder: this process itself where no broker runs, so that
// nothing is written twice.
func (t *terminal) export(ctx context.Context, data, id, out string, ask serving.Exporting) (s export.Summary, err error) {
	if err := serving.Vacant(out); err != nil {
		return s, err
	}
	if b := running(ctx, data); b != nil {
		err = b.folder(ctx, "/admin/v1/messages/"+url.PathEscape(id)+"/export", ask, out, &s)
		return s, err
	}
	err = t.withNode(ctx, data, func(_ *wiring.Data, n *wiring.Node) error {
		s, err = export.Write(ctx, n.Broker, id, out, export.Options{Open: ask.Open, As: broker.PartyID(ask.As)})
		return err
	})
	return s, err
}

func (t *terminal) printExported(s export.Summary, out string) error {
	if t.json {
		return t.answer(exported{
			ID: s.ID, Out: out, Notice: s.Notice, Evidences: s.Evidences, Files: s.Files,
			Body: s.Body, Opened: s.Opened, Origin: s.Origin, Size: s.Size,
		})
	}
	if s.Notice != "" {
		t.print("notice: %s", s.Notice)
	}
	t.print("%s: %d files, %d evidences after the deposit, in %s", s.ID, s.Files, s.Evidences, out)
	if !s.Body {
		t.print("the content is erased: body.pgp is left out")
	}
	if s.Later > 0 {
		t.print("%d certificates changed since they were judged: see certs/later", s.Later)
	}
	return nil
}
