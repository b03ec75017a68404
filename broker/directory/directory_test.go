package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/clock"
)

// fp makes a plainly invented fingerprint.
func fp(n int) string { return fmt.Sprintf("%040x", n) }

func listing() Listing {
	return Listing{
		Self: "nord",
		Brokers: []Broker{
			{ID: "nord", Libelle: "Département du Nord", Certificates: []string{fp(1), fp(2)}},
			{ID: "lille", Libelle: `Tribunal "de" Lille`, Certificates: []string{fp(3)}, Address: "https://lille.example:8443",
				TLSPins: []string{strings.Repeat("ab", 32)}, Hosting: HostingShared},
			{ID: "relais", Libelle: "Relais", Certificates: []string{fp(4)}, Relay: true, Fetches: true},
		},
		Parties: []Party{
			{ID: "parquet-lille", Role: RoleParquet, Institution: "Parquet de Lille", Departement: "59", Home: "lille",
				Certificates: []string{fp(11)}, Telephone: "+33 3 00 00 00 00"},
			{ID: "je-lille", Role: RoleJuge, Institution: "Tribunal pour enfants de Lille", Departement: "59", Home: "lille", Certificates: []string{fp(12)}},
			{ID: "ase-59", Role: RoleASE, Institution: "Département du Nord", Departement: "59", Home: "nord", Certificates: []string{fp(10)},
				Zone: "metropole", Patience: Patience{U0: time.Second}},
		},
		Policy: []PolicyRow{
			{Kind: "signalement", From: "ase", To: "parquet", Article: "CASF L226-4 I"},
			{Kind: "opp", From: "parquet", To: "juge", Copy: true, Article: "C. civ. 375-5"},
			{Kind: "opp", From: "parquet", To: "ase", Article: "C. civ. 375-5"},
		},
	}
}

func TestDirectory(t *testing.T) {
	d, err := New(listing())
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := d.Party("ase-59"); !ok || p.Role != RoleASE || p.Patience.U0 != time.Second {
		t.Errorf("Party: %v %v", p, ok)
	}
	if _, ok := d.Party("ase-62"); ok {
		t.Error("an unknown party was found")
	}
	if b, ok := d.Broker("lille"); !ok || b.Address != "https://lille.example:8443" {
		t.Errorf("Broker: %v %v", b, ok)
	}
	if _, ok := d.Broker("ase-59"); ok {
		t.Error("a party was found as a broker")
	}
	if b, ok := d.Home("je-lille"); !ok || b.ID != "lille" {
		t.Errorf("Home: %v %v", b, ok)
	}
	if _, ok := d.Home("nobody"); ok {
		t.Error("a party that is not listed has a home")
	}
	var ids []string
	for _, b := range d.Brokers() {
		ids = append(ids, string(b.ID))
	}
	for _, p := range d.Parties() {
		ids = append(ids, string(p.ID))
	}
	if want := []string{"lille", "nord", "relais", "ase-59", "je-lille", "parquet-lille"}; !slices.Equal(ids, want) {
		t.Errorf("order %v, want %v", ids, want)
	}
	if d.Self() != "nord" {
		t.Errorf("Self: %s", d.Self())
	}
}

// TestImmutable: neither the caller's slices nor what is returned reach it.
func TestImmutable(t *testing.T) {
	l := listing()
	d, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	before := string(d.JSON())
	l.Brokers[0].Certificates[0] = fp(99)
	l.Brokers[1].TLSPins[0] = ""
	l.Parties[0].Certificates[0] = fp(99)
	l.Policy[0].Article = ""
	d.Parties()[0].Certificates[0] = fp(99)
	d.Brokers()[0].TLSPins[0] = ""
	d.Policy()[0].Article = ""
	p, _ := d.Party("ase-59")
	p.Certificates[0] = fp(99)
	b, _ := d.Home("je-lille")
	b.Certificates[0] = fp(99)
	b.TLSPins[0] = ""
	if string(d.JSON()) != before {
		t.Error("the directory changed")
	}
	if b, _ := d.Broker("lille"); b.TLSPins[0] != strings.Repeat("ab", 32) {
		t.Error("the pins changed")
	}
}

func TestNotice(t *testing.T) {
	for _, c := range []struct {
		self          BrokerID
		demonstration bool
		want          string
	}{
		{"nord", false, NoticeNone},     // the other broker's hosting is not ours to say
		{"lille", false, NoticeHosting}, // ours
		{"lille", true, NoticeDemonstration},
		{"nord", true, NoticeDemonstration},
		{"", false, NoticeNone},
	} {
		l := listing()
		l.Self, l.Demonstration = c.self, c.demonstration
		d, err := New(l)
		if err != nil {
			t.Fatal(err)
		}
		if d.Notice() != c.want {
			t.Errorf("self %q demonstration %v: %q, want %q", c.self, c.demonstration, d.Notice(), c.want)
		}
	}
}

// TestRefused breaks one thing at a time.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Listing)
		want  string // place that the fault names
	}{
		"unknown self":                 {func(l *Listing) { l.Self = "paris" }, "self"},
		"broker without id":            {func(l *Listing) { l.Brokers[2].ID = "" }, "brokers[2].id"},
		"broker twice":                 {func(l *Listing) { l.Brokers[2].ID = "nord" }, "brokers[2].id"},
		"broker without libelle":       {func(l *Listing) { l.Brokers[0].Libelle = " " }, "brokers[0].libelle (nord)"},
		"text that turns around":       {func(l *Listing) { l.Brokers[0].Libelle = "a\u202eb" }, "libelle"},
		"text that is not UTF-8":       {func(l *Listing) { l.Parties[0].Institution = "\xff" }, "institution"},
		"text that is too long":        {func(l *Listing) { l.Parties[0].Institution = strings.Repeat("a", 201) }, "institution"},
		"broker without certificate":   {func(l *Listing) { l.Brokers[0].Certificates = nil }, "certificates"},
		"fingerprint in capitals":      {func(l *Listing) { l.Brokers[0].Certificates[0] = strings.Repeat("AB", 20) }, "certificates[0]"},
		"fingerprint under two owners": {func(l *Listing) { l.Parties[0].Certificates[0] = fp(2) }, "already listed at brokers[0].certificates[1]"},
		"fingerprint twice":            {func(l *Listing) { l.Brokers[0].Certificates[1] = fp(1) }, "certificates[1]"},
		"pin that is no digest":        {func(l *Listing) { l.Brokers[1].TLSPins[0] = "ab" }, "tls_pins[0]"},
		"address without scheme":       {func(l *Listing) { l.Brokers[1].Address = "lille.example:8443" }, "address"},
		"address in clear":             {func(l *Listing) { l.Brokers[1].Address = "http://lille.example" }, "address"},
		"address without host":         {func(l *Listing) { l.Brokers[1].Address = "https://:8443" }, "address"},
		"address with a user":          {func(l *Listing) { l.Brokers[1].Address = "https://a@lille.example" }, "address"},
		"address with a path":          {func(l *Listing) { l.Brokers[1].Address = "https://lille.example/" }, "address"},
		"address with a query":         {func(l *Listing) { l.Brokers[1].Address = "https://lille.example?a" }, "address"},
		"address with an empty query":  {func(l *Listing) { l.Brokers[1].Address = "https://lille.example?" }, "address"},
		"address with a new line":      {func(l *Listing) { l.Brokers[1].Address = "https://a\nb" }, "address"},
		"address in capitals":          {func(l *Listing) { l.Brokers[1].Address = "HTTPS://lille.example" }, "address"},
		"unknown hosting":              {func(l *Listing) { l.Brokers[0].Hosting = "Shared" }, "hosting"},
		"relay that hosts":             {func(l *Listing) { l.Brokers[2].Hosting = HostingShared }, "hosting"},
		"party with a broker's id":     {func(l *Listing) { l.Parties[2].ID = "nord" }, "parties[2].id"},
		"party twice":                  {func(l *Listing) { l.Parties[2].ID = "je-lille" }, "parties[2].id"},
		"party with a bad id":          {func(l *Listing) { l.Parties[2].ID = "ASE" }, "parties[2].id"},
		"unknown role":                 {func(l *Listing) { l.Parties[0].Role = "avocat" }, "role"},
		"département read as a number": {func(l *Listing) { l.Parties[0].Departement = "1" }, "departement"},
		"no département":               {func(l *Listing) { l.Parties[0].Departement = "20" }, "departement"},
		"unknown home":                 {func(l *Listing) { l.Parties[0].Home = "paris" }, "home"},
		"home is a relay":              {func(l *Listing) { l.Parties[0].Home = "relais" }, "home"},
		"party without certificate":    {func(l *Listing) { l.Parties[0].Certificates = nil }, "certificates"},
		"telephone with words":         {func(l *Listing) { l.Parties[0].Telephone = "appeler" }, "telephone"},
		"unknown zone":                 {func(l *Listing) { l.Parties[0].Zone = "paris" }, "zone"},
		"negative patience":            {func(l *Listing) { l.Parties[0].Patience.U2Days = -1 }, "patience"},
		// A patience without end would be a switch that turns the alarm off.
		"patience of years, U0":       {func(l *Listing) { l.Parties[0].Patience.U0 = 876_000 * time.Hour }, "parties[0].patience.u0"},
		"patience of years, U1":       {func(l *Listing) { l.Parties[0].Patience.U1 = 876_000 * time.Hour }, "parties[0].patience.u1"},
		"patience of years, U2":       {func(l *Listing) { l.Parties[0].Patience.U2 = 876_000 * time.Hour }, "parties[0].patience.u2"},
		"patience of years, days":     {func(l *Listing) { l.Parties[0].Patience.U2Days = 5000 }, "parties[0].patience.u2_days"},
		"day of 25 hours":             {func(l *Listing) { l.Parties[0].Patience.DayEnd = 25 * time.Hour }, "day_end"},
		"policy without kind":         {func(l *Listing) { l.Policy[0].Kind = "" }, "policy[0].kind"},
		"policy without article":      {func(l *Listing) { l.Policy[0].Article = "" }, "policy[0].article"},
		"policy from an unknown role": {func(l *Listing) { l.Policy[0].From = "crip" }, "policy[0].from"},
		"policy to an unknown role":   {func(l *Listing) { l.Policy[0].To = "" }, "policy[0].to"},
		"policy row given twice":      {func(l *Listing) { l.Policy = append(l.Policy, l.Policy[0]) }, "policy[3]"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listing()
			c.spoil(&l)
			_, err := New(l)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one at %s", err, c.want)
			}
		})
	}
}

// TestEveryFaultAtOnce: an operator repairs the file in one go, and no value
// of the file is in the message.
func TestEveryFaultAtOnce(t *testing.T) {
	l := listing()
	l.Parties[0].Telephone = "MARQUE"
	l.Parties[1].Zone = "MARQUE"
	l.Parties[2].Institution = "MARQUE\n"
	_, err := New(l)
	if n := strings.Count(fmt.Sprint(err), ErrInvalid.Error()); n != 3 {
		t.Errorf("%d faults, want 3: %v", n, err)
	}
	if strings.Contains(fmt.Sprint(err), "MARQUE") {
		t.Error("the message has a value of the file")
	}
}

func TestSharedHosting(t *testing.T) {
	l := listing()
	l.Brokers[1].Hosting = HostingApart
	_, err := New(l)
	if !errors.Is(err, ErrSharedHosting) || errors.Is(err, ErrInvalid) {
		t.Fatalf("error %v, want shared hosting alone", err)
	}
	var shared *SharedHostingError
	if !errors.As(err, &shared) || shared.Broker != "lille" || !strings.Contains(shared.Hint(), `hosting = "shared"`) {
		t.Errorf("hint: %v", shared)
	}
	l.Parties[1].Institution = l.Parties[0].Institution // two parties of one institution need not say it
	if _, err := New(l); err != nil {
		t.Errorf("one institution, two parties: %v", err)
	}
}

func TestJSON(t *testing.T) {
	l := listing()
	l.Demonstration = true
	d, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"v":1,"notice":"demonstration","brokers":[` +
		`{"id":"lille","libelle":"Tribunal \"de\" Lille","certificates":["` + fp(3) + `"],"address":"https://lille.example:8443"},` +
		`{"id":"nord","libelle":"Département du Nord","certificates":["` + fp(1) + `","` + fp(2) + `"]},` +
		`{"id":"relais","libelle":"Relais","certificates":["` + fp(4) + `"]}],"parties":[` +
		`{"id":"ase-59","role":"ase","institution":"Département du Nord","departement":"59","home":"nord","certificates":["` + fp(10) + `"]},` +
		`{"id":"je-lille","role":"juge","institution":"Tribunal pour enfants de Lille","departement":"59","home":"lille","certificates":["` + fp(12) + `"]},` +
		`{"id":"parquet-lille","role":"parquet","institution":"Parquet de Lille","departement":"59","home":"lille","certificates":["` + fp(11) + `"],"telephone":"+33 3 00 00 00 00"}],` +
		`"policy":[{"kind":"opp","from":"parquet","to":"ase","copy":false,"article":"C. civ. 375-5"},` +
		`{"kind":"opp","from":"parquet","to":"juge","copy":true,"article":"C. civ. 375-5"},` +
		`{"kind":"signalement","from":"ase","to":"parquet","copy":false,"article":"CASF L226-4 I"}]}`
	if got := string(d.JSON()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	slices.Reverse(l.Brokers)
	slices.Reverse(l.Parties)
	slices.Reverse(l.Policy)
	d, err = New(l)
	if err != nil {
		t.Fatal(err)
	}
	if string(d.JSON()) != want {
		t.Error("the order of the listing shows")
	}
}

// TestGolden: the directory of the golden pli, read and written again, is the
// same to the byte.
func TestGolden(t *testing.T) {
	golden, err := os.ReadFile(filepath.Join("..", "testdata", "wire", "export", "directory.json"))
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Notice  string
		Brokers []Broker
		Parties []Party
		Policy  []PolicyRow
	}
	if err := json.Unmarshal(golden, &read); err != nil {
		t.Fatal(err)
	}
	l := Listing{Demonstration: read.Notice == NoticeDemonstration, Brokers: read.Brokers, Parties: read.Parties, Policy: read.Policy}
	for i := range l.Brokers {
		l.Brokers[i].Hosting = HostingShared // not in that file
	}
	d, err := New(l)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.JSON(); !bytes.Equal(got, golden) {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
}

func TestJSONOfNothing(t *testing.T) {
	d, err := New(Listing{})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(d.JSON()); got != `{"v":1,"brokers":[],"parties":[],"policy":[]}` {
		t.Errorf("arrays are always there: %s", got)
	}
}

// TestZones: the list of zones is repeated here, since this package imports
// none of ours.
func TestZones(t *testing.T) {
	want := []string{""}
	for _, z := range clock.Zones() {
		want = append(want, string(z))
	}
	if got := zones(); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
		t.Errorf("zones %v, want %v", got, want)
	}
}

// TestPatienceIsThatOfTheClock: a field added to one alone would be lost.
func TestPatienceIsThatOfTheClock(t *testing.T) {
	if !reflect.TypeFor[Patience]().ConvertibleTo(reflect.TypeFor[clock.Patience]()) {
		t.Error("directory.Patience does not convert to clock.Patience")
	}
}

func TestParseID(t *testing.T) {
	for _, s := range []string{"a", "9", "ase-59", "parquet-lille", strings.Repeat("a", 40)} {
		if id, err := ParsePartyID(s); err != nil || string(id) != s {
			t.Errorf("party %q: %v", s, err)
		}
		if id, err := ParseBrokerID(s); err != nil || string(id) != s {
			t.Errorf("broker %q: %v", s, err)
		}
	}
	for _, s := range []string{"", "-a", "a-", "A", "é", "a b", "a\n", "a/b", "..", strings.Repeat("a", 41)} {
		if _, err := ParsePartyID(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("party %q: %v", s, err)
		}
		if _, err := ParseBrokerID(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("broker %q: %v", s, err)
		}
	}
}

func FuzzParsePartyID(f *testing.F) {
	f.Add("ase-59")
	f.Add("a\n")
	f.Add("../../etc")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParsePartyID(s)
		if err == nil && (string(id) != s || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(s) > 40) {
			t.Fatalf("accepted %q", s)
		}
	})
}

// FuzzJSON: whatever text New accepts, the file is JSON that reads back the
// same and has no byte that a shell would trip on.
func FuzzJSON(f *testing.F) {
	f.Add("Département du Nord", "C. civ. 375-5")
	f.Add(`"\/`, "\u00a0")
	f.Fuzz(func(t *testing.T, libelle, article string) {
		l := listing()
		l.Brokers[0].Libelle, l.Policy[0].Article = libelle, article
		d, err := New(l)
		if err != nil {
			return
		}
		var back struct {
			Brokers []struct{ Libelle string }
			Policy  []struct{ Kind, Article string }
		}
		if err := json.Unmarshal(d.JSON(), &back); err != nil {
			t.Fatal(err)
		}
		if back.Brokers[1].Libelle != libelle || back.Policy[2].Article != article {
			t.Fatalf("read back %q and %q", back.Brokers[1].Libelle, back.Policy[2].Article)
		}
		for _, b := range d.JSON() {
			if b < 0x20 {
				t.Fatalf("control %#x", b)
			}
		}
	})
}
