package schemas

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The PDFs of the demonstration are real, small, and say that they are
// fictitious.
func TestPapersPDF(t *testing.T) {
	files, err := filepath.Glob(papers + "/pdf/*.pdf")
	if err != nil || len(files) == 0 {
		t.Fatalf("no PDF (%v)", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte("%PDF-")) || len(data) > 20_000 {
			t.Errorf("%s: not a small PDF (%d bytes)", file, len(data))
		}
	}
	if _, err := exec.LookPath("pdftotext"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pdftotext is absent: apt-get install poppler-utils")
		}
		t.Skip("pdftotext is absent: apt-get install poppler-utils")
	}
	for _, file := range files {
		text, err := exec.Command("pdftotext", "-layout", file, "-").Output()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("DÉMONSTRATION — DONNÉES FICTIVES")) || bytes.Count(text, []byte("\f")) != 1 {
			t.Errorf("%s: not one page with its warning", file)
		}
	}
}
