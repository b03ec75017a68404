package export

import (
	"fmt"
	"strings"

	"vaguemestre/broker"
)

// Names in the folder.
const (
	fileHeader     = "header.json"
	fileBody       = "body.pgp"
	fileDeposit    = "deposit.json"
	fileDirectory  = "directory.json"
	fileProof      = "proof.json"
	fileCheckpoint = "checkpoint.txt"
	fileVerifier   = "verifier.sh"
	fileRead       = "LISEZMOI.txt"
	fileList       = "export.sha256"
	fileSessionKey = "session-key.txt"

	dirEvidence = "evidence/"
	dirCerts    = "certs/"
	dirLater    = "certs/later/"
	dirOpen     = "open/"
	dirParts    = "open/parts/"
	dirActs     = "open/evidence/"
	fileMessage = "open/message.eml"

	sigSuffix    = ".asc"
	sealedSuffix = ".detail.pgp"

	forAll        = "all" // in the name of an evidence for all
	firstEvidence = 2     // 00 is the pli, 01 the deposit
)

// Caps on what Verify reads of a folder that anybody may have made. The
// largest honest export has 15 recipients and each event once or twice.
const (
	maxEntries = 8192      // files and folders
	maxDepth   = 5         // open/evidence/NN-…/detail.json is 4
	maxFacts   = 1000      // evidences
	maxSmall   = 2 << 20   // bytes of any file but body.pgp and what is in open/
	maxBody    = 512 << 20 // bytes of body.pgp
	maxNumber  = 999_999_999_999_999
)

// evidenceName is NN-EVENT-RECIPIENT, without folder or extension.
func evidenceName(n int, e broker.Evidence) string {
	to := string(e.Recipient)
	if to == "" {
		to = forAll
	}
	return fmt.Sprintf("%02d-%s-%s", n, e.Event, to)
}

func leafName(n int) string { return fmt.Sprintf("leaf/%02d.json", n) }

func certName(owner, fingerprint string) string { return owner + "-" + fingerprint + ".pgp" }

// plainName holds the letters of every name in an export: nothing that a shell
// or a file system takes for something else.
func plainName(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s,
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
