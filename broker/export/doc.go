// Package export writes the proof of one pli to a folder, and verifies such a
// folder with nothing but anchors that came on paper (DESIGN sections 1, 4, 5,
// 6 and 9).
//
// # The folder
//
// One export is one pli, as one broker's journal holds it:
//
//	header.json, .asc          who writes to whom, signed by the sending party
//	body.pgp                   the sealed content; left out once erased
//	deposit.json, .asc         the stamp of the sender's broker
//	evidence/NN-EVENT-RECIPIENT.json, .json.asc, .detail.pgp
//	                           the evidences, NN from 02 on, in the order of this
//	                           journal; RECIPIENT is "all" where it holds for all
//	certs/OWNER-FINGERPRINT.pgp        certificates as they were when judged
//	certs/later/OWNER-FINGERPRINT.pgp  the same, where they changed since
//	directory.json             the directory by which the pli was judged
//	leaf/NN.json               00 the pli, 01 the deposit, NN the evidence NN
//	proof.json                 inclusion of these leaves in the journal
//	checkpoint.txt, .asc       the root of the journal, signed by its broker
//	verifier.sh, LISEZMOI.txt  how to verify without this program
//	export.sha256, .asc        every other file, signed by the same broker
//	open/                      in clear, on demand: message.eml, parts/,
//	                           session-key.txt, evidence/NN-EVENT-RECIPIENT/
//
// broker/testdata/wire is the specification of every byte of it; MEMBERS there
// lists the members of each JSON.
//
// Bytes that were signed or journaled are copied, never written again. A body
// streams in constant memory. Plaintext is written in open/ only, and that use
// is journaled before.
//
// # Verify
//
// Verify makes the checks of verifier.sh, in the same order, and stops at the
// first fault: the list of files, header, deposit, evidences, journal, open/.
// Certificates and directory of the export are trusted for nothing: a
// signature counts only if its certificate is an anchor of the one who may
// sign. Beyond the script it judges certificates at the date of each signature
// by our own strict parser, dates against each other, the signature of
// passkeys, and the document by the code that judged it on arrival.
//
// It proves who signed what and that the exporting journal holds it. It does
// not prove that nothing else happened since, nor that a clock was right beyond
// what two brokers say of each other. The one who exports can leave out an
// evidence together with its leaf; prev and the other side's export show it.
//
// Memory is bounded whatever the folder holds: links, pipes and odd names are
// faults before anything is opened, numbers and sizes are capped.
package export
