package main

import (
	"github.com/spf13/cobra"

	"vaguemestre/broker/export"
	"vaguemestre/crypto/keyring"
)

// verified is what `verify --json` prints when everything holds.
type verified struct {
	Verified   bool           `json:"verified"`
	Notice     string         `json:"notice,omitempty"`
	ID         string         `json:"id"`
	From       string         `json:"from"`
	To         []string       `json:"to"`
	Cc         []string       `json:"cc"`
	Urgency    string         `json:"urgency"`
	Evidences  []verifiedFact `json:"evidences"` // the deposit first
	Broker     string         `json:"broker"`    // that exported
	Origin     string         `json:"origin"`
	Size       uint64         `json:"size"`
	Signatures int            `json:"signatures"`
	Files      int            `json:"files"`
	Body       bool           `json:"body"`
	Opened     bool           `json:"opened"`
	Notes      []string       `json:"notes"`
}

type verifiedFact struct {
	Event       string `json:"event"`
	Recipient   string `json:"recipient"`
	At          string `json:"at"`
	DoneAt      string `json:"done_at,omitempty"`
	By          string `json:"by"`
	Fingerprint string `json:"fingerprint"`
	ReasonCode  string `json:"reason_code,omitempty"`
}

func newVerifyCommand(t *terminal) *cobra.Command {
	var lines []string
	c := &cobra.Command{
		Use:   "verify DIR --anchor PARTY@HOME=FINGERPRINT… --anchor BROKER=FINGERPRINT…",
		Short: "Check an export by the fingerprints of the printed sheet",
		Long: "Check every signature, digest and inclusion of an export, without any data\n" +
			"directory. Whose a certificate is comes from the anchors alone: copy them from\n" +
			"the printed sheet of each institution (keys sheet), never from the export.\n" +
			"Exits with 3 and the first fault if anything does not hold.",
		Example: "  vaguemestre verify ./preuve --anchor ase-59@courrier-nord=FINGERPRINT --anchor courrier-nord=FINGERPRINT",
		Args:    usageArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			var anchors []export.Anchor
			for _, l := range lines {
				a, err := export.ParseAnchor(l)
				if err != nil {
					return &usageError{text: err.Error(), hint: "copy the lines that keys sheet prints"}
				}
				anchors = append(anchors, a)
			}
			r, err := export.Verify(args[0], anchors, keyring.Verifier{})
			if err != nil {
				t.sayRefused(r, len(anchors))
				return err
			}
			return t.printVerified(r)
		},
	}
	c.Flags().StringArrayVar(&lines, "anchor", nil, "whose a certificate is: PARTY@HOME=FINGERPRINT or BROKER=FINGERPRINT; may be repeated")
	return c
}

// sayRefused tells what is known of an export that does not verify: its
// notice, and without anchors the certificates to look up on the sheet.
func (t *terminal) sayRefused(r export.Report, anchors int) {
	if r.Notice != "" {
		t.say("notice (not verified): %s", r.Notice)
	}
	if anchors > 0 {
		return
	}
	for _, c := range r.Certificates {
		t.say("certificate found, proves nothing: %s", c)
	}
}

func (t *terminal) printVerified(r export.Report) error {
	if !t.json {
		return t.printReport(r)
	}
	v := verified{
		Verified: true, Notice: r.Notice, ID: r.ID, From: string(r.From), To: words(r.To), Cc: words(r.Cc), Urgency: string(r.Urgency),
		Broker: string(r.Broker), Origin: r.Origin, Size: r.Size, Signatures: r.Signatures, Files: r.Files,
		Body: r.Body, Opened: r.Opened, Notes: append([]string{}, r.Notes...),
	}
	for _, f := range append([]export.Fact{r.Deposit}, r.Facts...) {
		v.Evidences = append(v.Evidences, verifiedFact{
			Event: string(f.Event), Recipient: string(f.Recipient), At: f.At, DoneAt: f.DoneAt,
			By: f.By, Fingerprint: f.Fingerprint, ReasonCode: f.ReasonCode,
		})
	}
	return t.answer(v)
}

func (t *terminal) printReport(r export.Report) error {
	if r.Notice != "" {
		t.print("notice: %s", r.Notice)
	}
	t.print("verified: %s, %s, from %s to %s", r.ID, r.Urgency, r.From, joined(r.To))
	if len(r.Cc) > 0 {
		t.print("copies: %s", joined(r.Cc))
	}
	rows := [][]string{}
	for _, f := range append([]export.Fact{r.Deposit}, r.Facts...) {
		done := ""
		if f.DoneAt != "" {
			done = "done at " + f.DoneAt
		}
		rows = append(rows, []string{f.At, string(f.Event), orAll(string(f.Recipient)), f.By, f.Fingerprint, f.ReasonCode + done})
	}
	if err := t.table(rows); err != nil {
		return err
	}
	t.print("%d signatures by anchors, %d files; journal of %s at size %d, %s", r.Signatures, r.Files, r.Broker, r.Size, r.Origin)
	if !r.Body {
		t.print("the content is erased: body.pgp is not there")
	}
	for _, n := range r.Notes {
		t.print("note: %s", n)
	}
	return nil
}
