package export_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaguemestre/broker"
	"vaguemestre/broker/export"
)

func TestFoldersMadeToHarm(t *testing.T) {
	anchors := goldenAnchors(t)
	secret := filepath.Join(t.TempDir(), "secret.txt")
	write(t, []byte("x"), secret)
	link := func(name, to string) func(*testing.T, string) {
		return func(t *testing.T, d string) {
			if err := os.RemoveAll(filepath.Join(d, name)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(to, filepath.Join(d, name)); err != nil {
				t.Skip("no symbolic links here")
			}
		}
	}
	huge := func(name string, size int64) func(*testing.T, string) {
		return func(t *testing.T, d string) {
			if err := os.Truncate(filepath.Join(d, name), size); err != nil { // sparse
				t.Skip("no sparse files here")
			}
		}
	}
	for _, c := range []struct {
		name, file, what string
		do               func(*testing.T, string)
	}{
		{"a link to a file of the export", "body.pgp", "neither a file nor a folder", link("body.pgp", "header.json")},
		{"a link out of the folder", "header.json", "neither a file nor a folder", link("header.json", secret)},
		{"a link to a folder", "certs", "neither a file nor a folder", link("certs", "evidence")},
		{"a link that goes round", "open", "neither a file nor a folder", link("open", ".")},
		{"a pipe", "pipe", "neither a file nor a folder", func(t *testing.T, d string) {
			if err := makePipe(filepath.Join(d, "pipe")); err != nil {
				t.Skip("no pipes here")
			}
		}},
		{"a huge header", "header.json", "too large", huge("header.json", 1<<40)},
		{"a huge list", "export.sha256", "too large", huge("export.sha256", 1<<40)},
		{"a huge body", "body.pgp", "too large", huge("body.pgp", 1<<40)},
		{"a huge signature", "deposit.json.asc", "too large", huge("deposit.json.asc", 1<<40)},
		{"a huge message", "open/message.eml", "too large", huge("open/message.eml", 1<<40)},
		{"too many files", "", "too many", func(t *testing.T, d string) {
			for i := range 9000 {
				write(t, nil, d, fmt.Sprintf("f%d", i))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := copied(t, goldenOpen)
			c.do(t, dir)
			_, err := verify(dir, anchors)
			wantFault(t, err, c.file, c.what)
		})
	}
	var f *export.FaultError
	if _, err := verify(filepath.Join(t.TempDir(), "absent"), anchors); err == nil || errors.As(err, &f) {
		t.Errorf("no folder at all: %v", err)
	}
	_, err := verify(t.TempDir(), anchors)
	wantFault(t, err, "export.sha256", "missing")
}

// A large body is never held whole: it goes through the files of the journal.
func TestLargeBody(t *testing.T) {
	w := newWorld(t)
	piece := make([]byte, 3<<20)
	if _, err := rand.Read(piece); err != nil {
		t.Fatal(err)
	}
	id := w.deposit("large", piece)
	for _, by := range []broker.BrokerID{nord, justice} {
		dir, _ := w.export(id, by, export.Options{Open: true})
		if !bytes.Equal(read(t, dir, "open/parts/piece-01.pdf"), piece) {
			t.Error("not the piece that was sent")
		}
		if r, err := verify(dir, w.anchors()); err != nil || !r.Opened {
			t.Fatal(err)
		}
		b := read(t, dir, "open/message.eml")
		b[len(b)/2] ^= 1
		write(t, b, dir, "open/message.eml")
		_, err := verify(dir, w.anchors())
		wantFault(t, err, "open/message.eml", "sealed message")
	}
	scriptAccepts(t, first(w.export(id, nord, export.Options{Open: true})), w.anchors())

	// A body that the disk altered is not exported as if it were whole.
	bodies, err := filepath.Glob(filepath.Join(w.Dir(nord), "bodies", "??", "*"))
	if err != nil || len(bodies) != 1 {
		t.Fatalf("body files: %q, %v", bodies, err)
	}
	b := read(t, bodies[0])
	b[len(b)/2] ^= 1
	write(t, b, bodies[0])
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := export.Write(context.Background(), w.at(nord), id, dir, export.Options{}); err == nil {
		t.Error("an altered body was exported")
	}
	gone(t, dir)
}

// passkey answers as an authenticator would to this challenge.
func passkey(t *testing.T, key *ecdsa.PrivateKey, ceremony string, challenge []byte, present byte) []byte {
	t.Helper()
	raw := base64.RawURLEncoding.EncodeToString
	client := fmt.Appendf(nil, `{"type":"%s","challenge":"%s","origin":"https://courrier-nord.invalid"}`, ceremony, raw(challenge))
	authenticator := append(bytes.Repeat([]byte{9}, 32), present, 0, 0, 0, 1)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(bytes.Clone(authenticator), hash[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Appendf(nil, `{"credential_id":"%s","public_key":"%s","authenticator_data":"%s","client_data_json":"%s","signature":"%s"}`,
		raw([]byte("fictive")), raw(public), raw(authenticator), raw(client), raw(sig))
}

func TestPasskey(t *testing.T) {
	const get = "webauthn.get"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	challenge := sha256.Sum256([]byte("detail"))
	good := passkey(t, key, get, challenge[:], 1)
	if err := broker.CheckAssertion(good, hex.EncodeToString(challenge[:])); err != nil {
		t.Errorf("a good assertion: %v", err)
	}
	other := sha256.Sum256([]byte("other"))
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mixed := func() []byte { // the signature of one, the key of another
		a, b := string(good), string(passkey(t, stranger, get, challenge[:], 1))
		cut := func(s string) int { return strings.LastIndex(s, `,"signature"`) }
		return []byte(a[:cut(a)] + b[cut(b):])
	}
	for name, b := range map[string][]byte{
		"another challenge":  passkey(t, key, get, other[:], 1),
		"nobody was present": passkey(t, key, get, challenge[:], 0),
		"another key":        mixed(),
		"white space":        bytes.Replace(good, []byte(`,"sig`), []byte(`, "sig`), 1),
		"a member more":      bytes.Replace(good, []byte(`}`), []byte(`,"x":"y"}`), 1),
		"bytes after":        append(bytes.Clone(good), '\n'),
		"another ceremony":   passkey(t, key, "webauthn.create", challenge[:], 1),
		"nothing":            nil,
	} {
		if bytes.Equal(b, good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if broker.CheckAssertion(b, hex.EncodeToString(challenge[:])) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
