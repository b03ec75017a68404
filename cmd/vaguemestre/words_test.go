package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// A terminal that is not in UTF-8 must not change what is signed: encoding/json
// makes U+FFFD of each byte that is none, and the name of a person, or the
// number of a file at the greffe, would be another for ever. The name of a file
// is the system's, in any bytes.
func TestWordsAreUTF8(t *testing.T) {
	dir := t.TempDir()
	ack := []string{"ack", "01981c0e-0000-7000-8000-000000000000", "--as", "je-lille", "--data", dir, "--event", "registered"}
	send := []string{"send", "--as", "ase-59", "--kind", "signalement", "--to", "parquet-lille", "--data", dir}
	for _, c := range []struct {
		flag string
		args []string
	}{
		{"--actor", append(ack, "--actor", "MOD\xc8LE Alix", "--number", "1", "--date", "20/11/2026")},
		{"--number", append(ack, "--actor", "MODÈLE Alix", "--number", "n\xb0 12", "--date", "20/11/2026")},
		{"--reason", append(ack, "--actor", "MODÈLE Alix", "--number", "1", "--date", "20/11/2026", "--reason", "re\xe7u")},
		{"--function", append(send, "--actor", "MODÈLE Alix", "--function", "greffi\xe8re", "doc.json")},
	} {
		var out, talk bytes.Buffer
		code := run(context.Background(), c.args, strings.NewReader(""), &out, &talk)
		if code != exitUsage || !strings.Contains(talk.String(), c.flag+": not UTF-8") {
			t.Errorf("%s in another coding: exit %d, %s", c.flag, code, talk.String())
		}
	}
	var out, talk bytes.Buffer
	run(context.Background(), append(send, "--actor", "MODÈLE Alix", "--attach", "re\xe7u.pdf", "doc.json"), strings.NewReader(""), &out, &talk)
	if strings.Contains(talk.String(), "UTF-8") {
		t.Errorf("the name of a file: %s", talk.String())
	}
}
