package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func TestLock(t *testing.T) {
	id := generate(t, "essai")
	var clear bytes.Buffer
	must(t, id.secret[0].Serialize(&clear))
	scalar := clear.Bytes()[clear.Len()-30 : clear.Len()-4]
	for _, f := range []LockFormat{LockArgon2, LockIterated} {
		b, err := id.Lock([]byte("passe"), f)
		must(t, err)
		if bytes.Contains(b, scalar) {
			t.Error("private key in clear")
		}
		got, err := Unlock(b, []byte("passe"))
		must(t, err)
		if !bytes.Equal(got.Cert().Bytes(), id.Cert().Bytes()) {
			t.Error("another certificate")
		}
		msg := sealed(t, id, []*Cert{id.Cert()}, []byte("x"))
		if _, err := open(msg, got, id.Cert()); err != nil {
			t.Error(err)
		}
		for _, wrong := range []string{"autre", ""} {
			if _, err := Unlock(b, []byte(wrong)); !errors.Is(err, ErrPassphrase) {
				t.Errorf("wrong passphrase: %v", err)
			}
		}
		if _, err := id.Lock(nil, f); !errors.Is(err, ErrNoPassphrase) {
			t.Errorf("empty passphrase: %v", err)
		}
	}
	if _, err := Unlock(clear.Bytes(), []byte("passe")); err == nil {
		t.Error("a lone clear primary key was read")
	}
	if bytes.Contains([]byte(hex.EncodeToString(id.Cert().Bytes())), []byte(hex.EncodeToString(scalar))) {
		t.Error("private key in the certificate")
	}
}

func TestUnlockRefuses(t *testing.T) {
	id, other := generate(t, "essai"), generate(t, "autre")
	good, err := id.Lock([]byte("passe"), LockArgon2)
	must(t, err)
	theirs, err := other.Lock([]byte("passe"), LockIterated)
	must(t, err)
	clear := func() []byte {
		raw := make([][]byte, 2)
		for i, s := range id.secret {
			var out bytes.Buffer
			must(t, s.Serialize(&out))
			raw[i] = out.Bytes()
		}
		return id.Cert().assemble(raw[0], func(int) []byte { return raw[1] })
	}()
	if _, err := Unlock(clear, nil); err != nil {
		t.Errorf("clear key with an empty passphrase: %v", err)
	}
	packets, err := splitPackets(good, maxCertPacket)
	must(t, err)
	greedy := bytes.Clone(good)
	// After the public part: usage 253, cipher, mode, then S2K type, 16 bytes of
	// salt, passes, lanes, memory.
	greedy[2+publicLen(t, id)+3+19] = 31
	for _, row := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"public certificate", id.Cert().Bytes(), "format"},
		{"not protected", clear, "format"},
		{"two keys", join(good, theirs), "format"},
		{"cut", good[:len(good)-1], "truncated"},
		{"wrong block", enarmor(blockPublic, good), "format"},
		{"terabytes of Argon2", greedy, "too_large"},
		{"subkey without its private part", func() []byte {
			var out bytes.Buffer
			for _, p := range packets {
				if p.Tag == tagSecretSub {
					out.Write(id.Cert().subs[0].raw)
					continue
				}
				must(t, p.Serialize(&out))
			}
			return out.Bytes()
		}(), "format"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := Unlock(row.raw, []byte("passe"))
			refused(t, err, row.want, row.want)
		})
	}
}

func publicLen(t testing.TB, id *Identity) int {
	t.Helper()
	n, err := publicLength(&id.secret[0].PublicKey)
	must(t, err)
	return n
}
