package seal

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/vectors.md again")

const vectorsTable = "../../docs/vectors.md"

// compareVectors holds the verdicts to the table, or writes it.
func compareVectors(t *testing.T, names []string, rows map[string]string, l *vectorLab) {
	t.Helper()
	var out strings.Builder
	out.WriteString(vectorsPreface)
	columns := []string{"file"}
	for _, e := range l.entries() {
		columns = append(columns, e.name)
	}
	out.WriteString("| " + strings.Join(columns, " | ") + " |\n|" + strings.Repeat("---|", len(columns)) + "\n")
	for _, name := range names {
		fmt.Fprintf(&out, "| `%s` | %s |\n", name, rows[name])
	}
	if *update {
		must(t, os.WriteFile(vectorsTable, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(vectorsTable)
	must(t, err)
	if string(want) == out.String() {
		return
	}
	old := strings.Split(string(want), "\n")
	for _, line := range strings.Split(out.String(), "\n") {
		if !slices.Contains(old, line) {
			t.Errorf("not in docs/vectors.md: %s", line)
		}
	}
	t.Error("docs/vectors.md does not hold these verdicts; judge the difference, then run with -update")
}

const vectorsPreface = `# Verdicts on the OpenPGP data of others

Written by ` + "`VAGUEMESTRE_VECTORS=DIR go test ./crypto/seal -run TestVectors -update`" + `, compared by it
otherwise. The files are those of src/tests/data of the RNP project at commit
c6fa87c0 (BSD 2-Clause), read in place; nothing of them is kept here.

Each file goes to every entry point that takes bytes of others: as a
certificate, as a secret key (passphrase of that project's tests), as a message
(with every key of the archive that we admit, and with a session key), as the
content of a message that is well encrypted to us, and as a detached signature
of the file it is named after. A word is the exact reason of the refusal. No
file panics, hangs, or makes one call allocate more than 192 MiB in all. What is
accepted is held, in the test, to the rules of crypto/seal: version 4, no
secret part, RSA of 3072 to 4096 bits or a common curve, no SHA-1 nor MD5, and
for a message: key packets and integrity-protected data only, one signature, by
a certificate of the archive. For certificates the table also says what they are
good for on 2 March 2026. Revocations by another key than the certificate's own
(designated revokers) count for nothing: whoever sends one must be told by other
means.

`
