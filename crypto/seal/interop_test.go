package seal

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// need skips a test whose tool is absent; continuous integration has them all.
func need(t *testing.T, tool, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is absent: install the Debian package %s", tool, debianPackage)
	}
	t.Skipf("%s is absent: install the Debian package %s", tool, debianPackage)
}

// workshop is a directory where a foreign tool works.
type workshop struct {
	t   *testing.T
	dir string
	env []string
}

func newWorkshop(t *testing.T) *workshop {
	// Not t.TempDir: its name is too long for the socket of gpg's agent.
	dir, err := os.MkdirTemp("", "seal")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	home := filepath.Join(dir, "home")
	must(t, os.Mkdir(home, 0o700))
	// Else the agent spends half a second on every use of a private key.
	must(t, os.WriteFile(filepath.Join(home, "gpg-agent.conf"), []byte("s2k-count 65536\n"), 0o600))
	return &workshop{t: t, dir: dir, env: append(os.Environ(), "GNUPGHOME="+home, "HOME="+home, "LC_ALL=C", "SEQUOIA_HOME="+home)}
}

func (w *workshop) file(name string, b []byte) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	must(w.t, os.WriteFile(path, b, 0o600))
	return path
}

func (w *workshop) read(name string) []byte {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.dir, name))
	must(w.t, err)
	return b
}

func (w *workshop) try(stdin []byte, tool string, args ...string) (stdout []byte, stderr string, err error) {
	cmd := exec.Command(tool, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = w.dir, w.env, bytes.NewReader(stdin)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	err = cmd.Run()
	return out.Bytes(), bad.String(), err
}

func (w *workshop) run(stdin []byte, tool string, args ...string) []byte {
	w.t.Helper()
	out, bad, err := w.try(stdin, tool, args...)
	if err != nil {
		w.t.Fatalf("%s %s: %v\n%s", tool, strings.Join(args, " "), err, bad)
	}
	return out
}

// gpg runs with a status on standard error, which is returned too.
func (w *workshop) gpg(stdin []byte, args ...string) (stdout []byte, status string) {
	w.t.Helper()
	args = append([]string{"--batch", "--no-tty", "--status-fd", "2", "--trust-model", "always", "--pinentry-mode", "loopback"}, args...)
	out, bad, err := w.try(stdin, "gpg", args...)
	if err != nil {
		w.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, bad)
	}
	return out, bad
}

func newGPG(t *testing.T) *workshop {
	need(t, "gpg", "gpg")
	w := newWorkshop(t)
	t.Cleanup(func() { w.try(nil, "gpgconf", "--kill", "gpg-agent") })
	return w
}

// interopText has what goes wrong between programs: bare LF, CR, NUL, accents.
func interopText() []byte {
	return bytes.Repeat([]byte("Situation n° 12\r\nligne\nfin\x00\xff"), 900)
}

// current is generate at the machine's time: other programs judge by it.
func current(t *testing.T, name string) *Identity {
	t.Helper()
	id, err := Generate(name+" <"+name+"@example.test>", Options{Created: time.Now().Add(-time.Minute)})
	must(t, err)
	return id
}

func sealNow(t *testing.T, by *Identity, content []byte, to ...*Cert) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := Seal(context.Background(), &out, by, to, time.Now())
	must(t, err)
	_, err = w.Write(content)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

func TestGPGReadsOurs(t *testing.T) {
	w := newGPG(t)
	alice, bob := current(t, "alice"), current(t, "bob")
	fp := strings.ToUpper(string(alice.Cert().Fingerprint()))
	w.gpg(alice.Cert().Bytes(), "--import")
	w.gpg(bob.Cert().Armor(), "--import")
	text := interopText()

	sig, err := Sign(context.Background(), alice, text, time.Now())
	must(t, err)
	_, status := w.gpg(text, "--verify", w.file("sig.asc", sig), "-")
	if !strings.Contains(status, "VALIDSIG "+fp) {
		t.Errorf("detached signature:\n%s", status)
	}

	msg := sealNow(t, alice, text, bob.Cert())
	o, err := open(msg, bob, alice.Cert())
	must(t, err)
	out, status := w.gpg(msg, "--override-session-key", o.SessionKey(), "--decrypt")
	if !bytes.Equal(out, text) || !strings.Contains(status, "VALIDSIG "+fp) {
		t.Errorf("with the session key, no secret key:\n%s", status)
	}

	secret, err := LockArmored([]*Identity{bob}, []byte("phrase de passe"))
	must(t, err)
	w.gpg(secret, "--passphrase", "phrase de passe", "--import")
	out, status = w.gpg(msg, "--passphrase", "phrase de passe", "--show-session-key", "--decrypt")
	if !bytes.Equal(out, text) || !strings.Contains(status, "VALIDSIG "+fp) {
		t.Errorf("with the exported secret key:\n%s", status)
	}
	if !strings.Contains(status, o.SessionKey()) {
		t.Errorf("gpg shows another session key:\n%s", status)
	}

	revoked, err := alice.Revoke(time.Now(), true)
	must(t, err)
	w.gpg(revoked.Bytes(), "--import")
	_, status = w.gpg(text, "--verify", w.file("sig.asc", sig), "-")
	if !strings.Contains(status, "REVKEYSIG") {
		t.Errorf("our revocation is not seen:\n%s", status)
	}
}

func TestWeReadGPG(t *testing.T) {
	w := newGPG(t)
	bob := current(t, "bob")
	w.gpg(bob.Cert().Bytes(), "--import")
	text := interopText()
	for _, algo := range []string{"ed25519", "rsa3072", "nistp256"} {
		t.Run(algo, func(t *testing.T) {
			user := "gpg-" + algo + "@example.test"
			encrypt := map[string]string{"ed25519": "cv25519"}[algo]
			if encrypt == "" {
				encrypt = algo
			}
			w.gpg(nil, "--passphrase", "phrase", "--quick-generate-key", user, algo, "sign", "1y")
			listing, _ := w.gpg(nil, "--with-colons", "--list-keys", user)
			fp := strings.SplitN(strings.SplitN(string(listing), "\nfpr:::::::::", 2)[1], ":", 2)[0]
			w.gpg(nil, "--passphrase", "phrase", "--quick-add-key", fp, encrypt, "encr", "1y")
			raw, _ := w.gpg(nil, "--armor", "--export", user)
			theirs, err := ParseCert(raw)
			must(t, err)
			if strings.ToUpper(string(theirs.Fingerprint())) != fp {
				t.Errorf("fingerprint %s, gpg says %s", theirs.Fingerprint(), fp)
			}

			detached, _ := w.gpg(text, "--passphrase", "phrase", "-u", user, "--armor", "--detach-sign")
			if signer, _, err := Verify(text, detached, []*Cert{theirs}); err != nil || signer != string(theirs.Fingerprint()) {
				t.Errorf("detached signature: %v: %s", err, Exact(err))
			}
			for _, compress := range []string{"default", "none", "zip", "zlib", "bzip2"} {
				args := []string{"--passphrase", "phrase", "-u", user, "-r", string(bob.Cert().Fingerprint()), "--sign", "--encrypt"}
				if compress != "default" {
					args = append([]string{"--compress-algo", compress}, args...)
				}
				msg, _ := w.gpg(text, args...)
				o, err := open(msg, bob, theirs)
				if compress == "bzip2" {
					veiled(t, err, "compressed")
					continue
				}
				if err != nil {
					t.Errorf("%s: %v: %s", compress, err, Exact(err))
					continue
				}
				if !bytes.Equal(content(t, o), text) {
					t.Errorf("%s: another content", compress)
				}
			}
			gpgAttacks(t, w, user, bob, theirs)

			exported, _ := w.gpg(nil, "--passphrase", "phrase", "--export-secret-keys", user)
			id, err := Unlock(exported, []byte("phrase"))
			must(t, err)
			msg, _ := w.gpg(text, "--passphrase", "phrase", "-u", user, "-r", user, "--sign", "--encrypt")
			if _, err := open(msg, id, theirs); err != nil {
				t.Errorf("with its own secret key: %v: %s", err, Exact(err))
			}
		})
	}
}

// gpgAttacks refuses what gpg makes when asked for something else.
func gpgAttacks(t *testing.T, w *workshop, user string, bob *Identity, theirs *Cert) {
	t.Helper()
	text := interopText()
	hidden, _ := w.gpg(text, "--passphrase", "phrase", "-u", user, "-R", string(bob.Cert().Fingerprint()), "--sign", "--encrypt")
	_, err := open(hidden, bob, theirs)
	refused(t, err, "anonymous_recipient", "anonymous_recipient")
	password, _ := w.gpg(text, "--passphrase", "phrase", "-u", user, "-r", string(bob.Cert().Fingerprint()), "--sign", "--encrypt", "--symmetric")
	_, err = open(password, bob, theirs)
	refused(t, err, "password_packet", "password_packet")
	unsigned, _ := w.gpg(text, "-r", string(bob.Cert().Fingerprint()), "--encrypt")
	_, err = open(unsigned, bob, theirs)
	veiled(t, err, "unsigned")
}

// sqop speaks the Stateless OpenPGP interface of one implementation.
func TestSOP(t *testing.T) {
	need(t, "sqop", "sqop")
	w := newWorkshop(t)
	alice, bob := current(t, "alice"), current(t, "bob")
	text := interopText()
	aliceCert := w.file("alice.pgp", alice.Cert().Armor())
	bobCert := w.file("bob.pgp", bob.Cert().Bytes())
	secret, err := LockArmored([]*Identity{bob}, []byte("phrase"))
	must(t, err)
	bobKey := w.file("bob.key", secret)
	phrase := w.file("phrase", []byte("phrase"))

	t.Run("it reads ours", func(t *testing.T) {
		sig, err := Sign(context.Background(), alice, text, time.Now())
		must(t, err)
		w.run(text, "sqop", "verify", w.file("sig.asc", sig), aliceCert)
		msg := sealNow(t, alice, text, bob.Cert())
		out := w.run(msg, "sqop", "decrypt", "--with-key-password", phrase, "--verify-with", aliceCert,
			"--verifications-out", "verifications", "--session-key-out", "session", bobKey)
		if !bytes.Equal(out, text) || !strings.Contains(strings.ToLower(string(w.read("verifications"))), string(alice.Cert().Fingerprint())) {
			t.Errorf("verifications: %s", w.read("verifications"))
		}
		o, err := open(msg, bob, alice.Cert())
		must(t, err)
		if got := strings.TrimSpace(string(w.read("session"))); !strings.EqualFold(got, o.SessionKey()) {
			t.Error("another session key")
		}
	})
	t.Run("we read its", func(t *testing.T) {
		key := w.run(nil, "sqop", "generate-key", "Essai <essai@example.test>")
		keyFile := w.file("theirs.key", key)
		theirs, err := ParseCert(w.run(key, "sqop", "extract-cert"))
		must(t, err)
		detached := w.run(text, "sqop", "sign", keyFile)
		if _, _, err := Verify(text, detached, []*Cert{theirs}); err != nil {
			t.Errorf("detached signature: %v: %v", err, err.(*Error).Unwrap())
		}
		msg := w.run(text, "sqop", "encrypt", "--no-armor", "--sign-with", keyFile, bobCert)
		o, err := open(msg, bob, theirs)
		if err != nil {
			t.Fatalf("%v: %s", err, Exact(err))
		}
		if !bytes.Equal(content(t, o), text) {
			t.Error("another content")
		}
		id, err := Unlock(key, nil)
		must(t, err)
		msg = w.run(text, "sqop", "encrypt", "--no-armor", "--sign-with", keyFile, w.file("theirs.pgp", theirs.Bytes()))
		if _, err := open(msg, id, theirs); err != nil {
			t.Errorf("with its own key: %v: %s", err, Exact(err))
		}
	})
}

func TestSQ(t *testing.T) {
	need(t, "sq", "sq")
	w := newWorkshop(t)
	alice := current(t, "alice")
	text := interopText()
	cert := w.file("alice.pgp", alice.Cert().Armor())
	if out := w.run(nil, "sq", "inspect", cert); !strings.Contains(strings.ToLower(string(out)), string(alice.Cert().Fingerprint())) {
		t.Errorf("inspect:\n%s", out)
	}
	sig, err := Sign(context.Background(), alice, text, time.Now())
	must(t, err)
	signature, data := w.file("sig.asc", sig), w.file("data", text)
	// The options changed their names between versions.
	var last string
	for _, args := range [][]string{
		{"verify", "--signer-file", cert, "--signature-file", signature, data},
		{"verify", "--signer-file", cert, "--signature-file=" + signature, data},
		{"verify", "--signer-cert", cert, "--detached", signature, data},
	} {
		_, bad, err := w.try(nil, "sq", args...)
		if err == nil {
			return
		}
		last += fmt.Sprintf("sq %s: %v\n%s", strings.Join(args, " "), err, bad)
	}
	t.Error(last)
}
