package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"vaguemestre/broker/directory"
	"vaguemestre/broker/export"
	"vaguemestre/cmd/vaguemestre/wiring"
	"vaguemestre/config"
	"vaguemestre/crypto/keyring"
)

// minPassphrase is the least that locks the keys of a new broker, in bytes.
const minPassphrase = 12

type initFlags struct {
	data, broker, libelle, listen                         string
	party, role, institution, departement, telephone, app string

	named bool // broker was made of party
}

func newInitCommand(t *terminal) *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use:   "init --data DIR --party ID --role ROLE --institution TEXT --departement CODE",
		Short: "Make a broker with its first party: keys, journal, configuration, first token",
		Long: "Make the data directory of a new broker: its keys and those of its first party, locked\n" +
			"under a passphrase (credential vaguemestre-passphrase of systemd,\n" +
			"VAGUEMESTRE_PASSPHRASE, or asked for), an empty journal, and a commented\n" +
			"vaguemestre.toml. Then the sheet of fingerprints is printed, and the token by which an\n" +
			"application may call the API as that party: it is shown this once, and kept nowhere.\n" +
			"\n" +
			"More parties are added in vaguemestre.toml; keys generate then makes their keys. A\n" +
			"call that was interrupted is simply repeated.",
		Example: "  vaguemestre init --data ./data --party ase-59 --role ase \\\n" +
			"    --institution 'Département du Nord' --departement 59",
		Args: usageArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return t.init(c.Context(), f) },
	}
	v := c.Flags()
	dataFlag(c, &f.data)
	v.Lookup("data").Usage = "data directory to make, which must not exist or be empty (required)"
	v.StringVar(&f.party, "party", "", "id of the first party: 1 to 40 of a-z, 0-9 and - (required)")
	v.StringVar(&f.role, "role", "", "role of the first party: ase, parquet, juge or service (required)")
	v.StringVar(&f.institution, "institution", "", "institution of the first party (required)")
	v.StringVar(&f.departement, "departement", "", "code of its département, such as 59 or 2A (required)")
	v.StringVar(&f.telephone, "telephone", "", "duty telephone of the first party")
	v.StringVar(&f.broker, "broker", "", "id of the broker; courrier-PARTY when it is left out")
	v.StringVar(&f.libelle, "libelle", "", "what people read as the name of the broker; its institution when it is left out")
	v.StringVar(&f.listen, "listen", config.DefaultAPIListen, "address and port of the API on this machine, or off")
	v.StringVar(&f.app, "application", "premier-jeton", "name of the application that gets the token")
	for _, name := range []string{"party", "role", "institution", "departement"} {
		required(c, name)
	}
	return c
}

// made is what `init --json` prints.
type made struct {
	Data    string   `json:"data"`
	Config  string   `json:"config"`
	Broker  string   `json:"broker"`
	Party   string   `json:"party"`
	Anchors []string `json:"anchors"`
	Token   string   `json:"token"`
}

func (t *terminal) init(ctx context.Context, f initFlags) error {
	c := f.configuration()
	if err := f.judge(c); err != nil {
		return err
	}
	if err := wiring.Vacant(f.data); err != nil {
		return err
	}
	passphrase, err := t.freshPassphrase()
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(f.data)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	m := made{Data: dir, Config: filepath.Join(dir, config.FileName), Broker: c.Broker, Party: f.party}
	var made *wiring.Data
	err = wiring.Initial(ctx, dir, c, passphrase, func(d *wiring.Data, n *wiring.Node) (err error) {
		made = d
		m.Token, err = firstToken(ctx, n, f.app, f.party)
		return err
	})
	if err != nil {
		return f.placed(err)
	}
	for _, a := range export.Anchors(made.Directory) {
		m.Anchors = append(m.Anchors, a.String())
	}
	if t.json {
		return t.answer(m)
	}
	if err := t.printSheet(made, m.Anchors); err != nil {
		return err
	}
	t.print("\nToken of %s, for the application %s. It is shown this once:\n\n    %s\n", f.party, f.app, m.Token)
	t.say("Next:")
	t.say("  %s serve --config %s", selfCommand(), shellWord(m.Config))
	return nil
}

// judge refuses, before a passphrase is asked for and anything is made, what
// would be refused once the keys are there.
func (f *initFlags) judge(c config.Config) error {
	if _, err := directory.ParsePartyID(f.app); err != nil {
		return &usageError{text: "--application: want a word of 1 to 40 of a-z, 0-9 and -", hint: "see vaguemestre init --help"}
	}
	_, err := config.Initial(c)
	for _, fault := range config.Faults(err) {
		if fault.Key == "api.listen" {
			return &usageError{text: "--listen: " + fault.Problem, hint: "certificates are named in vaguemestre.toml once it is made"}
		}
	}
	return nil // what else is wrong is said with its flag: see placed
}

// placed says which flag is at fault, rather than which line of a file that is
// not there.
func (f *initFlags) placed(err error) error {
	var fault *directory.Fault
	if !errors.As(err, &fault) {
		return err
	}
	flag := map[string]string{
		"brokers[0].id": "--broker", "brokers[0].libelle": "--libelle", "parties[0].id": "--party", "parties[0].role": "--role",
		"parties[0].institution": "--institution", "parties[0].departement": "--departement", "parties[0].telephone": "--telephone",
	}[fault.Place]
	if flag == "--broker" && f.named {
		flag = "--party"
	}
	if flag == "" {
		return err
	}
	return &usageError{text: flag + ": " + fault.Problem, hint: "see vaguemestre init --help"}
}

// configuration is the one of a broker with one party, without certificates.
func (f *initFlags) configuration() config.Config {
	if f.broker == "" {
		f.broker, f.named = "courrier-"+f.party, true
	}
	if f.libelle == "" {
		f.libelle = f.institution
	}
	return config.Config{
		Broker:  f.broker,
		Limits:  config.Limits{Body: config.DefaultBody, FreeSpace: config.DefaultFreeSpace},
		API:     config.API{Listen: f.listen, RatePerSecond: config.DefaultRate, Burst: config.DefaultBurst},
		Admin:   config.Admin{Listen: config.DefaultAdminListen},
		Log:     config.Log{Format: config.LogAuto},
		Brokers: []config.Broker{{ID: f.broker, Libelle: f.libelle}},
		Parties: []config.Party{{
			ID: f.party, Role: f.role, Institution: f.institution, Departement: f.departement, Home: f.broker, Telephone: f.telephone,
		}},
	}
}

// freshPassphrase finds a passphrase that is to lock new keys: one that is typed
// is asked for twice.
func (t *terminal) freshPassphrase() ([]byte, error) {
	p, err := keyring.Passphrase(t.file(), t.talk)
	if err != nil {
		return nil, err
	}
	if len(p) < minPassphrase {
		return nil, &hinted{errors.New("the passphrase of the new keys is too short"), fmt.Sprintf("give at least %d characters: whoever steals the disk tries them all", minPassphrase)}
	}
	_, set := os.LookupEnv("VAGUEMESTRE_PASSPHRASE")
	in := t.file()
	if set || os.Getenv("CREDENTIALS_DIRECTORY") != "" || in == nil || !term.IsTerminal(int(in.Fd())) {
		return p, nil
	}
	again, err := ask(in, t.talk, "The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(p, again) {
		return nil, &hinted{errors.New("the two passphrases differ"), "call again"}
	}
	return p, nil
}
