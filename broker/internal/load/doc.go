// Package load asks of a served broker what it does with much, and with large:
// `vaguemestre serve` as a real process, applications over HTTP. It holds tests
// only.
//
// # Load
//
// TestLoad sends messages at an even pace, whatever the answers take (a client
// that waits for the last answer would measure a slow broker as a calm one):
// 5 KB each, one in ten with a PDF of 2 MB. Then ten times as many, for a sixth
// of the time. VAGUEMESTRE_RATE is messages a second (200 when unset, less
// under the race detector's program), VAGUEMESTRE_SECONDS how long. Large
// bodies are purged a while after they were consigned, as an operator without
// endless disks would. What must hold: every message that was answered 201 is
// consigned, once; what was refused was refused with 429 or 503 and
// Retry-After; no dead letter, nothing pending, the journal verifies; file
// descriptors and goroutines come back to what they were; the memory of the
// process does not grow with the number of messages.
//
// What is printed and recorded: percentiles, refusals, slope of the anonymous
// memory (bbolt's mapping counts as resident but is the kernel's to drop),
// growth of the journal, descriptors, goroutines.
//
// # One large piece
//
// TestLargePiece sends a piece of 100 MB up and takes it down again. Anonymous
// and peak memory of the process stay below 100 MB, measured from after the
// keys were unlocked, which by design takes 64 MB a key; no file of the data or
// temporary directory ever holds its plaintext, in clear or in base64, also
// among files that have no name any more. TestCutUpload and TestSlowUpload: one
// that is cut leaves nothing, one that is slow is not cut.
//
// # By a tool of others
//
// TestThirdPartyTool loads POST /v1/messages with wrk (Debian package wrk) and
// prints its figure beside that of `vaguemestre bench` in the same minute.
//
// # Sabotage
//
// TestSabotage builds the program with a piece held in memory whole, a piece
// spooled to a file in clear, memory kept of every message, a descriptor kept
// of every message, and requires these tests to find each.
package load
