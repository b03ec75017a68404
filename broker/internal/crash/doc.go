// Package crash shows that no crash of a broker loses an accepted pli or makes
// anything happen twice, as long as the client repeats what was not answered.
// It holds tests only.
//
// # Process kills
//
// TestKill runs two brokers in a child process, sends it submissions and acts
// over its pipes from this process, and kills the child with SIGKILL at a
// moment drawn from a seed, start-up included; then starts it again on the
// same data directories. Some requests are sent twice at once, some are
// repeated after their answer. VAGUEMESTRE_KILLS says how often (20 when
// unset), VAGUEMESTRE_SEED with what seed. When VAGUEMESTRE_RECORD is set the
// run leaves docs/runs/kill-<date>.json.
//
// # One broker at a time
//
// TestEveryCommit plays a fixed exchange in this process and breaks one commit
// of one broker, for every commit of either, in two ways: nothing of it is
// written, or all of it is and the answer is lost. The broker is abandoned and
// opened again while the other lives. TestSeededCrashes breaks several commits
// a run, on both brokers, and lets the carrier lose parcels and answers too.
//
// # What must hold (ledger.check)
//
// For every accepted receipt: one pli of that id in the journal of the sender's
// home and in those of its recipients; one consigned of each pair, and one act,
// there and at the sender's; deposit and signature byte for byte those of every
// receipt of that submission; the piece that was sent, readable by whom it was
// for. No pli without a submission. No pending work, dead letter, timer, stray
// body or temporary file. Both journals verify.
//
// # Disks (Linux; package disk)
//
// TestImages plays an exchange on a watched disk, from the creation of the
// journals on, with copies and a purge, and opens what a loss of power could
// leave after each operation; also where a process was killed before and the
// next one went on. VAGUEMESTRE_IMAGES says how many (3,000 when unset),
// VAGUEMESTRE_KILLED how many plays are killed. TestPower is TestKill with a disk
// that is cut off, on ext4 and xfs, VAGUEMESTRE_CUTS times each (5 when unset).
// TestFaults lets each operation fail, once and for a time, under a supervisor:
// VAGUEMESTRE_FAULTS trials (8 when unset, 0 for all). A failed journal must end
// the process with 4; anything else must be refused for now and come right. Each
// leaves its record as TestKill does: images, power, faults.
//
// # What this does not show
//
// A killed process loses nothing that it gave to the kernel: TestKill tests the
// order of answers and commits, recovery and idempotence, not durability.
// TestEveryCommit takes deliveries from the journal itself, in a fixed order;
// it is TestKill that goes through the queue.
//
// # Sabotage
//
// TestSabotage builds the program with a deliberate fault (see package
// sabotage) and requires these tests to find it: an answer before the commit,
// a check for duplicates outside the write transaction, one on data that is
// not committed, a reception acknowledged before its commit.
package crash
