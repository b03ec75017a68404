// Package sim plays three brokers, one of which only relays, by a scheduler and
// a clock that a seed draws: equal seed, equal trace, down to the roots of the
// three journals. It holds tests only.
//
// # What is played
//
// A seed draws who is reached through the relay (both homes, or one), how far
// the clocks differ (4 minutes at most), a few letters in all directions with
// every urgency, some of them answers in a thread, some with a body too large for the
// journal file. Then it draws one move after the other: a client submits or
// repeats; an item that is due is delivered, whichever; somebody acts; time
// passes, seconds or days; a broker looks at its timers; a road is cut for
// minutes or days; a process is killed, or dies in a commit, before anything of
// it is written or after all of it; somebody who may knock brings an evidence
// that its signer never made. While something slow is under way (a signature, a
// seal, a carriage) one other move may happen. Carriers lose parcels and
// answers, bring parcels twice, or late and out of order; in one seed of eight
// they also refuse for no reason, and outages outlast the retries. In the end
// everything stands and works, clients repeat what was not answered, and time
// passes until no item and no timer is left; a person takes up dead letters, or
// acts at last, or does not.
//
// # What must hold
//
// After each move, for every pair that a commit concerned: progress, acts and
// the closure at the recipient's home are never taken back. In the end: one
// receipt a submission, whatever was repeated; of one thread, sender and
// recipient the first deposited is consigned first; the pli once in the journal of
// its sender; consigned once at the recipient's home and once at the sender's;
// no fact twice in any journal; an act or an alarm for each recipient that is
// to act; both ends agree; states are what the evidences say; every evidence in
// any journal is in the journal of the one that signed it, after what it
// follows from; no pending work, timer, passage or stray body; nothing kept by
// the relay, which opened nothing; no dead letter but where carriers refused or
// outages outlasted the retries.
//
// TestEveryCommitThroughTheRelay plays a fixed exchange instead, and breaks each
// commit of each broker in it, in both ways.
//
// # What this does not show
//
// OpenPGP is played by digests that only the owner's broker can make: keys
// neither expire nor are revoked here. The journal is brokertest.Disk, which
// passes the suite of stores; its file is for other harnesses. Items are taken
// from the journal's view in an order that the seed draws, so the queue
// (fairness, slots, wake-ups) is not played; no two of one lane are under way at
// once, which is what it promises. A commit of the journal is one step, on its
// own goroutine, that the seed's goroutine waits for.
//
// # Runs
//
// VAGUEMESTRE_SEEDS says how many seeds (500 when unset, 100 under the race
// detector), VAGUEMESTRE_SEED the first. The first seed that fails prints its trace, which names ids and never
// content. With VAGUEMESTRE_RECORD the run leaves docs/runs/sim-<date>.json.
// TestSabotage builds the program with a deliberate fault each and wants the
// seeds of CI to find it, by what it does.
package sim
