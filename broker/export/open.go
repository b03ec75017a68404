package export

import (
	"context"
	"fmt"
	"io"

	"vaguemestre/broker"
)

// open writes open/: what verifier.sh and a person need to read everything
// without a secret key.
func (e *exporting) open(ctx context.Context) error {
	if e.sum.Body {
		if err := e.openBody(ctx); err != nil {
			return fmt.Errorf("opening the body: %w", err)
		}
		e.sum.Opened = true
	}
	for i, v := range e.d.Evidences {
		if v.Sealed == nil {
			continue
		}
		if err := e.openAct(ctx, e.names[i], v); err != nil {
			return fmt.Errorf("opening evidence %d: %w", firstEvidence+i, err)
		}
		e.sum.Opened = true
	}
	return nil
}

func (e *exporting) openBody(ctx context.Context) error {
	c, err := e.b.Read(ctx, e.d.ID, e.reader())
	if err != nil {
		return err
	}
	defer c.Close()
	entity, err := c.Entity(ctx)
	if err != nil {
		return err
	}
	defer entity.Close()
	if _, _, err := e.out.stream(fileMessage, entity); err != nil {
		return err
	}
	if err := e.out.put(file{dirOpen + fileSessionKey, sessionKeyText(c.SessionKey)}); err != nil {
		return err
	}
	return c.EachPart(ctx, func(name, _ string, r io.Reader) error {
		_, _, err := e.out.stream(dirParts+name, r)
		return err
	})
}

// reader is the party as which the body is opened: the one asked for, else the
// sender, else the first recipient that lives here.
func (e *exporting) reader() broker.PartyID {
	if e.o.As != "" {
		return e.o.As
	}
	h := e.d.Header
	for _, p := range append([]broker.PartyID{h.From}, h.Recipients()...) {
		if e.atHome(p) {
			return p
		}
	}
	return ""
}

// openAct opens a sealed evidence as the sender or as its signer: nobody else
// can.
func (e *exporting) openAct(ctx context.Context, name string, v broker.DossierEvidence) error {
	as := e.o.As
	if as == "" {
		if as = broker.PartyID(v.Evidence.By); !e.atHome(as) {
			as = e.d.Header.From
		}
	}
	opened, err := e.b.OpenEvidence(ctx, v.Sealed, as)
	if err != nil {
		return err
	}
	dir := dirActs + name + "/"
	files := []file{{dir + broker.PartDetail, opened.DetailRaw}, {dir + fileSessionKey, sessionKeyText(opened.SessionKey)}}
	if opened.Assertion != nil {
		files = append(files, file{dir + broker.PartAssertion, opened.Assertion})
	}
	for _, f := range files {
		if err := e.out.put(f); err != nil {
			return err
		}
	}
	return nil
}

func sessionKeyText(key string) []byte { return []byte(key + "\n") }
