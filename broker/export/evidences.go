package export

import (
	"maps"
	"slices"
	"strings"

	"vaguemestre/broker"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// checkDeposit: the home of the sender stamped this header when it was signed.
func (c *checking) checkDeposit() error {
	e, b, err := c.evidence(fileDeposit)
	if err != nil {
		return err
	}
	switch {
	case e.Event != broker.Accepted || len(e.Prev) > 0 || e.By != string(e.Home):
		return fault(fileDeposit, "not a deposit stamp")
	case !c.anchors.party(c.header.From, e.Home, c.signer):
		return fault(fileDeposit, string(e.Home)+" is not the anchored home of "+string(c.header.From))
	}
	fingerprint, at, err := c.signature(fileDeposit, b)
	switch {
	case err != nil:
		return err
	case !c.anchors.broker(e.Home, fingerprint):
		return fault(fileDeposit, "signed by a certificate that is no anchor of "+string(e.Home))
	case !onTime(at, e.SignedAt()):
		return fault(fileDeposit, "the date of the signature is not the hour that it states")
	case !onTime(c.signedAt, e.SignedAt()):
		return fault(fileHeader, "the date of the signature is not the hour of the deposit")
	}
	if s := c.certs[c.signer].Standing(e.SignedAt()); s != "usable" {
		return fault(fileHeader, "the sender's certificate was not usable at the deposit ("+s+")")
	}
	c.deposit = e
	c.report.Deposit = factOf(e, fingerprint)
	c.inscribed[0].at = e.SignedAt() // the pli enters the journal with its deposit
	c.inscribe(e, b)
	c.cited = nil
	return nil
}

func factOf(e broker.Evidence, fingerprint string) Fact {
	return Fact{
		Event: e.Event, Recipient: e.Recipient, At: e.At, DoneAt: e.DoneAt,
		By: e.By, Home: e.Home, Fingerprint: fingerprint, ReasonCode: e.ReasonCode,
	}
}

func (c *checking) inscribe(e broker.Evidence, b []byte) {
	digest := hexSum(b)
	c.known[digest] = true
	c.cited = append(c.cited, e.Prev...)
	c.inscribed = append(c.inscribed, inscribed{kind: string(e.Event), digest: digest, at: e.SignedAt(), log: e.Log})
}

// evidence reads an evidence and holds it against the pli and the table of
// events, not yet its signature.
func (c *checking) evidence(name string) (broker.Evidence, []byte, error) {
	b, err := c.t.read(name)
	if err != nil {
		return broker.Evidence{}, nil, err
	}
	e, err := broker.ParseEvidence(b)
	if err != nil || e.Log.Size < 1 || e.Log.Size > maxNumber || !isParty(e.By) || !isBroker(string(e.Home)) {
		return e, nil, fault(name, "not in the form of the wire, or contrary to the table of events")
	}
	key := strings.Join([]string{string(e.Event), string(e.Recipient), e.By}, " ")
	switch {
	case e.ID != c.header.ID:
		return e, nil, fault(name, "of another pli")
	case e.HeaderSHA256 != c.digest:
		return e, nil, fault(name, "of another header")
	case e.Recipient != "" && !c.header.Addresses(e.Recipient):
		return e, nil, fault(name, "its recipient is none of the pli")
	case c.seen[key]:
		return e, nil, fault(name, "the same evidence is given twice")
	}
	c.seen[key] = true
	if e.Notice != "" && e.Notice != c.header.Notice {
		c.note(name + " bears the notice " + e.Notice)
	}
	return e, b, nil
}

// evidences checks all of them, by their numbers, without a gap.
func (c *checking) evidences() error {
	var names []string
	for _, name := range c.t.names {
		base, ok := strings.CutPrefix(name, dirEvidence)
		if stem, isJSON := strings.CutSuffix(base, ".json"); ok && isJSON {
			names = append(names, stem)
		}
	}
	if len(names) > maxFacts {
		return fault(dirEvidence, "too many evidences")
	}
	slices.SortFunc(names, byNumber)
	for i, name := range names {
		if err := c.oneEvidence(firstEvidence+i, name); err != nil {
			return err
		}
	}
	for _, digest := range c.cited {
		if !c.known[digest] {
			c.note("an earlier evidence, " + digest[:8] + "…, is cited but is not in the export")
		}
	}
	if !c.t.has(fileBody) {
		if !c.purged[c.report.Broker] {
			return fault(fileBody, "missing")
		}
		c.note("body.pgp was erased, as an evidence states")
	}
	return nil
}

// byNumber sorts 99 before 100.
func byNumber(a, b string) int {
	x, _, _ := strings.Cut(a, "-")
	y, _, _ := strings.Cut(b, "-")
	if len(x) != len(y) {
		return len(x) - len(y)
	}
	return strings.Compare(a, b)
}

func (c *checking) oneEvidence(n int, name string) error {
	path := dirEvidence + name + ".json"
	e, b, err := c.evidence(path)
	if err != nil {
		return err
	}
	if name != evidenceName(n, e) {
		return fault(path, "its name does not say what it holds")
	}
	fingerprint, at, err := c.signature(path, b)
	if err != nil {
		return err
	}
	if err := c.maySign(path, e, fingerprint); err != nil {
		return err
	}
	switch {
	case e.Event == broker.Overdue && !slices.Contains(c.header.To, e.Recipient):
		return fault(path, "a copy calls for no answer")
	case !onTime(at, e.SignedAt()):
		return fault(path, "the date of the signature is not the hour that it states")
	case e.SignedAt().Before(c.deposit.SignedAt().Add(-broker.Skew)):
		return fault(path, "earlier than the deposit")
	case e.Event == broker.Overdue && !e.SignedAt().After(c.deposit.SignedAt()):
		return fault(path, "not later than the deposit")
	}
	c.inscribe(e, b)
	if e.Event == broker.Purged {
		c.purged[e.Home] = true
	}
	c.report.Facts = append(c.report.Facts, factOf(e, fingerprint))
	c.seal(name, e, b, fingerprint)
	return nil
}

// maySign: only the one that the table names, by an anchor of its role. A
// party signs where its key is, a broker at home.
func (c *checking) maySign(path string, e broker.Evidence, fingerprint string) error {
	byBroker := e.By == string(e.Home)
	if byBroker && !c.anchors.broker(e.Home, fingerprint) || !byBroker && !c.anchors.party(broker.PartyID(e.By), e.Home, fingerprint) {
		return fault(path, "signed by a certificate that is no anchor of "+e.By)
	}
	bySender := byBroker && e.Home == c.deposit.Home
	byParty := !byBroker && e.By == string(e.Recipient)
	byPartyHome := byBroker && c.anchors.home(e.Home, e.Recipient)
	var may bool
	switch row, _ := broker.LookupEvent(e.Event); row.Signer {
	case broker.SenderBroker:
		may = bySender
	case broker.RelayOrSenderBroker:
		may = byBroker // anchors do not say who relays
	case broker.Recipient:
		may = byParty
	case broker.RecipientOrItsBroker:
		may = byParty || byPartyHome
	case broker.RecipientBroker:
		may = byPartyHome
	case broker.BrokerOfSenderOrParty:
		may = bySender || byPartyHome || byBroker && e.Recipient == "" && c.anchors.home(e.Home, c.header.Recipients()...)
	}
	if !may {
		return fault(path, e.By+" may not attest that")
	}
	return nil
}

// act is a sealed evidence that is there, for open/.
type act struct {
	name        string
	evidence    broker.Evidence
	bytes       []byte
	fingerprint string
}

// seal: what a person said is there, sealed, or was erased.
func (c *checking) seal(name string, e broker.Evidence, b []byte, fingerprint string) {
	path := dirEvidence + name + sealedSuffix
	switch {
	case e.DetailSHA256 == "":
	case c.t.has(path):
		c.t.wanted[path] = true
		c.sealed = append(c.sealed, act{name, e, b, fingerprint})
	default:
		c.note(path + " was erased: what the person said can no longer be verified")
	}
}
