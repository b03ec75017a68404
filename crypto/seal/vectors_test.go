package seal

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

const (
	vectorsArchive = "rnp-test-data.tar.gz"
	vectorsFolder  = "src/tests/data/"
	vectorsPass    = "password" // of the secret keys in the archive
	vectorHang     = 60 * time.Second
	vectorMemory   = 192 << 20 // bytes allocated, in all, for one file at one entry point
)

// TestVectors feeds the OpenPGP data that others made, file by file, to every
// entry point that takes bytes from outside: nothing panics, nothing hangs,
// nothing allocates beyond a bound, and what is accepted keeps the rules of
// this package. The verdicts are those of docs/vectors.md.
func TestVectors(t *testing.T) {
	files := vectorFiles(t)
	l := newVectorLab(t, files)
	names := slices.Sorted(maps.Keys(files))
	rows, counts := map[string]string{}, map[string]int{}
	for _, name := range names {
		var row []string
		for _, e := range l.entries() {
			verdict := l.feed(t, name, files[name], e)
			row = append(row, verdict)
			if strings.HasPrefix(verdict, admitted) {
				counts["accepted as "+e.name]++
			}
			counts["verdicts"]++
		}
		rows[name] = strings.Join(row, " | ")
	}
	t.Logf("%d files, %v; %d certificates and %d secret keys of others in use; slowest %s (%v); most memory %s (%d KiB)",
		len(names), counts, len(l.certs), len(l.identities)-1, l.slowest, l.longest.Round(time.Millisecond), l.largest, l.most>>10)
	if len(l.certs) == 0 || len(l.identities) < 2 || counts["accepted as inside"] == 0 || counts["accepted as signature"] == 0 {
		t.Error("nothing lawful was accepted: the laboratory is blind")
	}
	compareVectors(t, names, rows, l)
}

// vectorFiles reads the archive in place.
func vectorFiles(t *testing.T) map[string][]byte {
	t.Helper()
	dir := os.Getenv("VAGUEMESTRE_VECTORS")
	if dir == "" {
		t.Skip("VAGUEMESTRE_VECTORS is not set: the OpenPGP data made by others is absent")
	}
	f, err := os.Open(filepath.Join(dir, vectorsArchive))
	must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		must(t, err)
		name, ours := strings.CutPrefix(strings.TrimPrefix(h.Name, "./"), vectorsFolder)
		if h.Typeflag != tar.TypeReg || !ours {
			continue
		}
		b, err := io.ReadAll(r)
		must(t, err)
		files[name] = b
	}
}

// vectorLab is what the files are opened and verified with: a key of ours, and
// whatever keys of the archive this package admits.
type vectorLab struct {
	alice, bob *Identity
	identities []*Identity
	certs      []*Cert
	files      map[string][]byte

	slowest, largest string
	longest          time.Duration
	most             uint64
}

func newVectorLab(t *testing.T, files map[string][]byte) *vectorLab {
	l := &vectorLab{alice: generate(t, "alice"), bob: generate(t, "bob"), files: files}
	l.identities = []*Identity{l.bob}
	seen := map[Fingerprint]bool{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for _, part := range transferable(binaryOf(files[name])) {
			if c, err := ParseCert(part); err == nil && !seen[c.Fingerprint()] {
				lawfulCert(t, name, c)
				seen[c.Fingerprint()] = true
				l.certs = append(l.certs, c)
			}
			if id, err := Unlock(part, []byte(vectorsPass)); err == nil {
				l.identities = append(l.identities, id)
			}
		}
	}
	return l
}

// binaryOf takes the armor off, with a reader that admits more than ours, so
// that what is below is reached.
func binaryOf(b []byte) []byte {
	i := bytes.Index(b, []byte("-----BEGIN PGP"))
	if i < 0 {
		return b
	}
	block, err := armor.Decode(bytes.NewReader(b[i:]))
	if err != nil {
		return b
	}
	inner, err := io.ReadAll(io.LimitReader(block.Body, 4<<20))
	if err != nil || len(inner) == 0 {
		return b
	}
	return inner
}

// transferable cuts a keyring at its primary keys.
func transferable(b []byte) (out [][]byte) {
	all, err := splitPackets(b, maxCertPacket)
	if err != nil {
		return nil
	}
	for _, o := range all {
		raw, err := serialize(o.Tag, o.Contents)
		if err != nil {
			return nil
		}
		switch {
		case o.Tag == tagPublic || o.Tag == tagSecret:
			out = append(out, raw)
		case len(out) > 0:
			out[len(out)-1] = append(out[len(out)-1], raw...)
		}
	}
	return out
}

const admitted = "accepted"

// entry is one way in for bytes of others. It returns nil only where the bytes
// were admitted, after checking what was.
type entry struct {
	name string
	try  func(t *testing.T, name string, b []byte) (said string, err error)
}

func (l *vectorLab) entries() []entry {
	return []entry{
		{"certificate", func(t *testing.T, name string, b []byte) (string, error) {
			c, err := ParseCert(b)
			if err != nil {
				return "", err
			}
			lawfulCert(t, name, c)
			return worth(c), nil
		}},
		{"secret key", func(t *testing.T, name string, b []byte) (string, error) {
			id, err := Unlock(b, []byte(vectorsPass))
			if err != nil {
				return "", err
			}
			lawfulCert(t, name, id.Cert())
			return worth(id.Cert()), nil
		}},
		{"message", func(t *testing.T, name string, b []byte) (string, error) {
			return "", l.message(t, name, binaryOf(b))
		}},
		{"inside", func(t *testing.T, name string, b []byte) (string, error) {
			return "", l.message(t, name, forgery{to: []*Cert{l.bob.Cert()}}.around(t, binaryOf(b)))
		}},
		{"signature", func(t *testing.T, name string, b []byte) (string, error) {
			return "", l.signature(t, name, b)
		}},
	}
}

// worth is what an admitted certificate is good for: being read is not yet
// being used.
func worth(c *Cert) string {
	return fmt.Sprintf(", %s to sign, %s to encrypt", c.Standing(day, ToSign), c.Standing(day, ToEncrypt))
}

func (l *vectorLab) signers(id uint64) (out []*Cert) {
	for _, c := range append(l.certs, l.alice.Cert()) {
		if slices.Contains(c.KeyIDs(), id) {
			out = append(out, c)
		}
	}
	return out
}

// message opens b as the broker would; what is accepted was encrypted, with an
// integrity code, and signed by a certificate of ours or of the archive.
func (l *vectorLab) message(t *testing.T, name string, b []byte) error {
	o, err := OpenFrom(context.Background(), bytes.NewReader(b), int64(len(b)), l.identities, l.signers, Limits{})
	// Somebody who was given a session key walks the same bytes.
	if _, e := OpenWithSessionKey(context.Background(), bytes.NewReader(b), int64(len(b)), "9:"+strings.Repeat("00", 32), l.certs, Limits{}); e == nil {
		t.Errorf("%s: opened with a session key of zeros", name)
	}
	if err != nil {
		return err
	}
	w := &walker{source: source{ctx: context.Background(), src: bytes.NewReader(b), end: int64(len(b))}}
	for tag := uint8(0); tag != tagSEIPD; {
		var x extent
		if tag, x, err = readHeader(w); err != nil || tag != tagPKESK && tag != tagSEIPD {
			t.Fatalf("%s: accepted with packet %d outside (%v)", name, tag, err)
		}
		w.skip(x.length)
	}
	r, err := o.Reader(context.Background())
	must(t, err)
	n, err := io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil || n != o.Size() || n > defaultPlain {
		t.Errorf("%s: %d bytes read of %d: %v", name, n, o.Size(), err)
	}
	if !slices.ContainsFunc(l.certs, func(c *Cert) bool { return string(c.Fingerprint()) == o.Signer() }) {
		t.Errorf("%s: accepted, signed by nobody known", name)
	}
	return nil
}

// signature verifies b over the file that it is named after.
func (l *vectorLab) signature(t *testing.T, name string, b []byte) error {
	data := []byte("sans rapport")
	for _, suffix := range []string{".asc", ".sig", ".sign", ".sigmatch"} {
		if signed, ok := l.files[strings.TrimSuffix(name, suffix)]; ok && strings.HasSuffix(name, suffix) {
			data = signed
		}
	}
	if !bytes.HasPrefix(b, []byte("-----BEGIN PGP SIGNATURE")) {
		b = enarmor(blockSignature, binaryOf(b))
	}
	_, _, err := Verify(data, b, l.certs)
	if err == nil {
		if _, _, err := Verify(append(bytes.Clone(data), 'x'), b, l.certs); err == nil {
			t.Errorf("%s: verifies other data too", name)
		}
	}
	return err
}

// lawfulCert holds a certificate to DESIGN section 9, by other means than the
// parser: no secret, version 4, strong and common algorithms, no weak digest.
func lawfulCert(t *testing.T, name string, c *Cert) {
	t.Helper()
	all, err := splitPackets(c.Bytes(), maxCertPacket)
	must(t, err)
	if len(c.Bytes()) > maxCertBytes {
		t.Errorf("%s: a certificate of %d bytes", name, len(c.Bytes()))
	}
	for _, o := range all {
		p, err := o.Parse()
		if err != nil {
			t.Errorf("%s: kept a packet %d that cannot be read", name, o.Tag)
			continue
		}
		switch p := p.(type) {
		case *packet.PublicKey:
			bits, err := p.BitLength()
			rsa := p.PubKeyAlgo == packet.PubKeyAlgoRSA || p.PubKeyAlgo == packet.PubKeyAlgoRSAEncryptOnly || p.PubKeyAlgo == packet.PubKeyAlgoRSASignOnly
			curve := p.PubKeyAlgo == packet.PubKeyAlgoEdDSA || p.PubKeyAlgo == packet.PubKeyAlgoECDH || p.PubKeyAlgo == packet.PubKeyAlgoECDSA
			if err != nil || p.Version != 4 || !rsa && !curve || rsa && (bits < 3072 || bits > 4096) {
				t.Errorf("%s: admits a key of version %d, algorithm %d, %d bits", name, p.Version, p.PubKeyAlgo, bits)
			}
		case *packet.Signature:
			if h := p.Hash.Size(); h < 32 {
				t.Errorf("%s: held together by a digest of %d bytes", name, h)
			}
		case *packet.UserId:
		default:
			t.Errorf("%s: kept a %T", name, p)
		}
	}
}

// feed gives a file to an entry point and returns its verdict: accepted, or
// the exact reason.
func (l *vectorLab) feed(t *testing.T, name string, b []byte, e entry) string {
	t.Helper()
	where := name + " as " + e.name
	done := make(chan error, 1)
	said := ""
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- fmt.Errorf("panic of type %T", p)
			}
		}()
		words, err := e.try(t, name, b)
		said = words
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-time.After(vectorHang):
		t.Fatalf("%s: no answer after %v", where, vectorHang)
	}
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	used := after.TotalAlloc - before.TotalAlloc
	if used > l.most {
		l.most, l.largest = used, where
	}
	if took > l.longest {
		l.longest, l.slowest = took, where
	}
	if used > vectorMemory {
		t.Errorf("%s: %d MiB allocated", where, used>>20)
	}
	var refusal *Error
	switch {
	case err == nil:
		return admitted + said
	case errors.As(err, &refusal):
		if strings.Contains(fmt.Sprint(refusal.Unwrap()), "panic") {
			t.Logf("%s: a panic of the library was caught", where)
			return Exact(err) + " (panic)"
		}
		return Exact(err)
	case errors.Is(err, ErrPassphrase):
		return "passphrase"
	}
	t.Errorf("%s: %v is no refusal", where, err)
	return "?"
}
