package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// What an operator wrote beside a key stays there when a certificate comes,
// whether its owner has one already or none.
func TestAddCertificateKeepsComments(t *testing.T) {
	more := "\n[[parties]] # a comment of ours\nid = \"service-59\"\nrole = \"service\"\ninstitution = \"Un service\"\ndepartement = \"59\"\nhome = \"departement-59\"\n[parties.patience]\nu0 = \"5m\" # another\n"
	k := Certificate{Fingerprint: strings.Repeat("c", 40), File: "certs/new.pgp"}
	for _, owner := range []string{"departement-59", "parquet-lille", "je-lille", "service-59"} {
		path := write(t, string(Example())+more)
		before, err := load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := AddCertificate(path, owner, k); err != nil {
			t.Fatal(err)
		}
		got, err := load(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := before.certificatesOf(owner)
		*list = append([]Certificate{k}, *list...)
		if !same(got, before) {
			t.Errorf("%s: the file says something else", owner)
		}
		text, _ := os.ReadFile(path)
		for _, comment := range []string{"# a comment of ours", "# another", "# ase, parquet, juge or service"} {
			if !strings.Contains(string(text), comment) {
				t.Errorf("%s: %q is lost", owner, comment)
			}
		}
	}
}

// A file whose tables are written inline loses its comments rather than its
// meaning.
func TestAddCertificateElsewhere(t *testing.T) {
	path := write(t, "broker = 'a'\nbrokers = [{id = 'a', libelle = 'A', certificates = [{fingerprint = 'x', file = 'y'}]}]\n")
	k := Certificate{"z", "w"}
	if err := AddCertificate(path, "a", k); err != nil {
		t.Fatal(err)
	}
	c, err := load(path, nil)
	if err != nil || len(c.Brokers[0].Certificates) != 2 || c.Brokers[0].Certificates[0] != k {
		t.Errorf("%+v, %v", c.Brokers, err)
	}
	// What looks like the list is a part of a text: it must stay what it was.
	path = write(t, "broker = 'a'\n[[brokers]]\nid = 'a'\nlibelle = \"\"\"A\ncertificates = [\n\"\"\"\ncertificates = [{fingerprint = 'x', file = 'y'}]\n")
	if err := AddCertificate(path, "a", k); err != nil {
		t.Fatal(err)
	}
	c, err = load(path, nil)
	if err != nil || len(c.Brokers[0].Certificates) != 2 || c.Brokers[0].Libelle != "A\ncertificates = [\n" {
		t.Errorf("%+v, %v", c.Brokers, err)
	}
	if err := AddCertificate(path, "b", k); !errors.Is(err, ErrOwner) {
		t.Errorf("nobody: %v", err)
	}
}

// The first file of a broker loads, and says what was asked.
func TestInitial(t *testing.T) {
	want, err := parse(Example())
	if err != nil {
		t.Fatal(err)
	}
	want.Demonstration = true
	want.API.MaxUpload = 0
	want.Brokers = want.Brokers[:1]
	want.Parties = want.Parties[:1]
	want.Parties[0].Institution = "L'\"Établissement\" \\ \t{{toml}}"
	path := filepath.Join(t.TempDir(), FileName)
	if err := WriteInitial(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !same(got, want) {
		t.Errorf("read back %+v, want %+v", got, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	want.Broker = "paris"
	if err := WriteInitial(path, want); !errors.Is(err, ErrInvalid) {
		t.Errorf("a broker that is not listed: %v", err)
	}
}

func TestUpload(t *testing.T) {
	c := Config{Limits: Limits{Body: 10}}
	if c.Upload() != 10 {
		t.Error("left out, it is the limit of a pli")
	}
	c.API.MaxUpload = 5
	if c.Upload() != 5 {
		t.Error("not what is written")
	}
	c.Limits.Body = 3 // by the environment
	if c.Upload() != 3 {
		t.Error("more than a pli may hold")
	}
}

func FuzzQuote(f *testing.F) {
	f.Add(`a"b\c`)
	f.Add("\x00\x7f\n é")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parse([]byte("broker = 'a'\n[[brokers]]\nid = 'a'\nlibelle = " + quote("x"+s) + "\n"))
		if !utf8.ValidString(s) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Brokers[0].Libelle; got != "x"+s {
			t.Fatalf("%q is read as %q", s, got)
		}
	})
}
