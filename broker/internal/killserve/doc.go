// Package killserve shows that no death of `vaguemestre serve` loses what a
// client was answered, or makes it happen twice, as long as the client repeats
// what was not answered. It holds tests only. Package crash shows the same of
// the broker inside one process, at every commit; here the program, its
// commands, its API and its clients are the real ones.
//
// # What is done
//
// TestKillServe builds the program, makes one data directory with its commands
// (package served) and runs serve on it. Clients over HTTP, with the token of
// their party, deposit JSON and forms, some twice at once, some slowly, some
// giving up; they list, read documents and pieces, and acknowledge. A clerk does
// the same with send, read and ack, beside the broker or alone on the directory
// while it is down; some of its commands are killed too. Whatever was not
// answered is repeated with the same Idempotency-Key, or as the same command.
// serve is killed with SIGKILL at moments drawn from a seed: while it serves,
// while it starts, while it drains after SIGTERM; then started again.
// VAGUEMESTRE_KILLS says how often (20 when unset), VAGUEMESTRE_SEED with what
// seed; VAGUEMESTRE_PATIENCE how many seconds are given to what must come in the
// end (60). When VAGUEMESTRE_RECORD is set the run leaves
// docs/runs/kill-serve-<date>.json.
//
// # What must hold
//
// On the way: every receipt of a submission equal to the first, byte for byte
// (deposit, signature, thread); every evidence of an act too; every part that is
// read, what was sent; whatever was accepted before, there; every fiftieth time,
// journal verify. At the end, asked over HTTP: every box holds what was
// accepted, once, and nothing else; every sender sees every act and no flag;
// every submission gives its receipt again. After an orderly stop, in the
// journal: one pli, one accepted, one consigned of each recipient, one fetched
// of each that was given a part, one evidence of each act, of the digest that
// was answered; nothing that nobody sent or said; no delivery, dead letter or
// timer left; no body, temporary file, socket or kept key. journal verify
// passes.
//
// # What is not as an operator has it
//
// The private keys are locked in the form that is quick to open (the one that
// export-secret writes), and the limits of calls are high: the rest of the time
// of a start would go to Argon2, and its kills with it.
//
// # What this does not show
//
// SIGKILL loses nothing that the kernel has: a loss of power is for the
// harnesses of the store. Nor is it two brokers that speak over a line.
//
// # Sabotage
//
// TestSabotage builds the program with a deliberate fault (see package
// sabotage), runs the same harness on it, and requires the fault to be found by
// what it does.
package killserve
