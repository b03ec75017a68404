package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"vaguemestre/broker/clock"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/export"
	"vaguemestre/cmd/vaguemestre/wiring"
)

func newKeysSheetCommand(t *terminal) *cobra.Command {
	var data string
	c := &cobra.Command{
		Use:   "sheet --data DIR",
		Short: "Print the sheet of fingerprints, on paper the root of every proof",
		Long: "Print, in French, the sheet of fingerprints to sign and hand over in person, then\n" +
			"the same as lines for verify --anchor and verifier.sh.",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			d, err := readData(data)
			if err != nil {
				return err
			}
			var anchors []string
			for _, a := range export.Anchors(d.Directory) {
				anchors = append(anchors, a.String())
			}
			if t.json {
				return t.answer(map[string]any{"anchors": anchors, "notice": d.Directory.Notice()})
			}
			return t.printSheet(d, anchors)
		},
	}
	dataFlag(c, &data)
	return c
}

func (t *terminal) printSheet(d *wiring.Data, anchors []string) error {
	switch d.Directory.Notice() {
	case directory.NoticeDemonstration:
		t.print("DÉMONSTRATION : personnes, papiers et clés fictifs.\n")
	case directory.NoticeHosting:
		t.print("HÉBERGEMENT COMMUN : un même opérateur tient les clés de plusieurs institutions.\n")
	}
	t.print("FEUILLE DES EMPREINTES")
	t.print("établie par %s le %s\n", d.Config.Broker, clock.Long(time.Now(), clock.Metropole))
	t.print("À comparer chiffre par chiffre avec la feuille remise en main propre par chaque")
	t.print("institution. Une clé n'est à quelqu'un que si sa feuille le dit.\n")
	for _, p := range d.Directory.Parties() {
		t.print("%s, %s (%s), tenue par %s", p.ID, p.Institution, p.Departement, p.Home)
		t.printFingerprints(p.Certificates)
	}
	for _, b := range d.Directory.Brokers() {
		t.print("%s, courrier : %s", b.ID, b.Libelle)
		t.printFingerprints(b.Certificates)
	}
	t.print("Fait à ........................  le ....................  Signature et cachet :\n\n")
	t.print("Les mêmes, pour verifier.sh et pour vaguemestre verify --anchor :")
	for _, a := range anchors {
		t.print("%s", a)
	}
	return nil
}

func (t *terminal) printFingerprints(list []string) {
	for i, f := range list {
		was := ""
		if i > 0 {
			was = "   (remplacée)"
		}
		t.print("    %s%s", spaced(f), was)
	}
	t.print("")
}

// spaced writes a fingerprint as people compare it, in groups of four.
func spaced(fingerprint string) string {
	var groups []string
	for f := strings.ToUpper(fingerprint); f != ""; {
		n := min(4, len(f))
		groups = append(groups, f[:n])
		f = f[n:]
	}
	return strings.Join(groups, " ")
}
