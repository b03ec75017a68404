package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vaguemestre/broker"
)

// answering is a broker that gives one answer.
type answering []byte

func (a answering) RoundTrip(*http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"multipart/mixed; boundary=x"}}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(bytes.NewReader(a))}, nil
}

// partsOf is such an answer, whole.
func partsOf(parts ...string) string {
	var b strings.Builder
	for i := 0; i < len(parts); i += 2 {
		b.WriteString("--x\r\nContent-Disposition: attachment; filename=\"" + parts[i] + "\"\r\n\r\n" + parts[i+1] + "\r\n")
	}
	return b.String() + "--x--\r\n"
}

// taken writes the parts of an answer, and lists what lies in the folder then.
func taken(t *testing.T, answer string) (files []string, err error) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "pli")
	m := &mailbox{client: &client{http: &http.Client{Transport: answering(answer)}}}
	err = (&terminal{out: io.Discard, talk: io.Discard}).writeParts(context.Background(), m, "01981c0e-1111-7222-8333-444444444444", out)
	found, _ := os.ReadDir(out)
	for _, f := range found {
		files = append(files, f.Name())
	}
	return files, err
}

// What comes cut, in another order, under another name or with other bytes than
// the summary says is no message, and is not said to be one.
func TestPartsOfAMessage(t *testing.T) {
	const digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" // of foo
	summary := `{"kind":"k","document_sha256":"` + digest + `","pieces":[{"name":"piece-01.pdf","sha256":"` + digest + `"}]}`
	good := partsOf("summary.json", summary, "document.txt", "texte", "document.json", "foo", "piece-01.pdf", "foo")
	files, err := taken(t, good)
	if want := []string{"document.json", "document.txt", "piece-01.pdf"}; err != nil || !slices.Equal(files, want) {
		t.Fatalf("%v, %v", files, err)
	}
	for i := range len(good) - 3 { // the end of the last line says nothing
		if _, err := taken(t, good[:i]); err == nil {
			t.Fatalf("cut at %d of %d: taken for whole", i, len(good))
		}
	}
	if _, err := taken(t, strings.Replace(good, "\r\n\r\nfoo", "\r\n\r\nbar", 1)); !errors.Is(err, broker.ErrTemporary) {
		t.Errorf("another document: %v", err)
	}
	for name, bad := range map[string]string{
		"a name that leaves the folder": partsOf("summary.json", strings.Replace(summary, "piece-01.pdf", "../piece-01.pdf", 1)),
		"another order":                 partsOf("summary.json", summary, "document.json", "foo", "document.txt", "texte", "piece-01.pdf", "foo"),
		"one part more":                 partsOf("summary.json", summary, "document.txt", "texte", "document.json", "foo", "piece-01.pdf", "foo", "piece-02.pdf", "foo"),
		"no summary":                    partsOf("document.txt", "texte"),
	} {
		if _, err := taken(t, bad); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// Whatever a broker answers, nothing is written under a name that is not ours.
func FuzzParts(f *testing.F) {
	f.Add(partsOf("summary.json", `{"pieces":[{"name":"piece-01.pdf"}]}`, "document.txt", "a", "document.json", "{}", "piece-01.pdf", "b"))
	f.Add("--x\r\n\r\n--x--")
	f.Fuzz(func(t *testing.T, answer string) {
		files, _ := taken(t, answer)
		for _, name := range files {
			if name != broker.PartText && name != broker.PartDocument && !partForm.MatchString(name) {
				t.Error("wrote under another name")
			}
		}
	})
}
