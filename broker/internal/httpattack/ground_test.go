package httpattack

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker/internal/sabotage"
	"vaguemestre/broker/internal/served"
)

const (
	// program is a binary to attack instead of the sound one.
	program  = "VAGUEMESTRE_HTTPATTACK_PROGRAM"
	name     = "courrier.example"
	sentinel = "CANARI" // begins every mark
)

// ample is far above what anything lawful takes; it is never a measure.
const ample = time.Minute

// patience is the same for a refusal. A program without limits is waited for
// less: it only has to fail.
var patience = func() time.Duration {
	if os.Getenv(program) != "" {
		return 10 * time.Second
	}
	return ample
}()

// logBook is a log that many write and a test reads.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer // guarded by mu
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// ground is a broker that is served.
type ground struct {
	house *served.House
	proc  *served.Process
	log   *logBook
	roots *x509.CertPool
	token string // of the ASE, with every right
	other string // of the judge, who may read
	big   string // id of a pli with a piece of bigSize bytes
	kept  string // what was there before
}

const bigSize = 24 << 20

// built is the program, once for all tests of this process.
var built = sync.OnceValues(func() (string, error) {
	if p := os.Getenv(program); p != "" {
		return p, nil
	}
	return build(nil)
})

func build(edits []sabotage.Edit) (string, error) {
	root, err := sabotage.Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "httpattack-")
	if err != nil {
		return "", err
	}
	folders.Lock()
	folders.list = append(folders.list, dir)
	folders.Unlock()
	file := filepath.Join(dir, "vaguemestre")
	return file, sabotage.Build(context.Background(), root, edits, "./cmd/vaguemestre", file)
}

// folders are those of programs, which are erased in the end.
var folders struct {
	sync.Mutex
	list []string
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, dir := range folders.list {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// theProgram is the program to attack; the test is skipped by name where it
// cannot be built.
func theProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and serves the program")
	}
	p, err := built()
	if errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newHouse makes a data directory with a TLS certificate, not yet served.
func newHouse(t *testing.T) (*served.House, *x509.CertPool) {
	t.Helper()
	root, err := os.MkdirTemp("", "ha-") // short: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	h, err := served.New(theProgram(t), root)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(h.Config())
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	address := regexp.MustCompile(`listen = "(127[0-9.]+):0"`).FindStringSubmatch(text)
	if address == nil {
		t.Fatal("the configuration names no address")
	}
	for old, new := range map[string]string{
		`# tls_cert = "tls/cert.pem"`: `tls_cert = "tls/cert.pem"`, `# tls_key = "tls/key.pem"`: `tls_key = "tls/key.pem"`,
		"rate_per_second = 100000": "rate_per_second = 200", "burst = 100000": "burst = 400",
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("the configuration has no %s", old)
		}
		text = strings.Replace(text, old, new, 1)
	}
	if err := os.WriteFile(h.Config(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(h.Data, "tls")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(root, "next")
	if err := os.Mkdir(next, 0o700); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certify(t, dir, address[1], 1))
	pool.AddCert(certify(t, next, address[1], 2)) // which comes in its place
	return h, pool
}

// certify makes a certificate that is its own authority.
func certify(t *testing.T, dir, address string, serial int64) *x509.Certificate {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{name, "autre.example"}, IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// newGround serves a broker with one large pli, and waits until it is still.
func newGround(t *testing.T) *ground {
	t.Helper()
	g := &ground{log: &logBook{}}
	g.house, g.roots = newHouse(t)
	var err error
	if g.proc, err = g.house.Start(g.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.proc.Cmd.Process.Kill() // a test that ended well has stopped it
		<-g.proc.Gone
	})
	select {
	case <-g.proc.Ready:
	case <-time.After(ample):
		t.Fatalf("it does not serve: %s", g.proc.Said())
	}
	if g.token, err = g.house.Token(t.Context(), served.ASE, "logiciel", "send", "read", "act", "export", "audit"); err != nil {
		t.Fatal(err)
	}
	if g.other, err = g.house.Token(t.Context(), served.Juge, "presse", "read"); err != nil {
		t.Fatal(err)
	}
	c := &caller{g: g, from: "127.0.0.1"}
	g.big = c.submit(t, "grand", bigSize)
	g.still(t)
	g.kept = g.keeps(t)
	return g
}

// metric reads one figure of /metrics, added up over its labels.
func (g *ground) metric(t *testing.T, family string) float64 {
	t.Helper()
	r, err := http.Get("http://" + g.proc.Admin() + "/metrics")
	if err != nil {
		t.Error(err)
		return -1
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("metrics: %d, %v", r.StatusCode, err)
		return -1
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, family); ok && (rest[0] == '{' || rest[0] == ' ') {
			n, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
			if err != nil {
				t.Fatal(err)
			}
			sum, found = sum+n, true
		}
	}
	if !found {
		t.Fatalf("no metric %s", family)
	}
	return sum
}

// still waits until nothing is left to carry or to answer.
func (g *ground) still(t *testing.T) {
	t.Helper()
	eventually(t, "stillness", func() bool {
		return g.metric(t, "vaguemestre_queue_items") == 0 && g.metric(t, "vaguemestre_http_calls") == 0
	})
}

// keeps is what the broker holds: events, and every file of bodies.
func (g *ground) keeps(t *testing.T) string {
	t.Helper()
	files := []string{}
	err := filepath.WalkDir(filepath.Join(g.house.Data, "bodies"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			files = append(files, e.Name())
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%.0f events, bodies %q", g.metric(t, "vaguemestre_journal_events"), files)
}

// clean searches the log and the data directory for what no attack may leave.
func (g *ground) clean(t *testing.T) {
	t.Helper()
	_, secret, _ := strings.Cut(g.token, "_")
	marks := [][]byte{[]byte(strings.ToLower(sentinel)), []byte(strings.ToLower(secret))}
	search := func(where string, text []byte) {
		text = bytes.ToLower(text)
		for i, m := range marks {
			if at := bytes.Index(text, m); at >= 0 {
				t.Errorf("mark %d stands in %s at %d", i, where, at)
			}
		}
	}
	search("the log", []byte(g.log.String()))
	err := filepath.WalkDir(g.house.Data, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		search(filepath.Base(path), b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	within(t, ample, what, f)
}

func within(t *testing.T, most time.Duration, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Errorf("never came: %s", what)
}

// form is the body of a lawful submission, less its end after the piece.
func form(t *testing.T, piece []byte) (body []byte, ctype string) {
	t.Helper()
	doc, err := os.ReadFile("../../../cmd/vaguemestre/papers/06-signalement-sans-reponse.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{
		"kind": "signalement", "to": []string{served.Parquet}, "urgency": "U0", "actor": map[string]string{"name": "MODÈLE Alix"}, "document": json.RawMessage(doc),
	})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="message"`}, "Content-Type": {"application/json"}})
	if err == nil {
		_, err = part.Write(text)
	}
	if err == nil {
		part, err = w.CreateFormFile("piece", "note.pdf")
	}
	if err == nil {
		_, err = part.Write(piece)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}
