package seal

import (
	"bytes"
	"context"
	"errors"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
)

// FuzzArmor: what is taken out of armor, put in again, is taken out the same;
// what stood around it was nothing.
func FuzzArmor(f *testing.F) {
	good := string(enarmor(blockPublic, bytes.Repeat([]byte("abc"), 40)))
	f.Add([]byte(good))
	f.Add([]byte(strings.ReplaceAll(good, "\n", "\r\n")))
	f.Add([]byte(strings.Replace(good, "\n\n", "\nComment: essai\n\n", 1)))
	f.Add([]byte(strings.Replace(good, "\n=", "\n=AAAA\n=", 1)))
	f.Add([]byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAA==\n-----END PGP PUBLIC KEY BLOCK-----"))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := dearmor(blockPublic, b)
		if err != nil {
			isRefusal(t, err)
			return
		}
		if len(out) == 0 || len(out) > len(b) {
			t.Fatalf("%d bytes out of %d", len(out), len(b))
		}
		again, err := dearmor(blockPublic, enarmor(blockPublic, out))
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("not stable: %v", err)
		}
		if _, err := dearmor(blockSignature, b); err == nil {
			t.Fatal("two kinds at once")
		}
	})
}

// bounded runs one call on bytes of a stranger, which may not make it allocate
// without bound.
func bounded(t *testing.T, call func()) {
	t.Helper()
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(allocated)
	before := allocated[0].Value.Uint64()
	call()
	metrics.Read(allocated)
	if used := allocated[0].Value.Uint64() - before; used > 64<<20 {
		t.Fatalf("%d MiB allocated", used>>20)
	}
}

func isRefusal(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not a refusal: %v", err)
	}
}

// FuzzPackets: the packets of a small item, written again, are read the same,
// and never hold more than what came.
func FuzzPackets(f *testing.F) {
	id := generate(f, "essai")
	f.Add(id.Cert().Bytes())
	f.Add([]byte{0xc2, 0xe0, 1, 0xc2, 0xff, 0, 0, 0, 0})
	f.Add([]byte{0x98, 3, 1, 2, 3, 0xb5, 1, 'x'})
	f.Add([]byte{0xc2, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := splitPackets(b, maxCertPacket)
		if err != nil {
			isRefusal(t, err)
			return
		}
		var out []byte
		total := 0
		for _, o := range list {
			raw, err := serialize(o.Tag, o.Contents)
			must(t, err)
			total += len(o.Contents)
			out = append(out, raw...)
		}
		if total > len(b) {
			t.Fatalf("%d bytes of content out of %d", total, len(b))
		}
		again, err := splitPackets(out, maxCertPacket)
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d packets, then %d: %v", len(list), len(again), err)
		}
		for i := range list {
			if again[i].Tag != list[i].Tag || !bytes.Equal(again[i].Contents, list[i].Contents) {
				t.Fatal("not stable")
			}
		}
	})
}

// FuzzSignaturePacket: below the armor, where the packet itself is: nothing but
// what alice signed verifies, and not over other data.
func FuzzSignaturePacket(f *testing.F) {
	alice := generate(f, "alice")
	data := []byte("données")
	good := signature(f, alice.secret[0], data, nil)
	f.Add(good)
	f.Add(join(good, good))
	f.Add(good[:len(good)-1])
	f.Add(signature(f, alice.secret[0], []byte("autres"), nil))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) == 0 {
			return
		}
		var signer string
		var at time.Time
		var err error
		bounded(t, func() { signer, at, err = Verify(data, enarmor(blockSignature, raw), []*Cert{alice.Cert()}) })
		if err != nil {
			isRefusal(t, err)
			return
		}
		if signer != string(alice.Cert().Fingerprint()) || !at.Equal(day) {
			t.Fatal("another signer, or another date")
		}
	})
}

// FuzzSessionKey: a key that is read has one cipher of ours and its length; and
// a wrong one opens nothing.
func FuzzSessionKey(f *testing.F) {
	alice, bob := generate(f, "alice"), generate(f, "bob")
	msg := sealed(f, alice, []*Cert{bob.Cert()}, []byte("un texte sans importance"))
	o, err := open(msg, bob, alice.Cert())
	must(f, err)
	right := o.SessionKey()
	f.Add(right)
	f.Add("9:" + strings.Repeat("00", 32))
	f.Add("7:" + strings.Repeat("AB", 16))
	f.Add("09:" + strings.Repeat("00", 32))
	f.Add("9:")
	f.Fuzz(func(t *testing.T, key string) {
		got, err := OpenWithSessionKey(context.Background(), bytes.NewReader(msg), int64(len(msg)), key, []*Cert{alice.Cert()}, Limits{})
		if err != nil {
			isRefusal(t, err)
			return
		}
		if got.SessionKey() != right {
			t.Fatal("opened with another key")
		}
	})
}
