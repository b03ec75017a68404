package load

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"vaguemestre/broker/internal/served"
)

const (
	largePiece = 100 << 20
	largeBound = 100 << 20 // of the process's peak, mappings of files included
)

// mark stands in every line of a large piece, and nowhere else. It is a
// multiple of three bytes, so that its base64 is the same in every line.
const mark = "MARQUE-FICTIVE-DE-LA-PIECE-9F3A7C"

// paper is a piece made of marked lines, too large to be held.
type paper struct {
	left int64
	sum  hash.Hash
	rest []byte
	wait func(left int64) // before each read; nil for none
	line int64
}

func newPaper(size int64) *paper { return &paper{left: size, sum: sha256.New()} }

func (p *paper) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if p.wait != nil {
		p.wait(p.left)
	}
	if len(p.rest) == 0 {
		var text bytes.Buffer
		for text.Len() < 32<<10 {
			p.line++
			fmt.Fprintf(&text, "%s%08d\n", mark, p.line%1e8) // 42 bytes: a multiple of three
		}
		p.rest = text.Bytes()
	}
	n := int(min(int64(copy(b, p.rest)), p.left))
	p.sum.Write(b[:n])
	p.rest, p.left = p.rest[n:], p.left-int64(n)
	return n, nil
}

// upload is a message with one piece, as a form of known length.
func upload(p *paper) (body io.Reader, head map[string]string) {
	const edge = "limite-fictive"
	message := `{"kind":"signalement","to":["` + served.Parquet + `"],"urgency":"U0","actor":{"name":"MODÈLE Alix"},"document":` +
		`{"enfants":[{"identite_inconnue":true,"age_apparent":"environ 4 ans","sexe":"feminin","lieu_actuel":{"libelle":"Gare de Ville-Exemple"}}],` +
		`"condition":"danger_grave_immediat","demande":["opp"],"signataire":{"nom":"SPÉCIMEN Dominique"},"auteur":{"nom":"MODÈLE Alix","telephone":"03 00 00 00 01"},` +
		`"pieces":[{"titre":"Pièce fictive","type_mime":"application/pdf","role":"rapport","communication":"communicable"}]}}`
	before := "--" + edge + "\r\nContent-Disposition: form-data; name=\"message\"\r\nContent-Type: application/json\r\n\r\n" + message +
		"\r\n--" + edge + "\r\nContent-Disposition: form-data; name=\"piece\"\r\n\r\n%PDF-1.4 fictif...\n"
	after := "\r\n--" + edge + "--\r\n"
	p.sum.Write([]byte("%PDF-1.4 fictif...\n"))
	length := int64(len(before)+len(after)) + p.left
	return io.MultiReader(strings.NewReader(before), p, strings.NewReader(after)), map[string]string{
		"Content-Type": "multipart/form-data; boundary=" + edge, "Content-Length": fmt.Sprint(length), "Expect": "100-continue",
	}
}

// receipt is what is read of the answer to a deposit.
type receipt struct {
	ID string `json:"id"`
}

// deposit uploads one piece, which must be taken.
func (s *site) deposit(t *testing.T, key string, p *paper) receipt {
	t.Helper()
	body, head := upload(p)
	head["Idempotency-Key"] = key
	resp, err := s.call(t.Context(), served.ASE, http.MethodPost, "/v1/messages", body, head)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s %v", resp.StatusCode, text, err)
	}
	var r receipt
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// inClear are the forms in which a line of a piece could lie on a disk.
func inClear() [][]byte {
	forms := [][]byte{[]byte(mark)}
	for shift := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte("xxx"[:shift] + mark))
		forms = append(forms, []byte(text[8:len(text)-8])) // without what its neighbours change
	}
	return forms
}

// search says which files hold one of the forms.
func search(names map[string]int64, forms [][]byte) (found []string, err error) {
	for name := range names {
		hit, err := holds(name, forms)
		if err != nil {
			return nil, err
		}
		if hit {
			found = append(found, name)
		}
	}
	return found, nil
}

func holds(name string, forms [][]byte) (bool, error) {
	f, err := os.Open(name)
	if os.IsNotExist(err) {
		return false, nil // went meanwhile
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	const overlap = 128
	buf := make([]byte, overlap+1<<20)
	kept := 0
	for {
		n, err := f.Read(buf[kept:])
		for _, form := range forms {
			if bytes.Contains(buf[:kept+n], form) {
				return true, nil
			}
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		whole := kept + n
		kept = copy(buf, buf[max(0, whole-overlap):whole])
	}
}

// spy searches the directories of a broker again and again while f runs.
func (s *site) spy(t *testing.T, f func()) (looks int, faults []string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		for ; ctx.Err() == nil; looks++ {
			names, err := files(s.p.Cmd.Process.Pid, s.Data, s.Tmp)
			var found []string
			if err == nil {
				found, err = search(names, inClear())
			}
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
			if len(found) > 0 {
				faults = append(faults, fmt.Sprintf("in clear on the disk: %d files", len(found)))
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	f()
	stop()
	done.Wait()
	return looks, faults
}

// TestLargePiece takes 100 MB up and down in bounded memory, and nothing of it
// is ever on the disk in clear.
func TestLargePiece(t *testing.T) {
	if testing.Short() {
		t.Skip("100 MB: not with -short")
	}
	s := serve(t, build(t))
	for _, fault := range s.large(t) {
		t.Error(fault)
	}
	s.stop(t)
}

// large is one large piece, up and down.
func (s *site) large(t *testing.T) []string {
	t.Helper()
	pid := s.p.Cmd.Process.Pid
	if err := forgetPeak(pid); err != nil {
		t.Skipf("the peak of a process cannot be set back here: %v", err)
	}
	before, err := look(pid)
	if err != nil {
		t.Fatal(err)
	}
	w := watch(pid, 20*time.Millisecond)
	p := newPaper(largePiece)
	var r receipt
	var wrong []string
	looks, faults := s.spy(t, func() {
		r = s.deposit(t, "grande-piece", p)
		s.idle(t, patience)
		wrong = s.fetch(t, r.ID, p)
	})
	faults = append(faults, wrong...)
	w.end(t)
	after, err := look(pid)
	if err != nil {
		t.Fatal(err)
	}
	anon, _ := w.most()
	t.Logf("100 MB up and down: resident peak %d MB (%d before), anonymous at most %d MB, directories searched %d times",
		after.peak>>20, before.peak>>20, anon>>20, looks)
	if after.peak > largeBound {
		faults = append(faults, fmt.Sprintf("the process reached %d MB", after.peak>>20))
	}
	return faults
}

// fetch takes a piece down and compares it.
func (s *site) fetch(t *testing.T, id string, p *paper) []string {
	t.Helper()
	resp, err := s.call(t.Context(), served.Parquet, http.MethodGet, "/v1/messages/"+id+"/pieces/1", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(sum.Sum(nil), p.sum.Sum(nil)) {
		return []string{fmt.Sprintf("%d bytes came down, %d, %v", n, resp.StatusCode, err)}
	}
	return nil
}
