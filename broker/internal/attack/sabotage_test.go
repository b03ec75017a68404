package attack

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"vaguemestre/broker/internal/sabotage"
)

// inner says to the tests of this package that a sabotaged build runs them.
const inner = "VAGUEMESTRE_ATTACK_INNER"

// faultyBuilds are programs that the homes must refuse, each by the attacks that
// it lets in.
var faultyBuilds = []struct {
	name  string
	edits []sabotage.Edit
	pkg   string
	run   string
	finds []string // attacks that must not be refused any more
}{
	{
		name: "signatures are not verified",
		edits: []sabotage.Edit{
			{File: "crypto/seal/sign.go", Old: `if err := packet.VerifyHashTag(tag, sig); err != nil {`, New: `if _ = tag; err != nil {`},
			{File: "crypto/seal/sign.go", Old: `if err := k.pub.VerifySignature(h, sig); err != nil {`, New: `if err := error(nil); err != nil {`},
		},
		pkg: "./broker", run: "^TestBitFlips$", finds: []string{"TestBitFlips/13_"},
	},
	{
		name: "the signer is not compared with the sender",
		edits: []sabotage.Edit{
			{File: "crypto/keyring/operations.go", Old: `fingerprint, at, err = seal.Verify(data, sig, r.of(owner).certs)`, New: `fingerprint, at, err = seal.Verify(data, sig, r.everybody())`},
			{File: "crypto/keyring/operations.go", Old: "// Verify checks a detached signature against", New: `func (r *Ring) everybody() (all []*seal.Cert) {
	for _, o := range r.Owners() {
		all = append(all, r.of(o).certs...)
	}
	return all
}

// Verify checks a detached signature against`},
		},
		pkg: "./broker", run: "^TestUnsignedRefusals$/^(03|08|26)_", finds: []string{"TestUnsignedRefusals/08_"},
	},
	{
		name: "limits are off",
		edits: []sabotage.Edit{
			{File: "crypto/seal/open.go", Old: `defaultPlain = 320 << 20`, New: `defaultPlain = 320 << 30`},
			{File: "crypto/seal/inspect.go", Old: `if len(env.keys) == MaxRecipients {`, New: `if len(env.keys) < 0 {`},
		},
		pkg: "./broker", run: "^(TestCostlyAttacks|TestCiphertextAttacks)$/^(15_bomb_zlib|19)", finds: []string{"/15_bomb_zlib", "/19_"},
	},
	{
		name: "what was received is forgotten",
		edits: []sabotage.Edit{
			{File: "broker/receive.go", Old: "if rec.Header != a.pli.digest() {\n\t\t\treplay = true", New: "if rec.Header != a.pli.digest() && false {\n\t\t\treplay = true"},
			{File: "broker/receive.go", Old: `known = ok && st.Readable()`, New: `known = ok && st.Readable() && false`},
			{File: "broker/step.go", Old: "if known && rec.Header != in.pli.digest() {\n\t\treturn journal.Batch{}, errReplay", New: "if known && rec.Header != in.pli.digest() && false {\n\t\treturn journal.Batch{}, errReplay"},
			{File: "broker/step.go", Old: `if st.Delivered() || st.Acted || settledReception(st, in.outcome.Evidence) {`, New: `if false && settledReception(st, in.outcome.Evidence) {`},
		},
		pkg: "./broker", run: "^TestReplay$", finds: []string{"TestReplay/1"},
	},
	{
		name: "documents and messages are decoded laxly",
		edits: []sabotage.Edit{
			{File: "schemas/strict.go", Old: `if *seen&(1<<i) != 0 {`, New: `if *seen&(1<<i) != 0 && false {`},
			{File: "adapters/httpapi/strict.go", Old: `case k == name && o.members[k] != nil:`, New: `case k == name && false:`},
		},
		pkg: "./adapters/httpapi", run: "^TestJSONAttacks$/^50_", finds: []string{"/50_duplicate_member ", "/50_duplicate_member_of_the_document "},
	},
	{
		name: "heads kept by others are not compared",
		edits: []sabotage.Edit{
			{File: "broker/journal/boltstore/verify.go", Old: "\t\tif w.same {\n\t\t\tcontinue", New: "\t\tif true {\n\t\t\tcontinue"},
		},
		pkg: "./broker/internal/attack", run: "^TestLogAttacks$", finds: []string{"/96_", "/97_", "/98_"},
	},
}

// TestSabotage: each faulty build is found, by the attack that it lets in.
func TestSabotage(t *testing.T) {
	if testing.Short() || os.Getenv(inner) != "" {
		t.Skip("it builds six programs")
	}
	root, err := sabotage.Root()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range faultyBuilds {
		t.Run(b.name, func(t *testing.T) {
			res, err := sabotage.Test(context.Background(), root, b.edits, []string{inner + "=1", "VAGUEMESTRE_RECORD="}, b.pkg, "-run", b.run)
			switch {
			case errors.Is(err, sabotage.ErrNoTool) && os.Getenv("CI") != "true":
				t.Skip(err)
			case err != nil:
				t.Fatal(err)
			case !res.Failed:
				t.Errorf("nothing was found:\n%s", res.Output)
			}
			for _, f := range b.finds {
				if !foundBy(res.Output, f) {
					t.Errorf("%s did not find it:\n%.4000s", f, res.Output)
				}
			}
		})
	}
}

// foundBy says whether a subtest of that name failed.
func foundBy(output, test string) bool {
	for line := range strings.Lines(output) {
		if strings.Contains(line, "--- FAIL: ") && strings.Contains(line, test) {
			return true
		}
	}
	return false
}
