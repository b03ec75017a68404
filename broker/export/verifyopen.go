package export

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"vaguemestre/broker"
)

// opened checks open/: that the session keys open the sealed files, and that
// every file of it comes out of them.
func (c *checking) opened() error {
	if !c.t.open {
		return nil
	}
	if c.t.has(fileBody) {
		if err := c.openBody(); err != nil {
			return err
		}
	}
	for _, a := range c.sealed {
		if err := c.openAct(a); err != nil {
			return err
		}
	}
	c.report.Opened = true
	return c.t.leftOver(true)
}

// unseal opens a sealed file with the session key that a folder gives.
func (c *checking) unseal(name, keyFile, fingerprint string) (broker.Unsealed, io.Closer, error) {
	text, err := c.t.read(keyFile)
	if err != nil {
		return nil, nil, err
	}
	key, ok := strings.CutSuffix(string(text), "\n")
	digits, ok2 := strings.CutPrefix(key, "9:")
	if !ok || !ok2 || len(digits) != 64 || strings.Trim(digits, "0123456789ABCDEF") != "" {
		return nil, nil, fault(keyFile, "not in the form of a session key")
	}
	src, size, err := c.t.file(name)
	if err != nil {
		return nil, nil, err
	}
	o, err := c.certs[fingerprint].OpenWithSessionKey(c.ctx, src, size, key)
	if err != nil {
		src.Close()
		return nil, nil, fault(name, "the session key of "+keyFile+" does not open it, or it is not signed by the one who signed the rest")
	}
	return o, src, nil
}

func (c *checking) openBody() error {
	o, src, err := c.unseal(fileBody, dirOpen+fileSessionKey, c.signer)
	if err != nil {
		return err
	}
	defer src.Close()
	if !onTime(o.SignedAt(), c.deposit.SignedAt()) {
		return fault(fileBody, "the date of its signature is not that of the deposit")
	}
	content, err := broker.ReadOpened(c.ctx, o, c.header)
	var r *broker.Refusal
	switch {
	case errors.As(err, &r) && r.Code == broker.ReasonInvalid:
		c.note("the document is not of a form that this program knows")
	case errors.As(err, &r):
		return fault(fileBody, "its content does not hold ("+r.Code+")")
	case err != nil:
		return fault(fileBody, "its content cannot be read")
	}
	if !strings.HasPrefix(content.Inner.Schema, string(content.Inner.Kind)+"/") {
		return fault(dirParts+broker.PartInner, "its schema is not of its kind")
	}
	return c.bodyFiles(content)
}

// bodyFiles: message.eml and parts/ are what the body holds.
func (c *checking) bodyFiles(content *broker.Content) error {
	entity, err := content.Entity(c.ctx)
	if err != nil {
		return fault(fileBody, "its content cannot be read")
	}
	defer entity.Close()
	if err := c.t.equal(fileMessage, entity); err != nil {
		return err
	}
	err = content.EachPart(c.ctx, func(name, _ string, r io.Reader) error {
		if name != broker.PartActe && name != broker.PartAssertion {
			return c.t.equal(dirParts+name, r)
		}
		b, err := io.ReadAll(io.LimitReader(r, maxSmall))
		if err != nil {
			return err
		}
		if err := c.t.equal(dirParts+name, bytes.NewReader(b)); err != nil {
			return err
		}
		if name == broker.PartAssertion {
			return c.assertion(dirParts+name, b, hexSum(content.Acte.Encode()))
		}
		return nil
	})
	if f := (*FaultError)(nil); err != nil && !errors.As(err, &f) {
		return fault(fileBody, "its content cannot be read")
	}
	return err
}

// openAct: what a person said, signed by the party that signed the evidence.
func (c *checking) openAct(a act) error {
	sealed, dir := dirEvidence+a.name+sealedSuffix, dirActs+a.name+"/"
	o, src, err := c.unseal(sealed, dir+fileSessionKey, a.fingerprint)
	if err != nil {
		return err
	}
	defer src.Close()
	if !onTime(o.SignedAt(), a.evidence.SignedAt()) {
		return fault(sealed, "the date of its signature is not that of the evidence")
	}
	opened, err := broker.ReadOpenedEvidence(c.ctx, o)
	if err != nil {
		return fault(sealed, "its content does not hold")
	}
	sig, err := c.t.read(dirEvidence + a.name + ".json" + sigSuffix)
	if err != nil {
		return err
	}
	if !bytes.Equal(opened.Bytes, a.bytes) || !bytes.Equal(opened.Sig, sig) {
		return fault(sealed, "does not hold this evidence and its signature")
	}
	if d := opened.Detail; d.Actor.Name == "" || d.RedirectedTo != "" && !isParty(string(d.RedirectedTo)) {
		return fault(dir+broker.PartDetail, "not in the form of the wire")
	}
	if err := c.t.equal(dir+broker.PartDetail, bytes.NewReader(opened.DetailRaw)); err != nil {
		return err
	}
	if opened.Assertion == nil {
		return nil
	}
	if err := c.t.equal(dir+broker.PartAssertion, bytes.NewReader(opened.Assertion)); err != nil {
		return err
	}
	return c.assertion(dir+broker.PartAssertion, opened.Assertion, a.evidence.DetailSHA256)
}
