// Package flip shows that a flipped bit in what a broker keeps is found, and
// that a broker started over it gives no wrong answer. It holds tests only.
//
// # Flips
//
// TestFlips makes a small data directory by real exchanges (sent, received,
// acted on, purged, waiting; bodies in the journal and in files), closes it,
// and takes a backup of it while it lived, whose derived rows are not folded
// yet. Each flip changes one bit, drawn from a seed, of one file of either; a
// child process then does three things, so that a fault or a hang of it is
// counted and not shared:
//
//  1. It verifies, as `journal verify` does. A crash or a hang here is a fault
//     of the program, whatever was flipped.
//  2. It reads every row of the file. A flip is effective when that gives
//     something else than before, or fails; one in a free page, or in the unused
//     end of a used one, is not. Every bit of a body, and of any other file of a
//     backup, is.
//  3. It starts the broker, and asks it everything that it was asked before the
//     flip: every pli, its state, content and evidences, repeated submissions,
//     pending work, alarms, tokens, every leaf, proof and record; then to accept
//     a new pli.
//
// # What must hold
//
// Every effective flip is reported by 1. Under every flip the broker of 3
// refuses to start, or answers as before, or answers with an error, or dies in a
// way that 1 explains (bbolt trusts its pages). An answer that is another than
// before is a fault; so is a hang.
//
// VAGUEMESTRE_FLIPS says how many flips (400 when unset), VAGUEMESTRE_SEED with
// what seed. When VAGUEMESTRE_RECORD is set the run leaves
// docs/runs/flip-<date>.json.
//
// # Sabotage
//
// TestSabotage builds a verifier that skips objects, rows, bodies, pages, and a
// broker that does not look at its journal before it serves it; TestFlips must
// find each.
package flip
