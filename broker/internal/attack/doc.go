// Package attack answers, for each attack that has a name, where it is tried and
// what came of it. It holds tests only.
//
// # Homes
//
// An attack has a number and a name (01 to 64 and 93 to 100: OpenPGP, HTTP and
// TLS, JSON and API, log) and one home: a test function that has a subtest whose
// name begins with the number, such as 07_signed_by_encryption_subkey. Most live
// beside the fixture that can forge them: package broker for what a peer or a
// sender can put in our way, crypto/seal and crypto/keyring for certificates,
// adapters/httpapi for callers, internal/httpattack for connections, this package for the log. A home
// asserts that the attack is refused, by which code, that nothing is half-kept,
// that neither journal, log nor error names a person, and that a lawful
// neighbour passes; it then logs one line that begins with "verdict:".
//
// TestHomes reads the sources of all tests and fails on a number without a
// home, or with two. TestVerdicts runs the homes and fails on a number that did
// not pass or gave no verdict; it prints the table, and when VAGUEMESTRE_RECORD
// is set leaves docs/runs/attacks-<date>.json.
//
// # The log
//
// TestLogAttacks tampers with the journal of a real broker. Deleting, altering
// and reordering show in the file itself. A tail that was cut, a fork, and an old
// backup are whole in themselves: they are found with the heads that other
// brokers hold in the evidences they received, and only so. Somebody who
// recomputes the whole chain has no key for its checkpoints.
//
// # Sabotage
//
// TestSabotage builds the program without the check of signatures, without the
// comparison of signer and sender, without limits, without memory of what was
// received, with a lax decoder, and with a journal that is not compared with
// heads (see package sabotage); the homes must find each.
package attack
