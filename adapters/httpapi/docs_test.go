package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vaguemestre/broker"
)

// The examples of docs/api.md are run as they stand, in order, against two
// brokers.
func TestDocumentedExamples(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		missing := "curl is absent: apt-get install curl"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	page, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -eu\n"
	blocks := strings.Split(string(page), "```sh\n")
	for _, b := range blocks[1:] {
		code, _, ok := strings.Cut(b, "```")
		if !ok {
			t.Fatal("a block without end")
		}
		script += code
	}
	if len(blocks) < 6 {
		t.Fatalf("only %d examples", len(blocks)-1)
	}
	tn := newTown(t, nil)
	dir := t.TempDir()
	e := envelope{Kind: "signalement", To: []string{string(parquet)}, Urgency: "U0", Actor: broker.Actor{Name: "MODÈLE Alix", Function: "inspectrice enfance, astreinte"}, Document: paper(t, "01-signalement.json")}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"message.json": text, "rapport.pdf": paper(t, "pdf/rapport.pdf"), "certificat.pdf": paper(t, "pdf/certificat.pdf")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c := exec.CommandContext(ctx, "sh", "-c", script)
	c.Dir = dir
	c.Env = append(os.Environ(), "ASE="+tn.servers[nord].URL, "PARQUET="+tn.servers[justice].URL, "ASE_TOKEN="+tn.secrets[ase], "PARQUET_TOKEN="+tn.secrets[parquet], "http_proxy=", "HTTP_PROXY=", "ALL_PROXY=", "all_proxy=")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}
