package export_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

// mailPDF reads an entity as a mail reader does, and returns its first piece.
func mailPDF(t *testing.T, entity string) []byte {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(entity))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("Content-Type: %s, %v", kind, err)
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatalf("no PDF in the message: %v", err)
		}
		if p.FileName() != "piece-01.pdf" {
			continue
		}
		if got := p.Header.Get("Content-Type"); got != "application/pdf" {
			t.Errorf("Content-Type of the piece: %s", got)
		}
		b, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// secret writes the exported private key of a party, under a passphrase.
func (w *world) secret(t *testing.T, owner broker.PartyID) (path, passphrase string) {
	t.Helper()
	const fictive = "phrase de passe fictive"
	b, err := w.all.ExportSecret(string(owner), []byte(fictive))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "secret.asc")
	write(t, b, path)
	return path, fictive
}

// goodBy says whether gpg found a signature good, and whose. The user id of a
// key ends with the party.
func goodBy(said string, p broker.PartyID) bool {
	_, who, good := strings.Cut(said, "Good signature from \"")
	who, _, _ = strings.Cut(who, "\n")
	return good && strings.Contains(who, "("+string(p)+")\"")
}

// gpg alone verifies every signature, and each addressee decrypts.
func TestStockGPG(t *testing.T) {
	need(t, map[string]string{"gpg": "gpg", "gpg-agent": "gpg-agent"})
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	for _, owner := range []broker.PartyID{ase, parquet, juge} {
		home := gpgHome(t)
		for _, name := range files(t, dir) {
			if strings.HasPrefix(name, "certs/") {
				gpg(t, home, "--import", filepath.Join(dir, name))
			}
		}
		for _, name := range files(t, dir) {
			if signed, ok := strings.CutSuffix(name, ".asc"); ok {
				gpg(t, home, "--verify", filepath.Join(dir, name), filepath.Join(dir, signed))
			}
		}
		key, passphrase := w.secret(t, owner)
		gpg(t, home, "--passphrase", passphrase, "--import", key)
		entity, said := gpg(t, home, "--passphrase", passphrase, "--decrypt", filepath.Join(dir, "body.pgp"))
		if !goodBy(said, ase) {
			t.Errorf("%s: no good signature: %s", owner, said)
		}
		if !bytes.Equal(mailPDF(t, entity), rapport(t)) {
			t.Errorf("%s: not the PDF that was sent", owner)
		}
	}
}

// Sequoia, through the interface that all its versions share (sqop).
func TestStockSequoia(t *testing.T) {
	need(t, map[string]string{"sqop": "sqop"})
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{})
	sqop := func(stdin []byte, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		cmd := exec.Command("sqop", args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
		if err := cmd.Run(); err != nil {
			t.Fatalf("sqop %v: %v\n%s", args, err, errs.String())
		}
		return out.String()
	}
	var certs []string
	for _, name := range files(t, dir) {
		if strings.HasPrefix(name, "certs/") {
			certs = append(certs, filepath.Join(dir, name))
		}
	}
	for _, name := range files(t, dir) {
		if signed, ok := strings.CutSuffix(name, ".asc"); ok {
			sqop(read(t, dir, signed), append([]string{"verify", filepath.Join(dir, name)}, certs...)...)
		}
	}
	key, passphrase := w.secret(t, parquet)
	said := filepath.Join(t.TempDir(), "verifications")
	write(t, []byte(passphrase), key+".pass")
	cert := filepath.Join(dir, "certs", "ase-59-"+w.fpr(string(ase))+".pgp")
	entity := sqop(read(t, dir, "body.pgp"), "decrypt", "--with-key-password="+key+".pass", "--verify-with="+cert, "--verifications-out="+said, key)
	if !bytes.Equal(mailPDF(t, entity), rapport(t)) {
		t.Error("not the PDF that was sent")
	}
	if v := string(read(t, said)); !strings.Contains(strings.ToLower(v), w.fpr(string(ase))) {
		t.Errorf("not signed by the sender: %s", v)
	}
}

// With the session key that open/ gives, and no secret key at all, gpg opens
// the body and still shows who wrote it.
func TestSessionKeyWithoutAnySecretKey(t *testing.T) {
	need(t, map[string]string{"gpg": "gpg"})
	w := newWorld(t)
	dir, _ := w.export(w.story(), nord, export.Options{Open: true})
	home := gpgHome(t)
	for _, name := range files(t, dir) {
		if strings.HasPrefix(name, "certs/") {
			gpg(t, home, "--import", filepath.Join(dir, name))
		}
	}
	open := func(sealed, keyFile string) (string, string) {
		t.Helper()
		return gpg(t, home, "--override-session-key", strings.TrimSpace(string(read(t, dir, keyFile))), "--decrypt", filepath.Join(dir, sealed))
	}
	entity, said := open("body.pgp", "open/session-key.txt")
	if !goodBy(said, ase) || entity != string(read(t, dir, "open/message.eml")) {
		t.Errorf("body: %s", said)
	}
	act := "05-taken_in_charge-parquet-lille"
	entity, said = open("evidence/"+act+".detail.pgp", "open/evidence/"+act+"/session-key.txt")
	if !goodBy(said, parquet) || !strings.Contains(entity, `filename="detail.json"`) {
		t.Errorf("act: %s", said)
	}
	if !bytes.Equal(read(t, dir, "open/parts/piece-01.pdf"), rapport(t)) || !bytes.Equal(mailPDF(t, string(read(t, dir, "open/message.eml"))), rapport(t)) {
		t.Error("the PDF of open/ is not the one that was sent")
	}
}

// The commands of point 5 of LISEZMOI.txt, run as they are printed, on a piece
// that a recipient kept, after both ends erased the content.
func TestKeptPieceIsProvenAfterAPurge(t *testing.T) {
	need(t, map[string]string{"sh": "dash", "sha256sum": "coreutils"})
	w := newWorld(t)
	id := w.story()
	kept := t.TempDir()
	content, err := w.at(justice).Read(context.Background(), id, parquet)
	if err != nil {
		t.Fatal(err)
	}
	err = content.EachPart(context.Background(), func(name, _ string, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err == nil && (name == broker.PartSums || name == "piece-01.pdf") {
			write(t, b, kept, name)
		}
		return err
	})
	if err != nil || content.Close() != nil {
		t.Fatal(err)
	}
	for _, by := range []broker.BrokerID{nord, justice} {
		if err := w.at(by).Purge(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
	w.pump()
	dir, _ := w.export(id, justice, export.Options{})
	var commands []string
	for _, line := range strings.Split(string(read(t, dir, "LISEZMOI.txt")), "\n") {
		if c, ok := strings.CutPrefix(line, "    "); ok && strings.HasPrefix(c, "sha256sum ") {
			commands = append(commands, c)
		}
	}
	if len(commands) != 2 {
		t.Fatalf("commands of LISEZMOI.txt: %q", commands)
	}
	run := func(command string) (string, error) {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir, cmd.Env = kept, append(os.Environ(), "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	digest, err := run(commands[0])
	header := string(read(t, dir, "header.json"))
	if err != nil || !strings.Contains(header, `"content_sha256":"`+strings.Fields(digest)[0]+`"`) {
		t.Errorf("%s: %v: %s", commands[0], err, digest)
	}
	if said, err := run(commands[1]); err != nil || !strings.Contains(said, "piece-01.pdf: OK") {
		t.Errorf("%s: %v: %s", commands[1], err, said)
	}
	write(t, append(rapport(t), ' '), kept, "piece-01.pdf")
	if said, err := run(commands[1]); err == nil || strings.Contains(said, "OK") {
		t.Errorf("another PDF passes: %s", said)
	}
}
