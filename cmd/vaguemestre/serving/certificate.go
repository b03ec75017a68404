package serving

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"vaguemestre/adapters/httpapi"
)

// errNoNames: no caller could check whom such a certificate is for, and no
// request that it was sent to a name of it.
var errNoNames = errors.New("TLS certificate: it names no host: have one made with a subjectAltName")

// retryRenewal is how long a pair that does not serve is left alone.
const retryRenewal = time.Second

// certificate reads the TLS certificate again when its files have changed: what
// renews it need not know this program. A certificate and a key are two files,
// and nothing replaces both at once: a pair that cannot be read, or whose halves
// do not belong together, leaves the last one in force until it is whole.
type certificate struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time // nil: time.Now

	mu    sync.Mutex
	held  *tls.Certificate // with its Leaf; guarded by mu
	of    [2]fs.FileInfo   // the files that held came from; guarded by mu
	bad   [2]fs.FileInfo   // those that were complained of; guarded by mu
	tried time.Time        // when they were read; guarded by mu
}

// load reads the pair if it is another one than what is held. The error is that
// of a pair that does not serve; it is given once for each.
func (c *certificate) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.now != nil {
		now = c.now()
	}
	files, err := look(c.cert, c.key)
	switch {
	case err == nil && c.held != nil && same(files, c.of):
		return nil
	case !c.tried.IsZero() && c.held != nil && now.Sub(c.tried) < retryRenewal:
		return nil
	}
	var k tls.Certificate
	if err == nil {
		k, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	if err == nil && len(k.Leaf.DNSNames)+len(k.Leaf.IPAddresses) == 0 {
		err = errNoNames
	}
	if err != nil {
		told := c.held != nil && !c.tried.IsZero() && same(files, c.bad)
		c.bad, c.tried = files, now
		if told {
			return nil
		}
		return fmt.Errorf("TLS certificate: %w", err)
	}
	c.held, c.of, c.tried = &k, files, time.Time{}
	return nil
}

// look is what the two files are now; nil stands for one that cannot be seen.
func look(cert, key string) (files [2]fs.FileInfo, err error) {
	for i, path := range []string{cert, key} {
		info, serr := os.Stat(path)
		if serr != nil {
			err = errors.Join(err, serr)
			continue
		}
		files[i] = info
	}
	return files, err
}

// same says whether neither file has changed.
func same(a, b [2]fs.FileInfo) bool {
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) {
			return false
		}
		if a[i] != nil && (!os.SameFile(a[i], b[i]) || !a[i].ModTime().Equal(b[i].ModTime()) || a[i].Size() != b[i].Size()) {
			return false
		}
	}
	return true
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if err := c.load(); err != nil {
		c.log.Warn("the TLS certificate in force is kept", "error", err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held, nil
}

// hosts takes the names of the certificate in force, and on one connection no
// other than the one that TLS was begun with: whoever stands before this broker
// chose the way by that name.
func (c *certificate) hosts(r *http.Request) bool {
	host := httpapi.HostOf(r)
	if r.TLS != nil && r.TLS.ServerName != "" && !strings.EqualFold(r.TLS.ServerName, strings.TrimSuffix(host, ".")) {
		return false
	}
	return c.leaf().VerifyHostname(host) == nil
}

func (c *certificate) leaf() *x509.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held.Leaf
}

// tlsConfig asks for what ANSSI recommends: 1.3, or 1.2 with forward secrecy
// and authenticated encryption.
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: c.get,
		NextProtos:     []string{"h2", "http/1.1"},
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
