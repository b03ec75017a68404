package seal

import (
	"context"
	"io"
	"testing"
)

// The four operations of an exchange: 4 KB, two recipients beside the sender
// for Seal. Run with -bench . -benchmem; figures are printed, never asserted.

func BenchmarkSeal(b *testing.B) {
	alice, bob, carol := generate(b, "alice"), generate(b, "bob"), generate(b, "carol")
	text := make([]byte, 4096)
	for name, to := range map[string][]*Cert{
		"1and_sender": {bob.Cert()},
		"2and_sender": {bob.Cert(), carol.Cert()},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w, err := Seal(context.Background(), io.Discard, alice, to, day)
				if err != nil {
					b.Fatal(err)
				}
				w.Write(text)
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	alice, bob, carol := generate(b, "alice"), generate(b, "bob"), generate(b, "carol")
	msg := sealed(b, alice, []*Cert{bob.Cert(), carol.Cert()}, make([]byte, 4096))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := open(msg, bob, alice.Cert()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	alice := generate(b, "alice")
	data := make([]byte, 500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Sign(context.Background(), alice, data, day); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	alice := generate(b, "alice")
	data := make([]byte, 500)
	sig, err := Sign(context.Background(), alice, data, day)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Verify(data, sig, []*Cert{alice.Cert()}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCert(b *testing.B) {
	raw := generate(b, "alice").Cert().Bytes()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCert(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLarge(b *testing.B) {
	alice, bob := generate(b, "alice"), generate(b, "bob")
	text := make([]byte, 32<<20)
	msg := sealed(b, alice, []*Cert{bob.Cert()}, text)
	b.Run("Seal", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			w, err := Seal(context.Background(), io.Discard, alice, []*Cert{bob.Cert()}, day)
			if err != nil {
				b.Fatal(err)
			}
			w.Write(text)
			w.Close()
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := open(msg, bob, alice.Cert()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Reread", func(b *testing.B) {
		o, err := open(msg, bob, alice.Cert())
		must(b, err)
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			r, err := o.Reader(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
