package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker/directory"
)

// The directory and the clock take the same patience.
var _ = directory.Patience(Patience{})

// list builds what cmd builds, to judge the words of a file.
func list(c Config) directory.Listing {
	l := directory.Listing{Self: directory.BrokerID(c.Broker), Demonstration: c.Demonstration}
	fingerprints := func(certs []Certificate) (out []string) {
		for _, k := range certs {
			out = append(out, k.Fingerprint)
		}
		return out
	}
	for _, b := range c.Brokers {
		l.Brokers = append(l.Brokers, directory.Broker{ID: directory.BrokerID(b.ID), Libelle: b.Libelle, Address: b.Address,
			TLSPins: b.TLSPins, Fetches: b.Fetches, Relay: b.Relay, Via: directory.BrokerID(b.Via), Hosting: b.Hosting, Certificates: fingerprints(b.Certificates)})
	}
	for _, p := range c.Parties {
		l.Parties = append(l.Parties, directory.Party{ID: directory.PartyID(p.ID), Role: directory.Role(p.Role), Institution: p.Institution,
			Departement: p.Departement, Home: directory.BrokerID(p.Home), Telephone: p.Telephone, Zone: p.Zone,
			Patience: directory.Patience(p.Patience), Certificates: fingerprints(p.Certificates)})
	}
	return l
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExample: the sample loads, makes a directory, and says what it means.
func TestExample(t *testing.T) {
	c, err := load(write(t, string(Example())), nil)
	if err != nil {
		t.Fatal(err)
	}
	d, err := directory.New(list(c))
	if err != nil {
		t.Fatal(err)
	}
	if d.Notice() != directory.NoticeNone || len(d.Parties()) != 3 || len(d.Brokers()) != 3 {
		t.Errorf("notice %q, %d parties, %d brokers", d.Notice(), len(d.Parties()), len(d.Brokers()))
	}
	if want := (Patience{U0: 15 * time.Minute, U2Days: 3, DayEnd: 18 * time.Hour}); c.Parties[1].Patience != want {
		t.Errorf("patience %+v, want %+v", c.Parties[1].Patience, want)
	}
	if c.Limits != (Limits{Body: DefaultBody, FreeSpace: DefaultFreeSpace}) {
		t.Errorf("the sample's limits are not the defaults: %+v", c.Limits)
	}
	if c.API.Listen != DefaultAPIListen || c.Admin.Listen != DefaultAdminListen || c.API.RatePerSecond != DefaultRate ||
		c.API.Burst != DefaultBurst || c.Log.Format != LogAuto || c.Upload() != c.Limits.Body {
		t.Errorf("what the sample says is not what is in force without it: %+v %+v %+v", c.API, c.Admin, c.Log)
	}
	b := c.Brokers[1]
	if b.Hosting != "shared" || b.Address == "" || len(b.TLSPins) != 1 || b.Certificates[0].File != "certs/broker-tj-lille.pgp" {
		t.Errorf("broker %+v", b)
	}
}

// TestEveryKeyIsInTheExample: a key added to the structures is documented.
func TestEveryKeyIsInTheExample(t *testing.T) {
	var walk func(reflect.Type)
	walk = func(s reflect.Type) {
		for i := range s.NumField() {
			f := s.Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			if key != "" && !strings.Contains(string(Example()), key) {
				t.Errorf("%s is not in the example", key)
			}
			if e := f.Type; e.Kind() == reflect.Slice && e.Elem().Kind() == reflect.Struct {
				walk(e.Elem())
			} else if e.Kind() == reflect.Struct {
				walk(e)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// replaceLine changes the first line of the sample that begins so, and returns
// its number.
func replaceLine(t *testing.T, begins, with string) (string, int) {
	t.Helper()
	lines := strings.Split(string(Example()), "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, begins) {
			lines[i] = with
			return strings.Join(lines, "\n"), i + 1
		}
	}
	t.Fatalf("no line %q in the sample", begins)
	return "", 0
}

// TestRefused spoils one line at a time; the error names the key and the line.
func TestRefused(t *testing.T) {
	for name, c := range map[string]struct{ begins, with, key string }{
		"unknown key":                  {"demonstration", `notice = "demonstration"`, "notice"},
		"key in another case":          {"demonstration", `Demonstration = true`, "Demonstration"},
		"flag as a text":               {"demonstration", `demonstration = "true"`, "demonstration"},
		"unknown broker":               {"broker =", `broker = "paris"`, "broker"},
		"empty id":                     {"broker =", `broker = ""`, "broker"},
		"body limit turned off":        {"body", `body = 0`, "limits.body"},
		"body limit negative":          {"body", `body = -1`, "limits.body"},
		"body limit as a text":         {"body", `body = "200 MB"`, "limits.body"},
		"free space turned off":        {"free_space", `free_space = 0`, "limits.free_space"},
		"API beyond this machine":      {"listen = \"127.0.0.1:8480\"", `listen = "0.0.0.0:8480"`, "api.listen"},
		"API on a name":                {"listen = \"127.0.0.1:8480\"", `listen = "localhost:8480"`, "api.listen"},
		"API without a port":           {"listen = \"127.0.0.1:8480\"", `listen = "127.0.0.1"`, "api.listen"},
		"certificate without its key":  {"# tls_cert", `tls_cert = "tls/cert.pem"`, "api.tls_cert"},
		"TLS key outside":              {"# tls_key", `tls_key = "../key.pem"`, "api.tls_key"},
		"no rate":                      {"rate_per_second", `rate_per_second = 0`, "api.rate_per_second"},
		"burst as a text":              {"burst", `burst = "many"`, "api.burst"},
		"upload beyond a pli":          {"max_upload", `max_upload = 200_000_001`, "api.max_upload"},
		"unknown key of the API":       {"burst", `bursts = 1`, "api.bursts"},
		"admin beyond this machine":    {"listen = \"127.0.0.1:8481\"", `listen = "192.0.2.1:8481"`, "admin.listen"},
		"admin everywhere":             {"listen = \"127.0.0.1:8481\"", `listen = "[::]:8481"`, "admin.listen"},
		"admin off":                    {"listen = \"127.0.0.1:8481\"", `listen = "off"`, "admin.listen"},
		"log in colours":               {"format", `format = "MARQUE"`, "log.format"},
		"unknown limit":                {"free_space", `free = 1`, "limits.free"},
		"limits as a list":             {"[limits]", `[[limits]]`, "limits"},
		"département as a number":      {"departement = \"59\" ", `departement = 59`, "parties[0].departement"},
		"département 01 as a number":   {"departement = \"59\" ", `departement = 01`, "departement"},
		"unknown key of a party":       {"telephone", `fax = "0300000000"`, "parties[1].fax"},
		"role missing":                 {"role = \"juge\"", ``, "parties[2].role"},
		"zone left empty":              {"zone", `zone = ""`, "parties[1].zone"},
		"relay as a number":            {"relay = true", `relay = 1`, "brokers[2].relay"},
		"pins as a text":               {"tls_pins", `tls_pins = "aa"`, "brokers[1].tls_pins"},
		"pin as a number":              {"tls_pins", `tls_pins = [1]`, "brokers[1].tls_pins[0]"},
		"duration without unit":        {"u0", `u0 = 15`, "parties[1].patience.u0"},
		"duration zero":                {"u0", `u0 = "0s"`, "parties[1].patience.u0"},
		"duration negative":            {"u0", `u0 = "-1m"`, "parties[1].patience.u0"},
		"duration in days":             {"u0", `u0 = "1d"`, "parties[1].patience.u0"},
		"days out of range":            {"u2_days", `u2_days = 1000`, "parties[1].patience.u2_days"},
		"unknown key of patience":      {"u2_days", `u3 = "1h"`, "parties[1].patience.u3"},
		"certificate outside":          {"certificates", `certificates = [{fingerprint = "a", file = "../a"}, ` + "\n", "brokers[0].certificates[0].file"},
		"certificate by absolute path": {"certificates", `certificates = [{fingerprint = "a", file = "/a"}, ` + "\n", "brokers[0].certificates[0].file"},
		"certificate without file":     {"certificates", `certificates = [{fingerprint = "a"}, ` + "\n", "brokers[0].certificates[0].file"},
		"certificate with a key more":  {"certificates", `certificates = [{fingerprint = "a", file = "a", trust = 1}, ` + "\n", "brokers[0].certificates[0].trust"},
		"not TOML":                     {"libelle", `libelle = MARQUE`, "libelle"},
		"two keys alike":               {"demonstration", `broker = "tj-lille"`, "broker"},
	} {
		t.Run(name, func(t *testing.T) {
			text, line := replaceLine(t, c.begins, c.with)
			_, err := load(write(t, text), nil)
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("error %v, want ErrInvalid", err)
			}
			first := strings.Split(err.Error(), "\n")[0]
			if !strings.Contains(err.Error(), c.key) || strings.Contains(err.Error(), "MARQUE") {
				t.Errorf("error %q, want one at %s without the value", first, c.key)
			}
			if c.with != "" && !strings.HasPrefix(name, "two") && !strings.Contains(err.Error(), fmt.Sprintf("line %d: ", line)) {
				t.Errorf("error %q, want line %d", first, line)
			}
		})
	}
}

func TestTablesOfAnotherType(t *testing.T) {
	for text, want := range map[string]string{
		"brokers = ['a']":                      "brokers[0]: want a list of tables",
		"brokers = 1":                          "line 1: brokers: want a list of tables",
		"[brokers]":                            "line 1: brokers: want a list of tables",
		"[[brokers]]\ncertificates = ['a']":    "line 2: brokers[0].certificates[0]: want a list of tables",
		"[[parties]]\n[[parties]]\npatience=1": "line 3: parties[1].patience: want a table",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestEveryFaultAtOnce: an operator repairs the file in one go.
func TestEveryFaultAtOnce(t *testing.T) {
	_, err := parse([]byte("broker = 1\ncolour = 2\n[limits]\nbody = 3\n"))
	if list := Faults(fmt.Errorf("reading: %w", err)); len(list) != 4 || list[0].Key != "broker" || list[3].Line != 4 {
		t.Errorf("faults %v", list)
	}
	for _, want := range []string{"line 1: broker", "line 2: colour", "line 4: limits.body"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestLineOfADirectoryFault: the directory names places as this package does.
func TestLineOfADirectoryFault(t *testing.T) {
	text, line := replaceLine(t, "role = \"juge\"", `role = "avocat"`)
	c, err := load(write(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = directory.New(list(c))
	var f *directory.Fault
	if !errors.As(err, &f) || c.Line(f.Place) != line {
		t.Errorf("fault %v at line %d, want line %d", err, c.Line("parties[2].role"), line)
	}
	if c.Line("parties[2].telephone") != c.Line("parties[2]") || c.Line("parties[2]") == 0 {
		t.Error("a key that is not there does not get the line of its table")
	}
	if c.Line("nothing[9].id") != 0 || c.Line("") != 0 {
		t.Error("a table that is not there has a line")
	}
}

func TestEnvironment(t *testing.T) {
	path := write(t, string(Example()))
	c, err := load(path, []string{"VAGUEMESTRE_LIMITS_BODY=5000000", "VAGUEMESTRE_LIMITS_FREE_SPACE=60000000", "VAGUEMESTRE_DATA=x", "HOME=/"})
	if err != nil || c.Limits != (Limits{Body: 5_000_000, FreeSpace: 60_000_000}) {
		t.Errorf("limits %+v, %v", c.Limits, err)
	}
	for _, v := range []string{"VAGUEMESTRE_LIMITS_BODY=", "VAGUEMESTRE_LIMITS_BODY=0", "VAGUEMESTRE_LIMITS_BODY=MARQUE",
		"VAGUEMESTRE_LIMITS_FREE_SPACE=1", "VAGUEMESTRE_LIMITS_BODI=5000000"} {
		_, err := load(path, []string{v})
		name, _, _ := strings.Cut(v, "=")
		if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "MARQUE") {
			t.Errorf("%s: %v", v, err)
		}
	}
	t.Setenv("VAGUEMESTRE_LIMITS_BODY", "7000000")
	if c, err := Load(path); err != nil || c.Limits.Body != 7_000_000 {
		t.Errorf("Load: %+v, %v", c.Limits, err)
	}
}

func TestLoadFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), FileName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := write(t, string(Example()))
	for _, mode := range []fs.FileMode{0o620, 0o602} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := load(path, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := load(write(t, strings.Repeat("#", maxFile+1)), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("huge file: %v", err)
	}
}

func TestWrite(t *testing.T) {
	want, err := load(write(t, string(Example())), nil)
	if err != nil {
		t.Fatal(err)
	}
	want.Demonstration = true
	want.Parties[0].Patience.U0 = time.Second
	want.Parties[0].Institution = `"L'Établissement" \ [x]`
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	for range 2 { // the second time replaces
		if err := Write(path, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.lines, want.lines = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back %+v, want %+v", got, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files left in the folder", len(left))
	}
}

// TestWriteRefuses: nothing that Load refuses is written, nothing is kept of it.
func TestWriteRefuses(t *testing.T) {
	good, err := parse(Example())
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"unknown self": func(c *Config) { c.Broker = "paris" },
		"no limit":     func(c *Config) { c.Limits.Body = 0 },
		"outside": func(c *Config) {
			c.Brokers = []Broker{{ID: c.Broker, Libelle: "x", Certificates: []Certificate{{"a", "../a"}}}}
		},
		"negative": func(c *Config) { c.Parties = []Party{c.Parties[0]}; c.Parties[0].Patience.U0 = -1 },
	} {
		c := good
		spoil(&c)
		path := filepath.Join(t.TempDir(), FileName)
		if err := Write(path, c); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file was written", name)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add([]byte("broker = 'a'\n[[brokers]]\nid = 'a'\nlibelle = 'b'\n"))
	f.Add([]byte("brokers = [{id = 1}, 2]\nparties = {a = []}\n[limits]\nbody = nan"))
	f.Add([]byte("[[parties]]\n[parties.patience]\nu0 = '1s'\n[[parties.certificates]]\nfile = '..'"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parse(data)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("error without ErrInvalid: %v", err)
			}
			return
		}
		written, err := encode(c)
		if err != nil {
			t.Fatalf("accepted, not written: %v", err)
		}
		back, err := parse(written)
		if err != nil {
			t.Fatal(err)
		}
		c.lines, back.lines = nil, nil
		if fmt.Sprint(c) != fmt.Sprint(back) {
			t.Fatalf("read back %v, want %v", back, c)
		}
	})
}
