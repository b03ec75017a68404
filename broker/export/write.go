package export

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"vaguemestre/broker"
	"vaguemestre/broker/directory"
	"vaguemestre/broker/journal"
)

// Errors of Write that ask for a decision.
var (
	// ErrExists says that the folder is there and not empty.
	ErrExists = errors.New("export: the folder exists and is not empty")
	// ErrNoBody says that the content is not held, and that no evidence of this
	// broker says that it erased it (a pli that it refused): such an export
	// would prove nothing. The other side can make one.
	ErrNoBody = errors.New("export: the content is not held here and was not purged here")
	// ErrParty says that the party of Options.As does not live here, or is
	// neither sender nor recipient.
	ErrParty = errors.New("export: not a party of this pli that lives here")
	// ErrSpread says that the leaves of the pli are in several logs: the
	// journal was restored from a backup in between.
	ErrSpread = errors.New("export: the journal was restored since, and holds this pli in two logs")
	// ErrUnlisted says that the broker signs with a certificate that its own
	// directory does not list: nobody could have it on a printed sheet.
	ErrUnlisted = errors.New("export: this broker signs with a certificate that the directory does not list")
)

//go:embed verifier.sh
var verifierScript []byte

// Options of Write.
type Options struct {
	// Open adds open/: everything in clear. The use is journaled.
	Open bool
	// As is the party for which it is made: a recipient's export leaves out
	// what concerns only other recipients, and opens with that party's key. ""
	// is the operator of the broker: everything that the journal holds.
	As broker.PartyID
}

// Summary says what was written.
type Summary struct {
	ID        string
	Notice    string
	Evidences int    // the deposit not included
	Files     int    // open/ included
	Body      bool   // false once erased
	Opened    bool   // something is in open/
	Later     int    // certificates that changed since they were judged
	Origin    string // of the log that proves
	Size      uint64 // leaves of that log
}

// exporting is one export being written.
type exporting struct {
	b     *broker.Broker
	o     Options
	d     *broker.Dossier
	out   *folder
	names []string // of the evidences, without folder or extension
	certs map[string]bool
	sum   Summary
}

// Write makes the proof of a pli in the folder dir, which must not exist or be
// empty. It is written beside and renamed at the end: an error leaves nothing.
// Folders are 0700, files 0600. It returns the errors above,
// broker.ErrNotFound when the journal holds no such pli, or what failed.
func Write(ctx context.Context, b *broker.Broker, id, dir string, o Options) (Summary, error) {
	d, err := b.Dossier(id)
	if err != nil {
		return Summary{}, fmt.Errorf("export: %w", err)
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return Summary{}, fmt.Errorf("export: %w", err)
	}
	if err := vacant(dir); err != nil {
		return Summary{}, err
	}
	e := &exporting{b: b, o: o, d: d, certs: map[string]bool{}}
	if err := e.restrict(); err != nil {
		return Summary{}, err
	}
	if o.Open {
		// Before anything is opened: a use that cannot be journaled is refused.
		if err := b.Note(ctx, id, "export_opened"); err != nil {
			return Summary{}, fmt.Errorf("export: journaling the use: %w", err)
		}
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), ".export-*") // 0700
	if err != nil {
		return Summary{}, fmt.Errorf("export: %w", err)
	}
	defer os.RemoveAll(beside) // nothing is left of it after the rename
	e.out = &folder{root: beside}
	if err := e.write(ctx); err != nil {
		return Summary{}, fmt.Errorf("export: %w", err)
	}
	if err := e.out.moveTo(dir); err != nil {
		return Summary{}, fmt.Errorf("export: %w", err)
	}
	e.sum.ID, e.sum.Notice, e.sum.Evidences, e.sum.Files = id, e.notice(), len(d.Evidences), e.out.files
	return e.sum, nil
}

// vacant says whether a folder may be made there.
func vacant(dir string) error {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("export: %w", err)
	case len(entries) > 0:
		return ErrExists
	}
	return nil
}

// restrict keeps to what the party of Options.As may see: a co-recipient's
// acts are not its own (DESIGN section 5).
func (e *exporting) restrict() error {
	as, h := e.o.As, e.d.Header
	if as == "" {
		return nil
	}
	if !e.atHome(as) || as != h.From && !h.Addresses(as) {
		return ErrParty
	}
	if as != h.From {
		e.d.Evidences = slices.DeleteFunc(e.d.Evidences, func(v broker.DossierEvidence) bool {
			// That the content is erased here concerns every party here.
			return v.Evidence.Recipient != "" && v.Evidence.Recipient != as && v.Evidence.Event != broker.Purged
		})
	}
	return nil
}

func (e *exporting) atHome(p broker.PartyID) bool {
	home, ok := e.b.Directory().Home(p)
	return ok && home.ID == e.b.ID()
}

func (e *exporting) write(ctx context.Context) error {
	if err := e.pli(ctx); err != nil {
		return err
	}
	if err := e.evidences(); err != nil {
		return err
	}
	if err := e.proof(ctx); err != nil {
		return err
	}
	if err := e.certificates(); err != nil {
		return err
	}
	text, err := e.readMe()
	if err != nil {
		return err
	}
	for _, f := range []file{{fileDirectory, e.d.Directory}, {fileVerifier, verifierScript}, {fileRead, text}} {
		if err := e.out.put(f); err != nil {
			return err
		}
	}
	if err := e.list(ctx); err != nil {
		return err
	}
	if e.o.Open {
		return e.open(ctx)
	}
	return nil
}

// pli writes the four parts. A body that is gone is left out if this broker
// signed that it erased it.
func (e *exporting) pli(ctx context.Context) error {
	d := e.d
	for _, f := range []file{
		{fileHeader, d.HeaderBytes}, {fileHeader + sigSuffix, d.HeaderSig},
		{fileDeposit, d.Deposit}, {fileDeposit + sigSuffix, d.DepositSig},
	} {
		if err := e.out.put(f); err != nil {
			return err
		}
	}
	body, err := d.Body(ctx)
	if errors.Is(err, broker.ErrNotFound) {
		if e.purge() < 0 {
			return ErrNoBody
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	defer body.Close()
	digest, size, err := e.out.stream(fileBody, body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	if digest != d.Header.BodySHA256 || size != d.Header.BodySize {
		return errors.New("body: what is held is not what the header names")
	}
	e.sum.Body = true
	return nil
}

// purge is the index of the evidence by which this broker said that it erased
// the content, or -1.
func (e *exporting) purge() int {
	return slices.IndexFunc(e.d.Evidences, func(v broker.DossierEvidence) bool {
		return v.Evidence.Event == broker.Purged && v.Evidence.By == string(e.b.ID())
	})
}

func (e *exporting) evidences() error {
	for i, v := range e.d.Evidences {
		name := evidenceName(firstEvidence+i, v.Evidence)
		e.names = append(e.names, name)
		files := []file{{dirEvidence + name + ".json", v.Bytes}, {dirEvidence + name + ".json" + sigSuffix, v.Sig}}
		if v.Sealed != nil {
			files = append(files, file{dirEvidence + name + sealedSuffix, v.Sealed})
		}
		for _, f := range files {
			if err := e.out.put(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// certificates writes those that were judged, as they were then; for everybody
// else whom the pli concerns, those of the directory, so that each can be
// compared with the sheet.
func (e *exporting) certificates() error {
	judged := map[string]broker.DossierCert{}
	for _, c := range e.d.Certs {
		judged[c.Fingerprint] = c // the last: it holds what the ones before held
	}
	for fingerprint, c := range judged {
		if err := e.cert(dirCerts, c.Owner, fingerprint, c.Bytes); err != nil {
			return err
		}
		if c.Current == nil || string(c.Current) == string(c.Bytes) {
			continue
		}
		if err := e.cert(dirLater, c.Owner, fingerprint, c.Current); err != nil {
			return err
		}
		e.sum.Later++
	}
	for owner, list := range e.concerned() {
		for _, fingerprint := range list {
			now, held := e.b.Certificate(fingerprint)
			if e.certs[fingerprint] || !held {
				continue
			}
			if err := e.cert(dirCerts, owner, fingerprint, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *exporting) cert(dir, owner, fingerprint string, b []byte) error {
	e.certs[fingerprint] = true
	return e.out.put(file{dir + certName(owner, fingerprint), b})
}

// concerned lists the certificates of sender, recipients, their homes and this
// broker, by owner.
func (e *exporting) concerned() map[string][]string {
	dir, out := e.b.Directory(), map[string][]string{}
	add := func(b directory.Broker, ok bool) {
		if ok {
			out[string(b.ID)] = b.Certificates
		}
	}
	add(dir.Broker(e.b.ID()))
	for _, id := range append(e.d.Header.Recipients(), e.d.Header.From) {
		if p, ok := dir.Party(id); ok {
			out[string(id)] = p.Certificates
			add(dir.Home(id))
		}
	}
	return out
}

// proof writes the leaves, their inclusion, and the signed root.
func (e *exporting) proof(ctx context.Context) error {
	log, err := findLog(e.b.Journal(), e.facts())
	if err != nil {
		return err
	}
	text, sig, err := e.checkpoint(ctx, log)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	head, err := journal.ParseCheckpoint(text)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	included, err := e.b.Journal().ProofIn(ctx, head.Origin, log.numbers, head.Size)
	if err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	files := []file{{fileProof, newProof(head, included).encode()}, {fileCheckpoint, text}, {fileCheckpoint + sigSuffix, sig}}
	for i, leaf := range log.leaves {
		files = append(files, file{leafName(i), leaf})
	}
	for _, f := range files {
		if err := e.out.put(f); err != nil {
			return err
		}
	}
	e.sum.Origin, e.sum.Size = head.Origin, head.Size
	return nil
}

// checkpoint is a signed head of the log that covers its leaves. The head of a
// log before a restoration is signed anew: it does not grow any more.
func (e *exporting) checkpoint(ctx context.Context, l foundLog) (text, sig []byte, err error) {
	if l.head.Origin == e.b.Journal().Head().Origin {
		return e.b.Journal().Checkpoint(ctx, l.last+1)
	}
	text = l.head.Checkpoint()
	sig, _, err = e.b.SignAs(ctx, text)
	return text, sig, err
}

// list writes export.sha256 and its signature.
func (e *exporting) list(ctx context.Context) error {
	list := e.out.list()
	sig, fingerprint, err := e.b.SignAs(ctx, list)
	if err != nil {
		return fmt.Errorf("signing the list: %w", err)
	}
	if !e.certs[fingerprint] {
		return ErrUnlisted
	}
	if err := e.out.put(file{fileList, list}); err != nil {
		return err
	}
	return e.out.put(file{fileList + sigSuffix, sig})
}
