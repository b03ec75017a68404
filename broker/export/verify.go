package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"vaguemestre/broker"
)

// checking is one export being verified.
type checking struct {
	ctx     context.Context
	t       *tree
	v       Verifier
	anchors anchorSet
	certs   map[string]Certificate // by fingerprint

	header    broker.Header
	digest    string    // of header.json
	signer    string    // fingerprint, of header.json
	signedAt  time.Time // of header.json
	deposit   broker.Evidence
	proof     proof
	inscribed []inscribed
	sealed    []act
	known     map[string]bool // digests of deposit and evidences
	cited     []string        // digests in prev
	seen      map[string]bool // event, recipient and signer of each evidence
	purged    map[broker.BrokerID]bool
	report    Report
}

// inscribed is what a leaf must say of a fact.
type inscribed struct {
	kind, digest string
	at           time.Time // of signature
	log          broker.LogHead
}

// Verify checks an export against anchors, without any data directory. It
// returns a *FaultError for the first fault (also when there is no anchor: the
// Report then lists the certificates to compare with the sheet), ErrAnchor,
// wrapped, for anchors that contradict each other, and any other error for a
// folder that cannot be read at all.
func Verify(dir string, anchors []Anchor, v Verifier) (Report, error) {
	set, err := newAnchorSet(anchors)
	if err != nil {
		return Report{}, err
	}
	t, err := newTree(dir)
	if err != nil {
		return Report{}, err
	}
	c := &checking{
		ctx: context.Background(), t: t, v: v, anchors: set, certs: map[string]Certificate{},
		known: map[string]bool{}, seen: map[string]bool{}, purged: map[broker.BrokerID]bool{},
	}
	err = c.run()
	if closed := t.close(); err == nil && closed != nil {
		err = fmt.Errorf("export: %w", closed)
	}
	var f *FaultError
	if errors.As(err, &f) && len(anchors) > 0 {
		// What was read before a fault proves nothing.
		return Report{Notice: c.report.Notice}, err
	}
	return c.report, err
}

// run makes the checks of verifier.sh in its order.
func (c *checking) run() error {
	steps := []func() error{
		c.t.takeStock, c.readHeader, c.readProof, c.fixedFiles, c.certificates, c.anchored,
		c.signedList, c.checkHeader, c.checkDeposit, c.evidences, c.checkpoint, c.journal,
		func() error { return c.t.leftOver(false) }, c.opened,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	c.report.Files = len(c.t.names)
	return nil
}

// readHeader reads who writes to whom; nobody vouches for it yet.
func (c *checking) readHeader() error {
	b, err := c.t.read(fileHeader)
	if err != nil {
		return err
	}
	h, err := broker.ParseHeader(b)
	if err != nil || !plainParties(append(h.Recipients(), h.From)) || h.BodySize > maxNumber {
		return fault(fileHeader, "not in the form of the wire")
	}
	c.header, c.digest = h, hexSum(b)
	r := &c.report
	r.Notice, r.ID, r.From, r.To, r.Cc, r.Urgency = h.Notice, h.ID, h.From, h.To, h.Cc, h.Urgency
	return nil
}

func plainParties(list []broker.PartyID) bool {
	return !slices.ContainsFunc(list, func(p broker.PartyID) bool { return !isParty(string(p)) })
}

func (c *checking) readProof() error {
	b, err := c.t.read(fileProof)
	if err != nil {
		return err
	}
	if c.proof, err = parseProof(b); err != nil {
		return fault(fileProof, err.Error())
	}
	c.report.Broker, c.report.Origin, c.report.Size = broker.BrokerID(c.proof.Broker), c.proof.Origin, c.proof.Size
	return nil
}

// fixedFiles are there whatever the pli.
func (c *checking) fixedFiles() error {
	for _, name := range []string{
		fileHeader, fileHeader + sigSuffix, fileDeposit, fileDeposit + sigSuffix, fileDirectory, fileProof,
		fileCheckpoint, fileCheckpoint + sigSuffix, fileVerifier, fileRead, fileList, fileList + sigSuffix,
	} {
		if err := c.t.expect(name); err != nil {
			return err
		}
	}
	script, err := c.t.read(fileVerifier)
	if err == nil && !bytes.Equal(script, verifierScript) {
		c.note("verifier.sh is not the script of this program: it may be of another version")
	}
	return err
}

// certificates reads those of the export, believing nothing of them.
func (c *checking) certificates() error {
	for _, name := range c.t.names {
		if !strings.HasPrefix(name, dirCerts) {
			continue
		}
		dir, base := name[:strings.LastIndexByte(name, '/')+1], name[strings.LastIndexByte(name, '/')+1:]
		stem, ok := strings.CutSuffix(base, ".pgp")
		cut := strings.LastIndexByte(stem, '-')
		if !ok || cut < 1 || dir != dirCerts && dir != dirLater || !isParty(stem[:cut]) || !isHex(stem[cut+1:], 40) {
			return fault(name, "abnormal name of a certificate")
		}
		b, err := c.t.read(name)
		if err != nil {
			return err
		}
		if dir == dirLater {
			c.note("a certificate was revoked or changed since: see " + name)
			continue
		}
		cert, err := c.v.Certificate(b)
		if err != nil || cert.Fingerprint() != stem[cut+1:] || bytes.HasPrefix(b, []byte("-----")) || c.certs[stem[cut+1:]] != nil {
			return fault(name, "not the one public certificate that its name says")
		}
		c.certs[cert.Fingerprint()] = cert
		c.report.Certificates = append(c.report.Certificates, stem)
	}
	if len(c.certs) == 0 {
		return fault(dirCerts, "no certificate")
	}
	return nil
}

// anchored: without anchors nothing can be proven.
func (c *checking) anchored() error {
	if len(c.anchors) == 0 {
		return fault("", "nothing is proven without anchors: give the fingerprints of the printed sheet")
	}
	return nil
}

// signature verifies FILE.asc and returns whose certificate made it, and when.
// Whether that one may is the caller's question.
func (c *checking) signature(name string, data []byte) (fingerprint string, at time.Time, err error) {
	sig, err := c.t.read(name + sigSuffix)
	if err != nil {
		return "", time.Time{}, err
	}
	if !oneBlock(sig) {
		return "", time.Time{}, fault(name+sigSuffix, "not one armored signature and nothing else")
	}
	what := "signed by none of the certificates of the export"
	for _, fingerprint := range sortedKeys(c.certs) {
		at, err := c.certs[fingerprint].Verify(data, sig)
		if err == nil {
			c.report.Signatures++
			return fingerprint, at, c.standing(name, c.certs[fingerprint], at)
		}
		if r := reason(err); r != unknownSigner {
			what = "its signature does not hold (" + r + ")"
		}
	}
	return "", time.Time{}, fault(name, what)
}

// oneBlock holds the form of MEMBERS: no armor header, in which anything could
// be written, and a last line that is ended.
func oneBlock(b []byte) bool {
	lines := strings.Split(string(b), "\n")
	n := len(lines)
	if n < 5 || lines[0] != "-----BEGIN PGP SIGNATURE-----" || lines[1] != "" || lines[n-2] != "-----END PGP SIGNATURE-----" || lines[n-1] != "" {
		return false
	}
	for _, l := range lines[2 : n-2] {
		if l == "" || strings.ContainsFunc(l, func(r rune) bool { return !isBase64(r) }) {
			return false
		}
	}
	return true
}

func isBase64(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '+' || r == '/' || r == '='
}

// unknownSigner is the word of the crypto side for "not by this certificate".
const unknownSigner = "signer_unknown"

func reason(err error) string {
	var r interface{ Reason() string }
	if errors.As(err, &r) {
		return r.Reason()
	}
	return "unreadable"
}

// standing: the certificate served at the date of the signature, and was not
// revoked since as compromised or without a reason.
func (c *checking) standing(name string, cert Certificate, at time.Time) error {
	if _, compromised, revoked := cert.RevokedAt(); revoked && compromised {
		return fault(name, "the signer's certificate is revoked as compromised, or without a reason")
	} else if revoked {
		c.note(name + ": the signer's certificate was retired since")
	}
	if s := cert.Standing(at); s != "usable" {
		return fault(name, "the signer's certificate was not usable at the date of the signature ("+s+")")
	}
	return nil
}

// onTime: OpenPGP dates are whole seconds.
func onTime(signed, stated time.Time) bool {
	d := signed.Sub(stated.Truncate(time.Second))
	return -broker.Skew <= d && d <= broker.Skew
}

func (c *checking) note(s string) {
	if !slices.Contains(c.report.Notes, s) {
		c.report.Notes = append(c.report.Notes, s)
	}
}

// signedList: export.sha256 is signed by the broker whose journal proves.
func (c *checking) signedList() error {
	_, err := c.signedByExporter(fileList)
	return err
}

func (c *checking) signedByExporter(name string) (at time.Time, err error) {
	b, err := c.t.read(name)
	if err != nil {
		return at, err
	}
	fingerprint, at, err := c.signature(name, b)
	if err != nil {
		return at, err
	}
	if !c.anchors.broker(c.report.Broker, fingerprint) {
		return at, fault(name, "signed by a certificate that is no anchor of "+string(c.report.Broker))
	}
	return at, nil
}

// checkHeader: signed by the sender; the body is the one that it signed.
func (c *checking) checkHeader() error {
	b, err := c.t.read(fileHeader)
	if err != nil {
		return err
	}
	if c.signer, c.signedAt, err = c.signature(fileHeader, b); err != nil {
		return err
	}
	if !c.anchors.anyHome(c.header.From, c.signer) {
		return fault(fileHeader, "signed by a certificate that is no anchor of "+string(c.header.From))
	}
	c.inscribed = append(c.inscribed, inscribed{kind: "pli", digest: c.digest})
	if !c.t.has(fileBody) {
		return nil
	}
	c.t.wanted[fileBody] = true
	c.report.Body = true
	if c.t.sums[fileBody] != c.header.BodySHA256 || c.t.sizes[fileBody] != c.header.BodySize {
		return fault(fileBody, "not the body that the header names")
	}
	return nil
}
